"""Plans: shown without what is hidden, applied in batches, stopped at the first failure, taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eymail import plan as plans
from eymail.errors import EymailError, StalePlan
from eymail.output import envelope
from eymail.plan import Outcome, Plan, Secret, Step

SECRET = "s3cret-hash"
ROWS = st.none() | st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.booleans())
STEPS = st.builds(Step, st.text(), st.text(), st.text(), ROWS, ROWS)


def mailbox(before: str | None, after: str | None) -> Step:
    rows = [None if one is None else {"address": "a@x.org", "password": one} for one in (before, after)]
    return Step("directory", "mailbox", "a@x.org", rows[0], rows[1], ("password",))


def other(key: str) -> Step:
    return Step("dns", "rrset", key, None, {"value": key})


class Recorder:
    """An executor and a journal that keep what they are told. ``fail`` names the key that fails."""

    def __init__(self, fail: str = "", error: BaseException | None = None) -> None:
        self.fail, self.error = fail, error or StalePlan("moved on")
        self.batches: list[tuple[str, ...]] = []
        self.begun: list[Plan] = []
        self.finished: list[tuple[int, EymailError | None]] = []

    def apply(self, steps: tuple[Step, ...], entry: int) -> None:
        if self.fail in [step.key for step in steps]:
            raise self.error
        self.batches.append(tuple(step.key for step in steps))

    def begin(self, plan: Plan) -> int:
        self.begun.append(plan)
        return 7

    def finish(self, entry: int, error: EymailError | None) -> None:
        self.finished.append((entry, error))


def applied(plan: Plan, recorder: Recorder) -> Outcome:
    return plans.apply(plan, {"directory": recorder, "dns": recorder}, recorder)


STEPS_OF_TWO_KINDS = (mailbox(None, SECRET), other("one"), other("two"), other("three"))


@settings(deadline=None)
@given(STEPS)
def test_the_inverse_of_the_inverse_is_the_step(step: Step) -> None:
    assert step.inverse().inverse() == step


@settings(deadline=None)
@given(st.lists(STEPS))
def test_undoing_an_undo_is_the_change_itself(steps: list[Step]) -> None:
    there = plans.undo("x", 1, steps)
    assert there.undoes == 1
    assert plans.undo("x", 2, there.steps).steps == tuple(steps)


@pytest.mark.parametrize(
    ("before", "after", "action"), [(None, "x", "add"), ("x", None, "remove"), ("x", "y", "change")]
)
def test_the_action_is_what_happens(before: str | None, after: str | None, action: str) -> None:
    assert mailbox(before, after).action == action


@pytest.mark.parametrize("step", [mailbox(None, SECRET), mailbox(SECRET, None), mailbox(SECRET, "n3w")])
def test_hidden_fields_are_shown_nowhere(step: Step) -> None:
    for result in (Plan("t", (step,)), Outcome("t", 1, done=(step,), failed=(step,), not_run=(step,))):
        shown = repr(result.view()) + envelope("c", result) + repr(result)
        assert SECRET not in shown
        assert "n3w" not in shown
        assert '"***"' in envelope("c", result)


def test_a_changed_hidden_field_is_said_to_be_changed() -> None:
    assert mailbox("old", "new").shown() == "password ***"


def test_secrets_are_in_the_outcome_alone() -> None:
    plan = Plan("t", (mailbox(None, "h"),), secrets=(Secret("password", "geheim"),))
    assert "geheim" not in repr(plan) + envelope("c", plan) + repr(plan.view())
    outcome = applied(plan, Recorder())
    assert "geheim" not in repr(outcome)
    assert envelope("c", outcome).count("geheim") == 1
    assert repr(outcome.view()).count("geheim") == 1


def test_neighbours_of_one_kind_are_one_act() -> None:
    recorder = Recorder()
    outcome = applied(Plan("t", STEPS_OF_TWO_KINDS), recorder)
    assert recorder.batches == [("a@x.org",), ("one", "two", "three")]
    assert recorder.finished == [(7, None)]
    assert (outcome.id, outcome.done, outcome.exit_code) == (7, STEPS_OF_TWO_KINDS, 0)


def test_an_empty_plan_is_not_even_journaled() -> None:
    recorder = Recorder()
    outcome = applied(Plan("t", ()), recorder)
    assert not recorder.begun
    assert (outcome.id, outcome.exit_code) == (None, 0)
    assert "nothing to do" in outcome.view().notes
    assert "nothing to do" in Plan("t", ()).view().notes


def test_a_failure_of_the_first_act_is_the_failure() -> None:
    recorder = Recorder(fail="a@x.org")
    with pytest.raises(StalePlan):
        applied(Plan("t", STEPS_OF_TWO_KINDS), recorder)
    assert recorder.finished == [(7, recorder.error)]


def test_a_later_failure_is_partly_applied_and_says_what_was_not_done() -> None:
    recorder = Recorder(fail="two")
    steps = (*STEPS_OF_TWO_KINDS, replace(STEPS_OF_TWO_KINDS[0], key="b@x.org"))
    outcome = applied(Plan("t", steps, secrets=(Secret("password", "geheim"),)), recorder)
    assert outcome.done == steps[:1]
    assert outcome.failed == steps[1:4]
    assert outcome.not_run == steps[4:]
    assert outcome.exit_code == 4
    assert outcome.error is not None
    assert outcome.error.code == "stale-plan"
    assert outcome.secrets, "the mailbox was made, so its password has to be shown"


def test_an_interruption_is_journaled_too() -> None:
    recorder = Recorder(fail="one", error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        applied(Plan("t", STEPS_OF_TWO_KINDS), recorder)
    assert [str(error) for _, error in recorder.finished] == ["interrupted"]


def test_a_journal_that_is_gone_does_not_hide_the_failure() -> None:
    class Gone(Recorder):
        def finish(self, entry: int, error: EymailError | None) -> None:
            raise EymailError("the journal is gone")

    with pytest.raises(StalePlan):
        applied(Plan("t", STEPS_OF_TWO_KINDS), Gone(fail="a@x.org"))


def test_detail_leaves_out_what_the_key_says() -> None:
    row = {"address": "a@x.org", "domain": "x.org", "enabled": True, "quota_mb": 1, "host": "mail1", "x": ""}
    assert Step("directory", "mailbox", "a@x.org", None, row).shown() == "quota_mb 1, host mail1"
