"""eymail's SPF results beside the RFC's own examples and two implementations that others wrote.

Every difference is explained in ``deviations.py``, or the test fails; an explanation that nothing needs
any more fails too.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import groupby

import pytest

from tests.oracles import cases, corpus, pyspf_oracle, subject
from tests.oracles.case import Case, Verdict
from tests.oracles.deviations import DEVIATIONS, MAIL_SPF, PYSPF, Deviation
from tests.oracles.features import features
from tests.oracles.mail_spf import MailSpf
from tests.oracles.zones import World

EXAMPLES = tuple(cases.examples())
CORPUS = (*EXAMPLES, *corpus.made())
THEMES = {
    theme: tuple(group)
    for theme, group in groupby(CORPUS, lambda case: case.name.rstrip("0123456789 ").split(" ")[0])
}


@pytest.fixture(scope="module")
def perl() -> Iterator[MailSpf]:
    started = MailSpf()
    yield started
    started.close()


@cache
def ours(case: Case) -> Verdict:
    return subject.check(case, World.of(case.zones))


@pytest.mark.parametrize("case", EXAMPLES, ids=lambda case: f"{case.section} {case.name}")
def test_the_rfc_s_own_examples(case: Case) -> None:
    assert ours(case) == case.verdict


@pytest.mark.parametrize("theme", THEMES)
def test_pyspf_agrees_or_its_deviation_is_explained(theme: str) -> None:
    unexplained = [told for case in THEMES[theme] if (told := difference(PYSPF, case, _pyspf(case)))]
    assert not unexplained, "\n".join(unexplained)


@pytest.mark.parametrize("theme", THEMES)
def test_mail_spf_agrees_or_its_deviation_is_explained(theme: str, perl: MailSpf) -> None:
    unexplained = [told for case in THEMES[theme] if (told := difference(MAIL_SPF, case, _perl(case, perl)))]
    assert not unexplained, "\n".join(unexplained)


def test_no_deviation_is_explained_that_does_not_occur(perl: MailSpf) -> None:
    seen: set[Deviation] = set()
    for case in CORPUS:
        for oracle, theirs in ((PYSPF, _pyspf(case)), (MAIL_SPF, _perl(case, perl))):
            seen |= set(explanations(oracle, case, theirs)) if theirs != ours(case) else set()
    assert not [f"{one.oracle} {one.why}" for one in DEVIATIONS if one not in seen]


def test_the_corpus_is_the_same_on_every_run() -> None:
    for again, case in zip(corpus.made(), CORPUS[len(EXAMPLES) :], strict=True):
        assert vars(again) == vars(case)
    assert len({case.name for case in CORPUS}) == len(CORPUS)


def difference(oracle: str, case: Case, theirs: Verdict) -> str:
    """What is not explained; nothing when all is."""
    if theirs == ours(case) or explanations(oracle, case, theirs):
        return ""
    return f"{case.name}: {case.ip} {case.sender!r} {case.helo!r}: eymail {ours(case)}, {oracle} {theirs}"


def explanations(oracle: str, case: Case, theirs: Verdict) -> list[Deviation]:
    known = features(case)
    return [one for one in DEVIATIONS if one.explains(oracle, known, ours(case), theirs)]


@cache
def _pyspf(case: Case) -> Verdict:
    return pyspf_oracle.check(case, World.of(case.zones))


@cache
def _perl(case: Case, perl: MailSpf) -> Verdict:
    return perl.check(case, World.of(case.zones))
