"""Every change is a plan: steps as data, applied in order, journaled, reversible.

A step says what kind of thing it changes, which one, and how it looks before and
after. Executors, one per kind, are the only code that changes anything; each
proves in the same act that the world is still ``before``. Nothing here knows
what a step means: that is its executor's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Protocol

from eymail.errors import EymailError
from eymail.model import Cell, Failure, Result, View

Row = Mapping[str, Cell]


@dataclass(frozen=True)
class Step:
    """One thing's way from ``before`` to ``after``; None means it does not exist.

    ``kind`` names the executor (``directory``), ``place`` where in its world
    (``mailbox``), ``key`` which thing there (``catchall@example.com``).
    ``hidden`` names fields that are never shown, such as password hashes.
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
        """The difference in words: no hidden fields, nothing that the key says already."""
        if self.before is None or self.after is None:
            return ", ".join(self._fields(self.after or self.before or {}))
        return ", ".join(
            f"{name} {_HIDDEN if name in self.hidden else f'{self.before.get(name)} to {value}'}"
            for name, value in self.after.items()
            if self.before.get(name) != value
        )

    def _fields(self, row: Row) -> Iterator[str]:
        for name, value in row.items():
            told = isinstance(value, bool) or (isinstance(value, str) and value in self.key)
            if value is not None and not told and name not in self.hidden:
                yield f"{name} {value}"

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
    """

    title: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    dangers: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = field(default=(), repr=False, metadata={"json": False})
    undoes: int | None = None

    def view(self) -> View:
        rows = tuple(_row("planned", step) for step in self.steps)
        careful = (f"careful: {danger}" for danger in self.dangers)
        return View(_COLUMNS, rows, self.title, notes=(*careful, *self.notes, *_nothing(rows)))


@dataclass(frozen=True)
class Outcome(Result):
    """What became of a plan. ``id`` is its journal entry, None when nothing was to do."""

    title: str
    id: int | None
    done: tuple[Step, ...] = ()
    failed: tuple[Step, ...] = ()
    not_run: tuple[Step, ...] = ()
    error: Failure | None = None
    notes: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = field(default=(), repr=False)

    @property
    def failures(self) -> tuple[Failure, ...]:
        return (self.error,) if self.error else ()

    @property
    def exit_code(self) -> int:
        return 4 if self.error else 0

    def view(self) -> View:
        rows = (
            *(_row("done", step) for step in self.done),
            *(_row("failed", step) for step in self.failed),
            *(_row("not run", step) for step in self.not_run),
            *(("shown once", "", secret.label, secret.value) for secret in self.secrets),
        )
        undo = (f"undo with: eymail undo {self.id}",) if self.id is not None else ()
        return View(_COLUMNS, rows, self.title, _COLUMNS[0], (*self.notes, *_nothing(rows), *undo))


_HIDDEN = "***"
_COLUMNS = ("status", "action", "what", "detail")


def _nothing(rows: Sequence[object]) -> tuple[str, ...]:
    return () if rows else ("nothing to do",)


def _row(status: str, step: Step) -> tuple[Cell, ...]:
    return status, step.action, f"{step.place} {step.key}", step.shown()


class Executor(Protocol):
    """Applies steps of one kind."""

    def apply(self, steps: tuple[Step, ...], entry: int) -> None:
        """All of the steps or none, and their mark in journal entry ``entry``, in one act.

        Raises StalePlan when a ``before`` is no longer true, another EymailError
        when the steps could not be applied; nothing was changed then.
        """


class Journal(Protocol):
    """Keeps what every plan was and how far it came."""

    def begin(self, plan: Plan) -> int:
        """Write the plan down before anything is done; its id. State ``running``."""

    def finish(self, entry: int, error: EymailError | None) -> None:
        """Say that the plan came to its end, or why it did not."""


def apply(plan: Plan, executors: Mapping[str, Executor], journal: Journal) -> Outcome:
    """Apply a plan: neighbouring steps of one kind in one act, stopping at the first failure.

    Raises the failure itself when nothing was changed (StalePlan, exit code 5,
    among them); a failure after a part was done becomes the Outcome's error.
    """
    if not plan.steps:
        return Outcome(plan.title, None, notes=plan.notes)
    entry = journal.begin(plan)
    done: tuple[Step, ...] = ()
    for batch in _batches(plan.steps):
        try:
            executors[batch[0].kind].apply(batch, entry)
        except KeyboardInterrupt:
            _finish(journal, entry, EymailError("interrupted"))
            raise
        except EymailError as error:
            _finish(journal, entry, error)
            if not done:
                raise
            rest = plan.steps[len(done) + len(batch) :]
            told = Failure.of(error)
            return Outcome(plan.title, entry, done, batch, rest, told, plan.notes, plan.secrets)
        done += batch
    journal.finish(entry, None)
    return Outcome(plan.title, entry, done, notes=plan.notes, secrets=plan.secrets)


def _finish(journal: Journal, entry: int, error: EymailError) -> None:
    """Where the journal cannot be written either, the entry goes on saying ``running``."""
    with suppress(EymailError):
        journal.finish(entry, error)


def _batches(steps: Iterable[Step]) -> Iterator[tuple[Step, ...]]:
    for _, run in groupby(steps, key=lambda step: step.kind):
        yield tuple(run)


def undo(title: str, entry: int, steps: Iterable[Step]) -> Plan:
    """The plan that takes the done steps of a journal entry back, last one first."""
    inverse = tuple(step.inverse() for step in reversed(tuple(steps)))
    return Plan(f"undo {entry}: {title}", inverse, undoes=entry)
