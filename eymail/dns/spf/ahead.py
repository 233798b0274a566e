"""Which questions an evaluation will ask if nothing matches before: they can be asked at once, ahead of it.

Only what a sequential evaluation could still come to is asked: nothing past the tenth look-up as far as the
tree is known, past a term that decides, or past the tenth host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from eymail.dns.question import Question, Reply, ask, askable
from eymail.dns.spf import macro
from eymail.dns.spf.check import MOST_HOSTS, MOST_LOOKUPS
from eymail.dns.spf.client import Client
from eymail.dns.spf.macro import MacroString
from eymail.dns.spf.record import Directive, Outcome, Record, parse, records

Known = Mapping[Question, Reply | None]
"""What was asked so far, with what came back; None where the answer is still out."""


def unfolds(question: Question) -> bool:
    """Whether its answer can show further questions."""
    return question.kind in ("TXT", "MX", "PTR")


class Ahead:
    """What one evaluation has had asked ahead. At most ten terms' worth of questions, in all."""

    def __init__(self, client: Client, domain: str) -> None:
        self._client, self._domain = client, domain
        self._terms: set[Question] = set()

    def questions(self, known: Known) -> Iterator[Question]:
        """What is to be asked now, in the order in which the evaluation will come to it.

        ``known`` is looked at anew for each, so it may grow meanwhile.
        """
        for question, term in _Walk(self._client, known).of(self._domain):
            if term and question not in self._terms:
                if len(self._terms) == MOST_LOOKUPS:
                    return
                self._terms.add(question)
            if question not in known:
                yield question


_Wanted = Iterator[tuple[Question, bool]]
"""Questions, and whether each is a term's own or one that its answer led to."""


class _Decided(Exception):
    """A term matches for certain, whatever else is still out: the record ends with its outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class _Spent(Exception):
    """The evaluation will not get past this point: it has used its look-ups."""


class _Walk:
    """One way through the known part of the tree, in evaluation order."""

    def __init__(self, client: Client, known: Known) -> None:
        self._client, self._known = client, known
        self._lookups = 0

    def of(self, domain: str) -> _Wanted:
        with suppress(_Decided, _Spent):
            yield from self._policy(domain, term=False)

    def _policy(self, domain: str, *, term: bool = True) -> _Wanted:
        """Raises _Decided with the record's outcome where that is certain."""
        if not askable(domain):
            return
        question = ask(domain, "TXT")
        yield question, term
        record = self._record(question)
        if record is None:
            return
        for directive in record.directives:
            if self._matches(directive):
                raise _Decided(directive.outcome)
            yield from self._directive(directive, domain)
        if record.redirect is not None:
            self._count()
            yield from self._policy(self._target(record.redirect.value, domain))

    def _record(self, question: Question) -> Record | None:
        reply = self._known.get(question)
        found = records(reply.texts) if reply else ()
        record = parse(found[0]) if len(found) == 1 else None
        return None if record is None or record.faults else record

    def _matches(self, directive: Directive) -> bool:
        if directive.name == "all":
            return True
        return directive.network is not None and self._client.ip in directive.network

    def _directive(self, directive: Directive, domain: str) -> _Wanted:
        if not directive.asks:
            return
        self._count()
        target = domain if directive.domain is None else self._target(directive.domain, domain)
        if directive.name == "include":
            yield from self._include(directive, target)
        elif directive.name == "ptr":
            yield from self._hosts(Question(self._client.reverse, "PTR"))
        elif askable(target):
            kind = {"mx": "MX", "exists": "A"}.get(directive.name, self._client.kind)
            yield from self._hosts(ask(target, kind))

    def _include(self, directive: Directive, target: str) -> _Wanted:
        try:
            yield from self._policy(target)
        except _Decided as inner:
            if inner.outcome is Outcome.PASS:
                raise _Decided(directive.outcome) from inner

    def _hosts(self, question: Question) -> _Wanted:
        """A term's question, and the addresses of the hosts that its answer names."""
        yield question, True
        reply = self._known.get(question)
        if reply is None or (question.kind == "MX" and len(reply.records) > MOST_HOSTS):
            return
        hosts = {"MX": reply.exchangers, "PTR": reply.names[:MOST_HOSTS]}.get(question.kind, ())
        for host in hosts:
            if askable(host):
                yield ask(host, self._client.kind), False

    def _target(self, parts: MacroString, domain: str) -> str:
        """The name meant; empty where it takes the client's validated name to know it."""
        if "p" in macro.letters(parts):
            return ""
        return macro.expand_domain(parts, self._client.values(domain))

    def _count(self) -> None:
        self._lookups += 1
        if self._lookups > MOST_LOOKUPS:
            raise _Spent
