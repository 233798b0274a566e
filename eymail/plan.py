"""Every change is a plan: steps as data, applied in order, journaled, reversible.

A step says what kind of thing it changes, which one, and how it looks before and
after. Executors, one per kind, are the only code that changes anything; each
proves in the same act that the world is still ``before``. Nothing here knows
what a step means: that is its executor's business.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Protocol

from eymail.errors import EymailError, InDoubt, StalePlan
from eymail.model import Cell, Failure, Result, View

Row = Mapping[str, Cell]


@dataclass(frozen=True)
class Step:
    """One thing's way from ``before`` to ``after``; None means it does not exist.

    ``kind`` names the executor, ``place`` where in its world, ``key`` which thing there:
    ``directory``, ``mailbox``, ``catchall@example.com``; ``dns``, a zone, an RRset's name and
    type; ``file``, a host, a path. ``hidden`` names fields that are never shown, such as
    password hashes.
    """

    kind: str
    place: str
    key: str
    before: Row | None = field(repr=False)
    after: Row | None = field(repr=False)
    hidden: tuple[str, ...] = ()

    @property
    def action(self) -> str:
        """``add``, ``remove`` or ``change``."""
        if self.before is None:
            return "add"
        return "remove" if self.after is None else "change"

    def inverse(self) -> Step:
        """The step that takes this one back."""
        return replace(self, before=self.after, after=self.before)

    def shown(self) -> str:
        """The difference in words: no hidden fields, nothing that the key says already, no long texts."""
        if self.before is None or self.after is None:
            return ", ".join(self._fields(self.after or self.before or {}))
        return ", ".join(self._changes(self.before, self.after))

    def _fields(self, row: Row) -> Iterator[str]:
        for name, value in row.items():
            told = isinstance(value, bool) or (isinstance(value, str) and value in self.key)
            if value is not None and not told and name not in self.hidden:
                lines = _lines(value)
                yield f"{name}: {len(lines)} lines" if len(lines) > 1 else f"{name} {''.join(lines)}"

    def _changes(self, before: Row, after: Row) -> Iterator[str]:
        for name, value in after.items():
            old, new = _lines(before.get(name)), _lines(value)
            if before.get(name) == value:
                continue
            if name in self.hidden:
                yield f"{name} {_HIDDEN}"
            elif len(old) > 1 or len(new) > 1:
                yield f"{name}: {_counted(old, new)}"
            else:
                yield f"{name} {before.get(name)} to {value}".replace("\n", "")

    def diff(self) -> tuple[str, ...]:
        """What changes inside texts of several lines, as a unified diff, without line ends."""
        found: list[str] = []
        for name, value in (self.after or {}).items():
            old, new = _lines((self.before or {}).get(name)), _lines(value)
            if self.before is not None and name not in self.hidden and max(len(old), len(new)) > 1:
                told = f"{self.place} {self.key}"
                found += difflib.unified_diff(old, new, f"{told}, before", f"{told}, after", n=2, lineterm="")
        return tuple(found)

    def public(self) -> Mapping[str, object]:
        """The step for a reader of JSON, without the values of hidden fields."""
        rows = {"before": self._masked(self.before), "after": self._masked(self.after)}
        return {"kind": self.kind, "place": self.place, "key": self.key, "action": self.action, **rows}

    def _masked(self, row: Row | None) -> Row | None:
        if row is None:
            return None
        return {name: _HIDDEN if name in self.hidden else value for name, value in row.items()}


@dataclass(frozen=True)
class Secret:
    """Something made during planning that is shown once, after the change, and kept nowhere."""

    label: str
    value: str = field(repr=False)


@dataclass(frozen=True)
class Plan(Result):
    """Steps in the order in which they are applied.

    ``title`` says the change in words. ``notes`` are what the administrator should
    know beside it. ``dangers`` are reasons to ask before it is applied; a plan
    with none is applied at once. ``undoes`` is the journal entry that it takes back.
    ``final`` is whether its last act has no way back, so that it cannot be undone.
    """

    title: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    dangers: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = field(default=(), repr=False, metadata={"json": False})
    undoes: int | None = None
    final: bool = False

    def view(self) -> View:
        rows = tuple(_row("planned", step) for step in self.steps)
        careful = (f"careful: {danger}" for danger in self.dangers)
        diffs = (line for step in self.steps for line in _cut(step.diff()))
        return View(_COLUMNS, rows, self.title, notes=(*careful, *self.notes, *_nothing(rows), *diffs))


@dataclass(frozen=True)
class Outcome(Result):
    """What became of a plan. ``id`` is its journal entry, None when nothing was to do.

    ``failed`` were not done; when the ``error`` is InDoubt, nobody knows whether they were.
    """

    title: str
    id: int | None
    done: tuple[Step, ...] = ()
    failed: tuple[Step, ...] = ()
    not_run: tuple[Step, ...] = ()
    error: Failure | None = None
    notes: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    final: bool = False

    @property
    def failures(self) -> tuple[Failure, ...]:
        return (self.error,) if self.error else ()

    @property
    def exit_code(self) -> int:
        return 4 if self.error else 0

    def view(self) -> View:
        rows = (
            *(_row("done", step) for step in self.done),
            *(_row(self._failure_status, step) for step in self.failed),
            *(_row("not run", step) for step in self.not_run),
            *(("shown once", "", secret.label, secret.value) for secret in self.secrets),
        )
        return View(_COLUMNS, rows, self.title, _COLUMNS[0], (*self.notes, *_nothing(rows), *self._undo()))

    def _undo(self) -> tuple[str, ...]:
        if self.id is None:
            return ()
        return ("this cannot be undone",) if self.final else (f"undo with: eymail undo {self.id}",)

    @property
    def _failure_status(self) -> str:
        return "not known" if self.error and self.error.code == InDoubt.code else "failed"


_HIDDEN = "***"
_COLUMNS = ("status", "action", "what", "detail")
_DIFF_SHOWN = 60


def _lines(cell: Cell) -> list[str]:
    return cell.splitlines() if isinstance(cell, str) else [] if cell is None else [str(cell)]


def _counted(old: Sequence[str], new: Sequence[str]) -> str:
    """How many lines come and go."""
    changes = [code for code in difflib.SequenceMatcher(None, old, new).get_opcodes() if code[0] != "equal"]
    added, removed = sum(code[4] - code[3] for code in changes), sum(code[2] - code[1] for code in changes)
    return f"{added} {'line' if added == 1 else 'lines'} added, {removed} removed"


def _cut(diff: Sequence[str]) -> Iterator[str]:
    yield from (line.expandtabs(4) for line in diff[:_DIFF_SHOWN])
    if len(diff) > _DIFF_SHOWN:
        yield f"... {len(diff) - _DIFF_SHOWN} more lines of this difference; --json has both texts whole"


def _nothing(rows: Sequence[object]) -> tuple[str, ...]:
    return () if rows else ("nothing to do",)


def _row(status: str, step: Step) -> tuple[Cell, ...]:
    return status, step.action, f"{step.place} {step.key}", step.shown()


class Executor(Protocol):
    """Applies steps of one kind."""

    @property
    def beside_journal(self) -> bool:
        """Whether what it changes lies in the journal's own database.

        If so, neighbouring steps of the kind are one act, wherever they are, which marks the
        journal itself. If not, the steps at one place are an act, and it is marked when it is done.
        """

    def apply(self, steps: tuple[Step, ...], entry: int) -> None:
        """All of the steps or none in one act; ``entry`` is the journal entry that it belongs to.

        Raises StalePlan when a ``before`` is no longer true, InDoubt when nobody can tell whether
        the steps were made, another EymailError when they could not be; nothing was changed then.
        """

    def prove(self, steps: tuple[Step, ...]) -> None:
        """Change nothing. Raises StalePlan when a ``before`` is not true now, as ``apply`` would."""


class Journal(Protocol):
    """Keeps what every plan was and how far it came."""

    def begin(self, plan: Plan) -> int:
        """Write the plan down before anything is done; its id. State ``running``."""

    def mark(self, entry: int, count: int) -> None:
        """Note that ``count`` more steps of an entry are done."""

    def finish(self, entry: int, error: EymailError | None) -> None:
        """Say that the plan came to its end, or why it did not.

        After InDoubt the entry goes on saying ``running``: one act of it is in doubt.
        """


class _Unmarked(InDoubt):
    """An act was done and the journal does not know of it."""


def apply(plan: Plan, executors: Mapping[str, Executor], journal: Journal) -> Outcome:
    """Apply a plan act by act, stopping at the first failure.

    Raises the failure itself when nothing was changed (StalePlan, exit code 5, among them); a
    failure after a part was done, or one that leaves doubt, becomes the Outcome's error.

    A process that is killed, or interrupted in an act that the journal does not share a transaction
    with, leaves an entry that says ``running``: its next act may have been done. What became of it
    only the world knows (``in_doubt``, ``standing``).
    """
    if not plan.steps:
        return Outcome(plan.title, None, notes=plan.notes)
    entry = journal.begin(plan)
    done: tuple[Step, ...] = ()
    for act in _acts(plan.steps, executors):
        try:
            _perform(act, executors[act[0].kind], journal, entry)
        except EymailError as error:
            _finish(journal, entry, error)
            if not done and not isinstance(error, InDoubt):
                raise
            return _stopped(plan, entry, done, act, error)
        done += act
    journal.finish(entry, None)
    return Outcome(plan.title, entry, done, notes=plan.notes, secrets=plan.secrets, final=plan.final)


def _perform(act: tuple[Step, ...], executor: Executor, journal: Journal, entry: int) -> None:
    try:
        executor.apply(act, entry)
        if not executor.beside_journal:
            _mark(journal, entry, len(act))
    except KeyboardInterrupt:
        error = EymailError("interrupted") if executor.beside_journal else InDoubt("interrupted")
        _finish(journal, entry, error)
        raise


def _mark(journal: Journal, entry: int, count: int) -> None:
    try:
        journal.mark(entry, count)
    except EymailError as error:
        message = f"the journal could not be told of the last change made: {error.message}"
        raise _Unmarked(message, f"to take it back: eymail undo {entry}") from error


def _stopped(
    plan: Plan, entry: int, done: tuple[Step, ...], act: tuple[Step, ...], error: EymailError
) -> Outcome:
    rest = plan.steps[len(done) + len(act) :]
    if isinstance(error, _Unmarked):
        done, act = done + act, ()
    final = plan.final and isinstance(error, InDoubt)
    return Outcome(plan.title, entry, done, act, rest, Failure.of(error), plan.notes, plan.secrets, final)


def _finish(journal: Journal, entry: int, error: EymailError) -> None:
    """Where the journal cannot be written either, the entry goes on saying ``running``."""
    with suppress(EymailError):
        journal.finish(entry, error)


def _acts(steps: Iterable[Step], executors: Mapping[str, Executor]) -> Iterator[tuple[Step, ...]]:
    def one_act(step: Step) -> tuple[str, str]:
        return step.kind, "" if executors[step.kind].beside_journal else step.place

    for _, run in groupby(steps, key=one_act):
        yield tuple(run)


def in_doubt(steps: Sequence[Step], done: int, executors: Mapping[str, Executor]) -> tuple[Step, ...]:
    """The act of which the journal cannot know whether it was made, where an entry says ``running``.

    It is the one after the ``done`` steps; none when it would have marked the journal itself.
    """
    act = next(_acts(steps[done:], executors), ())
    return act if act and not executors[act[0].kind].beside_journal else ()


def standing(steps: Iterable[Step], executors: Mapping[str, Executor]) -> tuple[Step, ...]:
    """Those of the steps whose ``after`` is how the world is now. Raises what ``prove`` raises."""
    return tuple(step for step in steps if stands(step, executors[step.kind]))


def stands(step: Step, executor: Executor) -> bool:
    """Whether a step's ``after`` is how the world is now."""
    try:
        executor.prove((step.inverse(),))
    except StalePlan:
        return False
    return True


def undo(title: str, entry: int, steps: Iterable[Step]) -> Plan:
    """The plan that takes the done steps of a journal entry back, last one first."""
    inverse = tuple(step.inverse() for step in reversed(tuple(steps)))
    return Plan(f"undo {entry}: {title}", inverse, undoes=entry)
