"""A domain's flat record: to publish, or to compare with what is published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from eymail.dns.spf import flat
from eymail.dns.spf.check import MOST_LOOKUPS
from eymail.dns.spf.flat import LONGEST_RECORD, Flattening
from eymail.dns.spf.record import QUALIFIERS
from eymail.dns.spf.run import tree
from eymail.dns.spf.space import Space
from eymail.dns.spf.tree import Policy
from eymail.env import Env
from eymail.errors import DnsError, NotFound
from eymail.model import Cell, Failure, Result, View, parse_domain
from eymail.ops.spf.check import DEADLINE
from eymail.ops.spf.target import published_name

_STRING = 255
_LARGEST = 4096
"""Bytes that receivers' resolvers may be expected to take (RFC 6891 section 6.2.5)."""


@dataclass(frozen=True)
class PublishedRecord:
    """A TXT record, whole; on the wire it is cut into strings of 255 bytes."""

    name: str
    record: str

    def line(self) -> tuple[Cell, ...]:
        """As it stands in a zone file."""
        strings = (self.record[at : at + _STRING] for at in range(0, len(self.record), _STRING))
        return f"{self.name}.", "TXT", " ".join(f'"{string}"' for string in strings)


@dataclass(frozen=True)
class Change:
    """What a term would add to, or take from, what is published: ``sign`` + or -."""

    sign: str
    term: str


@dataclass(frozen=True)
class Flat(Result):
    """The flat form of ``domain``, as records to publish at ``at``.

    ``ttl`` is how long it stays true, in seconds. ``changes`` are the differences from what is published,
    None when it was not compared; ``warnings`` what was kept or dropped, and why.
    """

    domain: str
    at: str
    records: tuple[PublishedRecord, ...]
    ttl: int | None
    warnings: tuple[str, ...]
    changes: tuple[Change, ...] | None
    diff: bool = field(metadata={"json": False})
    missing: tuple[Failure, ...] = field(metadata={"json": False})

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.missing

    @property
    def exit_code(self) -> int:
        if self.missing:
            return 1
        return 3 if self.changes else 0

    def view(self) -> View:
        title = f"{self.domain}, flat, to be published at {self.at}"
        until = f"true for {self.ttl} s: the least TTL that it was made from"
        notes = (*self.warnings, *(() if self.ttl is None else (until,)))
        if not self.diff:
            lines = tuple(one.line() for one in self.records)
            return View(("name", "type", "record"), lines, title, notes=notes)
        rows = tuple((change.sign, change.term) for change in self.changes or ())
        same = () if rows or self.changes is None else (f"what is published at {self.at} is the same",)
        return View(("", "term"), rows, title, notes=(*notes, *same))


def of_target(env: Env, target: str, at: str = "", *, diff: bool = False, deadline: float = DEADLINE) -> Flat:
    """The flat form of a domain's or a cluster's record, to be published ``at`` a name, its own if empty.

    With ``diff`` compared with what is published there. Raises NotFound when there is no record,
    DnsError when there are several or it cannot be asked, InvalidInput.
    """
    domain = _name(target) if "." in target else published_name(env.config, target)
    return _of_domain(env, domain, _name(at) if at else domain, diff=diff, deadline=deadline)


def _name(text: str) -> str:
    return parse_domain(text, service_labels=True)


def _of_domain(env: Env, domain: str, at: str, *, diff: bool, deadline: float) -> Flat:
    policy = _policy(env, domain, deadline)
    made = flat.flatten(policy, moved=at != domain)
    records = tuple(PublishedRecord(*one) for one in flat.published(made, at))
    missing = (*(_not_checked(one) for one in made.unknown), *_too_much(records))
    found = Flat(
        domain, at, records, _ttl(policy), tuple(_warnings(policy, made, records)), None, diff, missing
    )
    return _compared(found, made, tree(env.asker, at, deadline, {})) if diff else found


def _compared(found: Flat, made: Flattening, there: Policy) -> Flat:
    """With the differences from what is published, if that is known."""
    if not there.checked:
        return replace(found, missing=(*found.missing, _not_checked(f"{there.name}: {there.problem}")))
    warnings = found.warnings
    if len(there.records) > 1:
        told = f"{there.name} has {len(there.records)} SPF records, which receivers count as an error"
        warnings = (*warnings, told)
    return replace(found, warnings=warnings, changes=tuple(_changes(made, there)))


def _not_checked(what: str) -> Failure:
    return Failure(DnsError.code, f"not checked: {what}")


def _policy(env: Env, domain: str, deadline: float) -> Policy:
    policy = tree(env.asker, domain, deadline, {})
    if not policy.checked:
        raise DnsError(f"the SPF record of {domain} was not found out: {policy.problem}")
    if not policy.records:
        raise NotFound(f"{domain} {policy.problem}", "there is nothing to flatten")
    if len(policy.records) > 1:
        raise DnsError(f"{domain} has {len(policy.records)} SPF records", f"leave one: eymail spf {domain}")
    return policy


def _too_much(records: tuple[PublishedRecord, ...]) -> Iterator[Failure]:
    """Why receivers would not take what came out, if so."""
    hint = "name fewer networks, or fewer providers"
    size, asks = len(records[0].record), flat.lookups(records[0].record)
    if size > _LARGEST:
        yield Failure("too-large", f"the flat record has {size} bytes, and {_LARGEST} are the most", hint)
    if asks > MOST_LOOKUPS:
        told = f"the flat record takes {asks} look-ups or more, and {MOST_LOOKUPS} are allowed"
        yield Failure("too-large", told, hint)


def _warnings(policy: Policy, made: Flattening, records: tuple[PublishedRecord, ...]) -> Iterator[str]:
    for fault in policy.records[0].faults:
        yield f"dropped: {fault.text}, for {fault.why}: receivers count the record as an error"
    for kept in dict.fromkeys(made.kept):
        yield f"kept: {kept.text}, for {kept.why}"
    for dropped in made.dropped:
        yield f"dropped: {dropped}: receivers count that as an error"
    for name, length in ((one.name, len(one.record)) for one in records):
        if length > LONGEST_RECORD:
            yield f"the record of {name} has {length} bytes, more than {LONGEST_RECORD}"


def _ttl(policy: Policy) -> int | None:
    """The least TTL in the tree."""
    policies = (one.ttl for one in policy.policies() if one.ttl is not None)
    return min((*policies, *(ttl for _, branch in policy.walk() for ttl in branch.ttls)), default=None)


def _changes(made: Flattening, there: Policy) -> Iterator[Change]:
    """From what is published to what would be: networks by result, then the other terms."""
    published = flat.as_published(there)
    before, after = published.named(), made.named()
    for outcome in QUALIFIERS.values():
        old, new = before.get(outcome, Space()), after.get(outcome, Space())
        for sign, space in (("+", new - old), ("-", old - new)):
            yield from (Change(sign, flat.network_term(outcome, one)) for one in space.networks())
    olds, news = _others(published), _others(made)
    yield from (Change("+", text) for text in news if text not in olds)
    yield from (Change("-", text) for text in olds if text not in news)


def _others(form: Flattening) -> dict[str, None]:
    return dict.fromkeys((*(one.text for one in form.kept), *filter(None, (form.end,)), *form.modifiers))
