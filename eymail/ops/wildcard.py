"""What the DNS has to hold for a subdomain catchall: a wildcard MX, and what that does not cover.

A wildcard speaks for names that do not exist, and for no others (RFC 4592 section 2.2): a name with any
records of its own needs its own MX, and so does one that has none and exists only because there are names
below it (an empty non-terminal). Which names a zone has is not to be listed from outside, so those are tried
that the directory knows and those that most domains have.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from eymail.dns import rows
from eymail.dns.answers import Mx
from eymail.dns.question import LONGEST_NAME, Question, Reply, Status
from eymail.errors import DnsError, EymailError, NotFound
from eymail.ops import change, reception
from eymail.ops.reception import ELSEWHERE, HERE, NOT_CHECKED, TTL

if TYPE_CHECKING:
    from eymail.dns.update import DnsExecutor
    from eymail.env import Env
    from eymail.plan import Step

USUAL = (
    "www", "mail", "smtp", "imap", "pop", "webmail", "autodiscover", "autoconfig", "ftp", "ns1", "ns2", "mx",
    "app", "api", "admin", "dev", "test", "staging", "beta", "blog", "shop", "support", "status", "cdn",
    "static", "assets", "img", "m", "vpn", "secure", "login", "docs", "help", "git", "news",
)  # fmt: skip
"""Names below a domain that many have."""

_KINDS = ("MX", "A", "AAAA", "TXT")
_DEADLINE = 10.0
_MOST_KNOWN = 200
_HIDDEN = "exists without an MX, if only through names below it (an empty non-terminal)"


@dataclass
class Wildcard:
    """What came out: steps where the zone is ours, and what is to be said."""

    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def needed(env: Env, domain: str) -> Wildcard:
    """What the DNS of a domain needs, so that mail to its subdomains comes to the cluster."""
    found = Wildcard()
    if not reception.here(env):
        found.notes += _unasked(domain, "no inventory says where mail is to go")
        return found
    probe = f"eymail-{secrets.token_hex(6)}.{domain}"
    there = reception.of_domain(env, probe)
    if there.status == NOT_CHECKED:
        found.notes += _unasked(domain, there.detail)
    elif there.status == HERE:
        found.notes.append(f"subdomains' mail leads here already: *.{domain} MX {', '.join(there.targets)}")
    elif there.status == ELSEWHERE:
        found.notes.append(
            f"careful: the wildcard *.{domain} MX leads to {there.detail}; subdomains' mail comes here only"
            f" when it is: {reception.line(env, f'*.{domain}')}"
        )
    else:
        _publish(env, domain, found)
    found.notes += _exceptions(env, domain, probe)
    return found


def _unasked(domain: str, why: str) -> tuple[str, ...]:
    return (
        f"the DNS of {domain} must hold a wildcard, *.{domain} MX, that leads to the mail host"
        f" (not checked): {why}",
        f"a name below {domain} that has records of its own is not covered by it and needs its own MX",
    )


def _publish(env: Env, domain: str, found: Wildcard) -> None:
    """The record that is missing: as a step where the zone is ours to change, elsewhere as a line."""
    line = f"publish: {reception.line(env, f'*.{domain}')}"
    if env.cluster.update is None:
        found.notes.append(line)
        return
    try:
        zone = _zone(env, domain)
        primary = change.name_server(env)
        if _ours(env, primary, zone):
            _change(env, primary, zone, domain, found)
        else:
            found.notes.append(line)
    except EymailError as error:
        found.notes.append(f"{line} (could not be made part of this change: {error.message})")


def _change(env: Env, primary: DnsExecutor, zone: str, domain: str, found: Wildcard) -> None:
    name = f"*.{domain}"
    before = primary.read(zone, name, "MX")
    if before is not None:
        told = str(before["records"]).replace("\n", ", ")
        found.notes.append(
            f"{name} MX {told} is at the zone's primary; not every name server tells of it yet"
        )
        return
    mx = rows.row("MX", TTL, [f"10 {reception.target(env)}."])
    found.steps.append(rows.step(zone, name, "MX", None, mx))


def _zone(env: Env, name: str) -> str:
    """The zone that a name is in, or would be. Raises DnsError."""
    try:
        return env.resolver.zone(name).name
    except NotFound:
        return _zone(env, name.partition(".")[2])


def _ours(env: Env, primary: DnsExecutor, zone: str) -> bool:
    """Whether the primary serves the zone and lets the key change it; its answer is signed."""
    try:
        return primary.read(zone, zone, "NS") is not None
    except DnsError:
        # Is it the zone or the server? Whoever serves the cluster's own zone is alive.
        primary.read(env.cluster.zone, env.cluster.zone, "NS")
        return False


def _exceptions(env: Env, domain: str, probe: str) -> Iterator[str]:
    """A line for each name that is known to be there and has no MX, and one on what was not looked at."""
    names = tuple(
        dict.fromkeys((*islice(_known(env, domain), _MOST_KNOWN), *(f"{label}.{domain}" for label in USUAL)))
    )
    replies = _asked(env, [Question(name, kind) for name in (probe, *names) for kind in _KINDS])
    wild = _replies(replies, probe)
    unknown = [name for name in names if _replies(replies, name)["MX"].status is Status.FAILED]
    for name in names:
        why = _uncovered(_replies(replies, name), wild, reception.target(env))
        if why:
            yield f"not covered: {name} {why}; where it is to receive, publish: {reception.line(env, name)}"
    if unknown:
        yield f"not checked whether covered: {', '.join(unknown[:5])}{' and more' if unknown[5:] else ''}"
    yield (
        f"{len(names)} names below {domain} were tried; any other that has records of its own, or names"
        " below it, is not covered either (RFC 4592)"
    )


def _known(env: Env, domain: str) -> Iterator[str]:
    """The directory's domains below this one, and the names between."""
    for row in env.directory.find("domain"):
        name = str(row["name"])
        if name.endswith(f".{domain}"):
            labels = name.removesuffix(f".{domain}").split(".")
            yield from (".".join((*labels[at:], domain)) for at in range(len(labels)))


