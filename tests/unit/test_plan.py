"""Plans: shown without what is hidden, applied act by act, stopped at the first failure, taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eymail import plan as plans
from eymail.errors import DirectoryError, EymailError, InDoubt, StalePlan
from eymail.output import envelope
from eymail.plan import Outcome, Plan, Secret, Step

SECRET = "s3cret-hash"
ROWS = st.none() | st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.booleans())
STEPS = st.builds(Step, st.text(), st.text(), st.text(), ROWS, ROWS)


def mailbox(before: str | None, after: str | None) -> Step:
    rows = [None if one is None else {"address": "a@x.org", "password": one} for one in (before, after)]
    return Step("directory", "mailbox", "a@x.org", rows[0], rows[1], ("password",))


def other(key: str, place: str = "zone") -> Step:
    return Step("dns", place, key, None, {"value": key})


class Recorder:
    """An executor and a journal that keep what they are told. ``fail`` names the key that fails."""

    beside_journal = True

    def __init__(self, fail: str = "", error: BaseException | None = None) -> None:
        self.fail, self.error = fail, error or StalePlan("moved on")
        self.batches: list[tuple[str, ...]] = []
        self.begun: list[Plan] = []
        self.finished: list[tuple[int, EymailError | None]] = []
        self.marked: list[int] = []
        self.world: list[Step] = []

    def apply(self, steps: tuple[Step, ...], entry: int) -> None:
        if self.fail in [step.key for step in steps]:
            raise self.error
        self.batches.append(tuple(step.key for step in steps))

    def prove(self, steps: tuple[Step, ...]) -> None:
        if any(step.inverse() not in self.world for step in steps):
            raise StalePlan("moved on")

    def mark(self, entry: int, count: int) -> None:
        self.marked.append(count)

    def begin(self, plan: Plan) -> int:
        self.begun.append(plan)
        return 7

    def finish(self, entry: int, error: EymailError | None) -> None:
        self.finished.append((entry, error))


class Elsewhere:
    """The recorder as an executor of things that do not lie beside the journal."""

    beside_journal = False

    def __init__(self, recorder: Recorder) -> None:
        self.apply, self.prove = recorder.apply, recorder.prove


def applied(plan: Plan, recorder: Recorder) -> Outcome:
    return plans.apply(plan, {"directory": recorder, "dns": Elsewhere(recorder)}, recorder)


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
    assert recorder.marked == [3], "the first act marked itself"
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


def test_elsewhere_an_act_is_in_one_place_and_marked_when_it_is_done() -> None:
    recorder = Recorder()
    steps = (other("a", "x"), other("b", "x"), other("c", "y"), mailbox(None, "h"), other("d", "y"))
    applied(Plan("t", steps), recorder)
    assert recorder.batches == [("a", "b"), ("c",), ("a@x.org",), ("d",)]
    assert recorder.marked == [2, 1, 1]


def test_doubt_is_no_failure_and_the_entry_stays_open() -> None:
    recorder = Recorder(fail="one", error=InDoubt("the answer was lost"))
    outcome = applied(Plan("t", (other("one"), other("two"), mailbox(None, "h"))), recorder)
    assert (outcome.id, outcome.exit_code, outcome.done) == (7, 4, ())
    assert outcome.not_run == (mailbox(None, "h"),)
    assert [row[0] for row in outcome.view().rows] == ["not known", "not known", "not run"]
    assert recorder.finished == [(7, recorder.error)]


def test_an_interruption_elsewhere_leaves_doubt() -> None:
    recorder = Recorder(fail="one", error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        applied(Plan("t", (other("one"),)), recorder)
    assert [type(error) for _, error in recorder.finished] == [InDoubt]


def test_what_was_done_and_not_marked_is_told_as_done() -> None:
    class Gone(Recorder):
        def mark(self, entry: int, count: int) -> None:
            raise DirectoryError("the host is gone")

    recorder = Gone()
    outcome = applied(Plan("t", (other("one"), other("two", "y"))), recorder)
    assert (outcome.done, outcome.failed, outcome.not_run) == ((other("one"),), (), (other("two", "y"),))
    assert outcome.exit_code == 4
    assert outcome.error is not None
    assert outcome.error.message.endswith("the host is gone")
    assert [type(error).mro()[1] for _, error in recorder.finished] == [InDoubt]


def test_the_act_in_doubt_is_the_one_after_the_mark() -> None:
    recorder = Recorder()
    executors: dict[str, plans.Executor] = {"directory": recorder, "dns": Elsewhere(recorder)}
    steps = (mailbox(None, "h"), other("a", "x"), other("b", "x"), other("c", "y"), mailbox("h", None))
    found = [plans.in_doubt(steps, done, executors) for done in (0, 1, 3, 4, 5)]
    assert found == [(), steps[1:3], steps[3:4], (), ()]
    recorder.world = [steps[2]]
    assert plans.standing(steps[1:3], executors) == steps[2:3]


TEXT = "one\ntwo\nthree\n"


def test_long_texts_are_counted_and_shown_as_a_difference() -> None:
    rows = [{"content": text, "mode": "0644"} for text in (TEXT, TEXT.replace("two", "2") + "four\n")]
    step = Step("file", "relay1", "/etc/x", *rows)
    assert step.shown() == "content: 2 lines added, 1 removed"
    assert Step("file", "relay1", "/etc/x", None, rows[0]).shown() == "content: 3 lines, mode 0644"
    notes = Plan("t", (step,)).view().notes
    assert notes[:2] == ("--- relay1 /etc/x, before", "+++ relay1 /etc/x, after")
    assert notes[3:] == (" one", "-two", "+2", " three", "+four")
    assert "one\\ntwo" in envelope("c", Plan("t", (step,)))
    assert Plan("t", (replace(step, hidden=("content",)),)).view().notes == ()
    assert Plan("t", (Step("file", "relay1", "/etc/x", None, rows[0]),)).view().notes == ()


def test_a_line_end_is_no_second_line() -> None:
    step = Step(
        "dns", "x.org", "x.org TXT", {"ttl": 300, "records": '"a"\n'}, {"ttl": 60, "records": '"b"\n'}
    )
    assert step.shown() == 'ttl 300 to 60, records "a" to "b"'


def test_an_endless_difference_is_cut() -> None:
    rows = [{"content": "\n".join(f"{letter}{at}" for at in range(1000))} for letter in "ab"]
    notes = Plan("t", (Step("file", "relay1", "/etc/x", *rows),)).view().notes
    assert len(notes) == 61
    assert notes[-1].startswith("... 1943 more lines")
