"""Evaluations and the DNS brought together: asked ahead at once, one cache for all, many side by side."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from eymail.dns.question import Question, Reply, Status
from eymail.dns.spf.ahead import Ahead, unfolds
from eymail.dns.spf.check import Verdict, check_host
from eymail.dns.spf.client import Client
from eymail.dns.spf.tree import Builder, Policy

AT_ONCE = 64
MOST_KEPT = 10_000
"""Replies kept for evaluations to come; the oldest go first, so memory stays as it is."""

_KEPT_SECONDS = (10.0, 300.0)


class Asker(Protocol):
    """Asks many things at once (``dns.many``)."""

    def ask(self, question: Question) -> None: ...

    def replies(self, end: float) -> list[tuple[Question, Reply]]: ...


class Cache:
    """Replies by question, each for its TTL, bounded below and above: a run is one look at the world."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Question, tuple[float, Reply]] = OrderedDict()

    def get(self, question: Question) -> Reply | None:
        until, reply = self._kept.get(question, (0.0, None))
        return reply if until > time.monotonic() else None

    def keep(self, question: Question, reply: Reply) -> None:
        least, most = _KEPT_SECONDS
        self._kept[question] = (time.monotonic() + min(max(reply.ttl, least), most), reply)
        self._kept.move_to_end(question)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


class Evaluation:
    """One check_host() under way, until ``end`` in time.time() seconds. ``verdict`` is there at its end."""

    def __init__(self, client: Client, domain: str, end: float) -> None:
        self.end = end
        self.verdict: Verdict | None = None
        self.known: dict[Question, Reply | None] = {}
        self._ahead = Ahead(client, domain)
        self._generator = check_host(client, domain)
        self._pending: Question | None = None
        self._send(None)

    def _send(self, reply: Reply | None) -> None:
        try:
            # A generator that has not begun takes None.
            self._pending = self._generator.send(reply)  # type: ignore[arg-type]
        except StopIteration as stop:
            self._pending, self.verdict = None, stop.value

    def advance(self, cache: Cache) -> None:
        """Go on as far as what is known leads."""
        while self._pending is not None:
            reply = self.known.get(self._pending) or cache.get(self._pending)
            if reply is None:
                return
            self.known[self._pending] = reply
            self._send(reply)

    def wanted(self, cache: Cache, *, ahead: bool) -> Iterator[Question]:
        """What is to be asked now: what it waits for, then, with ``ahead``, what it will come to."""
        if self._pending is not None and self._pending not in self.known:
            self.known[self._pending] = None
            yield self._pending
        if not ahead:
            return
        for question in self._ahead.questions(self.known):
            self.known[question] = cache.get(question)
            if self.known[question] is None:
                yield question

    def give_up(self, why: str) -> None:
        """The time is over: nothing is answered any more."""
        while self._pending is not None:
            asked = f"{self._pending.kind} of {self._pending.name}"
            self._send(Reply(Status.FAILED, problem=f"{why}: no answer to {asked}"))


class Pool:
    """Evaluates many at once, ``deadline`` seconds for each. What is ``known`` is not asked again."""

    def __init__(self, asker: Asker, deadline: float, known: Mapping[Question, Reply] | None = None) -> None:
        self._asker, self._deadline = asker, deadline
        self._cache = Cache()
        for question, reply in (known or {}).items():
            self._cache.keep(question, reply)
        self._interested: dict[Question, list[Evaluation]] = {}

    def verdict(self, client: Client, domain: str) -> Verdict:
        """What check_host() says of one client."""
        return next(self.verdicts([(client, domain)]))

    def verdicts(self, checks: Iterable[tuple[Client, str] | None]) -> Iterator[Verdict]:
        """Verdicts in the order of the checks, each as soon as it and those before it are there.

        None among the checks says that the next one is not there yet: those before it are finished first.
        """
        running: deque[Evaluation] = deque()
        for check in checks:
            if check is not None:
                running.append(self._start(*check))
            while running and (check is None or running[0].verdict or len(running) >= AT_ONCE):
                yield self._finished(running)
        while running:
            yield self._finished(running)

    def _start(self, client: Client, domain: str) -> Evaluation:
        one = Evaluation(client, domain, time.time() + self._deadline)
        self._go_on(one, ahead=True)
        return one

    def _go_on(self, one: Evaluation, *, ahead: bool) -> None:
        one.advance(self._cache)
        if one.verdict is None:
            for question in one.wanted(self._cache, ahead=ahead):
                self._want(question, one)

    def _want(self, question: Question, by: Evaluation) -> None:
        if question not in self._interested:
            self._asker.ask(question)
        self._interested.setdefault(question, []).append(by)

    def _finished(self, running: deque[Evaluation]) -> Verdict:
        first = running.popleft()
        while first.verdict is None:
            if time.time() >= first.end:
                first.give_up(f"the deadline of {self._deadline:g} s is over")
            else:
                self._wait(first.end)
        return first.verdict

    def _wait(self, end: float) -> None:
        news: dict[Evaluation, bool] = {}
        for question, reply in self._asker.replies(end):
            self._cache.keep(question, reply)
            for one in self._interested.pop(question, ()):
                one.known[question] = reply
                news[one] = news.get(one, False) or unfolds(question)
        for one, unfolded in news.items():
            self._go_on(one, ahead=unfolded)


def tree(asker: Asker, domain: str, deadline: float, known: dict[Question, Reply]) -> Policy:
    """The tree of a domain's record, each level asked at once; what came in by then is put into ``known``.

    What does not come within ``deadline`` seconds reads "not checked".
    """
    end = time.time() + deadline
    while True:
        builder = Builder(known)
        policy = builder.policy(domain)
        missing = set(builder.missing)
        if not missing:
            return policy
        for question in builder.missing:
            asker.ask(question)
        while missing and time.time() < end:
            for question, reply in asker.replies(end):
                known[question] = reply
                missing.discard(question)
        for question in missing:
            asked = f"{question.kind} of {question.name}"
            problem = f"the deadline of {deadline:g} s is over: no answer to {asked}"
            known[question] = Reply(Status.FAILED, problem=problem)