def _asked(env: Env, questions: Iterable[Question]) -> Mapping[Question, Reply]:
    for question in questions:
        if len(question.name) <= LONGEST_NAME:
            env.asker.ask(question)
    end = time.time() + _DEADLINE
    found: dict[Question, Reply] = {}
    while some := env.asker.replies(end):
        found.update(some)
    return found


def _replies(replies: Mapping[Question, Reply], name: str) -> Mapping[str, Reply]:
    return {kind: replies.get(Question(name, kind), Reply(Status.FAILED)) for kind in _KINDS}


def _uncovered(own: Mapping[str, Reply], wild: Mapping[str, Reply], target: str) -> str:
    """Why a wildcard does not speak for a name; empty where it does, would, or where nobody knows.

    ``wild`` are the answers for a name that nobody has made: what equals them comes from a wildcard.
    """
    status = own["MX"].status
    if status is Status.FOUND:
        return _other_mx(own["MX"], wild["MX"], target)
    if status is Status.NO_NAME and wild["MX"].status is Status.FOUND:
        return "is out of the wildcard's reach: a name between them exists"
    same = status is wild["MX"].status and all(own[kind].records == wild[kind].records for kind in _KINDS)
    if status is not Status.NOTHING or same:
        return ""
    kinds = [kind for kind in _KINDS if own[kind].records]
    return f"has records of its own ({', '.join(kinds)}) and no MX" if kinds else _HIDDEN


def _other_mx(own: Reply, wild: Reply, target: str) -> str:
    targets = [one.target for one in own.records if isinstance(one, Mx)]
    other = target not in targets and own.records != wild.records
    return f"has an MX of its own, to {', '.join(targets)}" if other else ""
