"""check_host() (RFC 7208 section 4): evaluated in order, whoever brings the answers and when.

The evaluation is a generator: it yields a Question when it has to know, and is sent the Reply. So limits and
results are those of the sequential algorithm, though what it will ask may have been asked ahead.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import NoReturn, TypeVar

from eymail.dns.question import Question, Reply, Status, ask, askable
from eymail.dns.spf import macro
from eymail.dns.spf.client import Client
from eymail.dns.spf.macro import MacroError, MacroString
from eymail.dns.spf.record import Directive, Outcome, Record, parse, records

MOST_LOOKUPS = 10
MOST_VOIDS = 2
MOST_HOSTS = 10
"""Mail exchangers, and names of an address, that are looked up at most (section 4.6.4)."""

_Found = TypeVar("_Found")
Asking = Generator[Question, Reply, _Found]


@dataclass(frozen=True)
class Verdict:
    """What check_host() says, and which terms led to it, from the outermost to the one that decided.

    ``problem`` is why there is none, or an error. ``lookups`` and ``voids`` are those of section 4.6.4.
    """

    result: Outcome
    explanation: str
    path: tuple[str, ...]
    problem: str
    lookups: int
    voids: int


def check_host(client: Client, domain: str) -> Asking[Verdict]:
    """Evaluate the policy of ``domain`` for a client."""
    check = _Check(client)
    try:
        decision = yield from check.evaluate(domain)
    except _Ended as end:
        return Verdict(end.outcome, "", tuple(end.path), end.why, check.lookups, check.voids)
    explanation = ""
    if decision.outcome is Outcome.FAIL:
        explanation = yield from check.explanation(decision)
    return Verdict(decision.outcome, explanation, decision.path, "", check.lookups, check.voids)


class _Ended(Exception):
    """The evaluation ends here, with an error or with none."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(why)
        self.outcome, self.why = outcome, why
        self.path: list[str] = []


def _permanent(why: str) -> NoReturn:
    raise _Ended(Outcome.PERMERROR, why)


@dataclass(frozen=True)
class _Decision:
    """What a record says, and where: the record that decided, under the name it was found at."""

    outcome: Outcome
    path: tuple[str, ...]
    domain: str
    record: Record


