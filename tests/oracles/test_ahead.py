"""Asking ahead changes nothing: whatever order the replies come in, the verdict is that of asking in turn.

The corpus is evaluated with replies from its zones in orders drawn by lot, one or several at a time.
"""

from __future__ import annotations

import random

import pytest

from eymail.dns.many import Asker
from eymail.dns.question import Question, Reply
from eymail.dns.spf.run import Pool
from tests.oracles import cases, corpus, subject
from tests.oracles.case import Case, Verdict
from tests.oracles.zones import SILENT, World, serving

CORPUS = (*cases.examples(), *corpus.made())
MOST_QUESTIONS = 1 + 10 + 10 * 10 + 12
"""A policy, ten terms, ten hosts of each, and what an explanation and the client's names may take."""


class Lots:
    """Replies from zones, in an order drawn by lot. To wait for what nobody asked is an error."""

    def __init__(self, world: World, draw: random.Random) -> None:
        self._world, self._draw = world, draw
        self._out: list[Question] = []
        self.asked: list[Question] = []

    def ask(self, question: Question) -> None:
        self._out.append(question)
        self.asked.append(question)

    def replies(self, end: float) -> list[tuple[Question, Reply]]:
        assert self._out, f"it waits, and all it asked is answered: {self.asked}"
        self._draw.shuffle(self._out)
        several = self._draw.randint(1, len(self._out))
        here, self._out = self._out[:several], self._out[several:]
        return [(question, subject.reply(self._world, question)) for question in here]


def evaluated(case: Case, lots: Lots) -> Verdict:
    verdict = Pool(lots, 60).verdict(*subject.told(case))
    return Verdict(str(verdict.result), verdict.explanation)


@pytest.mark.parametrize("lot", range(3))
def test_the_verdict_does_not_hang_on_the_order_of_replies(lot: int) -> None:
    wrong = []
    for case in CORPUS:
        world = World.of(case.zones)
        lots = Lots(world, random.Random(f"{lot} {case.name}"))
        if (told := evaluated(case, lots)) != (due := subject.check(case, world)):
            wrong.append(f"{case.name}: {told}, due {due}")
    assert not wrong, "\n".join(wrong)


def test_no_question_is_asked_twice_and_no_more_than_the_rfc_allows() -> None:
    for case in CORPUS:
        lots = Lots(World.of(case.zones), random.Random(case.name))
        evaluated(case, lots)
        assert len(lots.asked) == len(set(lots.asked)) <= MOST_QUESTIONS, case.name


def test_the_verdict_is_the_same_by_real_packets() -> None:
    """All but those that wait for a server that is silent, which is what their time would go into."""
    wrong = []
    with serving({}) as server:
        for case in CORPUS:
            if SILENT in repr(case.zones):
                continue
            world = World.of(case.zones)
            server.show(world)
            with Asker([server.address], 5) as asker:
                verdict = Pool(asker, 20).verdict(*subject.told(case))
            if (found := Verdict(str(verdict.result), verdict.explanation)) != (
                due := subject.check(case, world)
            ):
                wrong.append(f"{case.name}: {found}, due {due}")
    assert not wrong, "\n".join(wrong)