class _Check:
    """One evaluation and what it has used of its limits."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.lookups = 0
        self.voids = 0
        self._pointed = False
        self._limited = True

    def evaluate(self, domain: str) -> Asking[_Decision]:
        """Raises _Ended."""
        record = yield from self._record(domain)
        for directive in record.directives:
            try:
                inner = yield from self._matches(directive, domain)
            except _Ended as end:
                end.path.insert(0, f"{domain}: {directive.text}")
                raise
            if inner is not None:
                path = (f"{domain}: {directive.text}", *inner)
                return _Decision(directive.outcome, path, domain, record)
        if record.redirect is None:
            return _Decision(Outcome.NEUTRAL, (f"{domain}: no term matches",), domain, record)
        return (yield from self._redirected(record, domain))

    def _redirected(self, record: Record, domain: str) -> Asking[_Decision]:
        assert record.redirect is not None
        here = f"{domain}: {record.redirect.text}"
        try:
            self._count(record.redirect.text)
            target = yield from self._expand(record.redirect.value, domain)
            decision = yield from self._evaluate_other(target)
        except _Ended as end:
            end.path.insert(0, here)
            raise
        return _Decision(decision.outcome, (here, *decision.path), decision.domain, decision.record)

    def _evaluate_other(self, domain: str) -> Asking[_Decision]:
        """The policy that an include or a redirect names: to have none is an error (sections 5.2, 6.1)."""
        try:
            return (yield from self.evaluate(domain))
        except _Ended as end:
            if end.outcome is Outcome.NONE:
                end.outcome = Outcome.PERMERROR
            raise

    def _record(self, domain: str) -> Asking[Record]:
        """The one record of a name (sections 4.3 to 4.6)."""
        if not askable(domain) or "." not in domain or domain.startswith("["):
            raise _Ended(Outcome.NONE, f"{domain or 'nothing'} is no domain that could have a record")
        reply = yield ask(domain, "TXT")
        if reply.status is Status.FAILED:
            raise _Ended(Outcome.TEMPERROR, reply.problem)
        if reply.status is Status.NO_NAME:
            raise _Ended(Outcome.NONE, f"{domain} does not exist in the DNS")
        found = records(reply.texts)
        if not found:
            raise _Ended(Outcome.NONE, f"{domain} has no SPF record")
        if len(found) > 1:
            _permanent(f"{domain} has {len(found)} SPF records")
        record = parse(found[0])
        if record.faults:
            _permanent(f"{domain} has a record with a fault: {record.faults[0]}")
        return record

    def _matches(self, directive: Directive, domain: str) -> Asking[tuple[str, ...] | None]:
        """What further decided when a mechanism matches, mostly nothing; None when it does not."""
        if directive.asks:
            self._count(directive.text)
        match directive.name:
            case "all":
                return ()
            case "ip4" | "ip6":
                assert directive.network is not None
                return () if self._client.ip in directive.network else None
        target = yield from self._target(directive, domain)
        if directive.name == "include":
            decision = yield from self._evaluate_other(target)
            return decision.path if decision.outcome is Outcome.PASS else None
        return (yield from self._matches_by_dns(directive, target))

    def _matches_by_dns(self, directive: Directive, target: str) -> Asking[tuple[str, ...] | None]:
        match directive.name:
            case "a":
                matched = yield from self._has_client(target, directive)
            case "mx":
                matched = yield from self._exchanges(target, directive)
            case "exists":
                matched = bool((yield from self._look_up(target, "A")).records)
            case _:
                matched = yield from self._pointed_into(target)
        return () if matched else None

    def _target(self, directive: Directive, domain: str) -> Asking[str]:
        if directive.domain is None:
            return domain
        return (yield from self._expand(directive.domain, domain))

    def _expand(self, parts: MacroString, domain: str) -> Asking[str]:
        values = self._client.values(domain)
        if "p" in macro.letters(parts):
            if not self._pointed:  # its PTR query is one of the ten look-ups, asked once
                self._pointed = True
                self._count("%{p}")
            values["p"] = yield from self._validated_name(domain)
        return macro.expand_domain(parts, values)

    def _count(self, term: str) -> None:
        self.lookups += self._limited
        if self.lookups > MOST_LOOKUPS:
            _permanent(f"{term} is one look-up more than the {MOST_LOOKUPS} that are allowed")

    def _look_up(self, name: str, kind: str) -> Asking[Reply]:
        """Raises _Ended when there is no answer, or one void answer too many."""
        if not askable(name):
            return Reply(Status.NO_NAME)
        reply = yield ask(name, kind)
        if reply.status is Status.FAILED:
            raise _Ended(Outcome.TEMPERROR, reply.problem)
        self._count_void(reply, name)
        return reply

    def _count_void(self, reply: Reply, name: str) -> None:
        self.voids += self._limited and reply.void
        if self.voids > MOST_VOIDS:
            _permanent(f"{name} is one void answer more than the {MOST_VOIDS} that are allowed")

    def _has_client(self, name: str, directive: Directive) -> Asking[bool]:
        """Whether a host has an address in the client's network of the given length (section 5.3)."""
        reply = yield from self._look_up(name, self._client.kind)
        prefix = directive.prefixes[self._client.ip.version == 6]
        network = ip_network((self._client.ip, prefix), strict=False)
        return any(ip_address(address) in network for address in reply.names)

    def _exchanges(self, name: str, directive: Directive) -> Asking[bool]:
        reply = yield from self._look_up(name, "MX")
        if len(reply.records) > MOST_HOSTS:
            _permanent(f"{name} has more than {MOST_HOSTS} mail exchangers")
        for host in reply.exchangers:
            if (yield from self._has_client(host, directive)):
                return True
        return False

    def _pointed_into(self, target: str) -> Asking[bool]:
        """ptr: whether a validated name of the client is the target or below it (section 5.5)."""
        wanted = target.lower()
        valid = []
        for name in (yield from self._pointers()):
            if (yield from self._validated(name)):
                valid.append(name.lower())
        return any(name == wanted or name.endswith(f".{wanted}") for name in valid)

    def _validated_name(self, domain: str) -> Asking[str]:
        """The ``p`` macro: the domain itself where it is valid, else one below it, else any (section 7.3)."""
        wanted = domain.lower()
        names = yield from self._pointers()
        for name in sorted(names, key=lambda one: _distance(one.lower(), wanted)):
            if (yield from self._validated(name)):
                return name
        return "unknown"

    def _pointers(self) -> Asking[tuple[str, ...]]:
        """The client's names, ten at most; an error is as good as none (section 5.5)."""
        reply = yield ask(self._client.reverse, "PTR")
        self._count_void(reply, self._client.reverse)
        return reply.names[:MOST_HOSTS]

    def _validated(self, name: str) -> Asking[bool]:
        if not askable(name):
            return False
        reply = yield ask(name, self._client.kind)
        self._count_void(reply, name)
        return any(ip_address(address) == self._client.ip for address in reply.names)

    def explanation(self, decision: _Decision) -> Asking[str]:
        """What the exp modifier of the deciding record says; empty where that fails (section 6.2)."""
        modifier = decision.record.modifier("exp")
        if modifier is None:
            return ""
        self._limited = False  # what is asked from here on is no part of the evaluation
        try:
            return (yield from self._explained(modifier.value, decision.domain))
        except MacroError:
            return ""

    def _explained(self, parts: MacroString, domain: str) -> Asking[str]:
        target = yield from self._expand(parts, domain)
        if not askable(target):
            return ""
        reply = yield ask(target, "TXT")
        if len(reply.texts) != 1 or not reply.texts[0].isascii():
            return ""
        told = macro.parse(reply.texts[0].decode("ascii"), spaces=True)
        values = self._client.values(domain)
        if "p" in macro.letters(told):
            values["p"] = yield from self._validated_name(domain)
        return macro.expand(told, values)


def _distance(name: str, wanted: str) -> int:
    return 0 if name == wanted else 1 if name.endswith(f".{wanted}") else 2
