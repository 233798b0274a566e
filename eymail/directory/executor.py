"""Turns steps into SQL, each proving in its own statement that the row is still as planned."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Executable, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from eymail.directory.journal import Change, last_change, mark
from eymail.directory.rows import key_of
from eymail.directory.schema import PLACES
from eymail.errors import StalePlan
from eymail.plan import Row, Step

if TYPE_CHECKING:
    from eymail.directory.database import Database

# The column by which other rows lean on a place's row, and what it holds of that row.
_LEANING = {
    "domain": ("domain", "name"),
    "mailbox": ("mailbox", "address"),
    "source_address": ("source_address", "address"),
}


class DirectoryExecutor:
    """``plan.Executor`` for steps of kind ``directory``: all of them in one transaction."""

    beside_journal = True

    def __init__(self, database: Database) -> None:
        self._database = database

    def apply(self, steps: tuple[Step, ...], entry: int) -> None:
        with self._database.writing() as connection:
            mark(connection, entry, len(steps))
            _Steps(connection, since=0, besides=entry).perform(steps)

    def prove(self, steps: tuple[Step, ...], since: int = 0) -> None:
        """Do the steps and take them back. Raises StalePlan as ``apply`` would.

        The cause is looked for among the journal's entries after ``since``.
        """
        with self._database.trying() as connection:
            _Steps(connection, since=since, besides=0).perform(steps)


_TAKEN = "another change took what it wants meanwhile"


class _Obstacle(NamedTuple):
    """Why a step cannot be done, and the thing whose change is to blame."""

    why: str
    place: str
    key: str


class _Steps:
    """Steps in one transaction. ``since`` and ``besides`` bound the entries that may be blamed."""

    def __init__(self, connection: Connection, *, since: int, besides: int) -> None:
        self._connection, self._since, self._besides = connection, since, besides

    def perform(self, steps: tuple[Step, ...]) -> None:
        """Neighbours that differ in their values alone go as one statement. Raises StalePlan."""
        for _, run in groupby(steps, key=_shape):
            alike = tuple(run)
            if len(alike) == 1 or not self._together(alike):
                self._one_by_one(alike)

    def _together(self, steps: tuple[Step, ...]) -> bool:
        """Whether all were done. If not, none was, and which one cannot be is not known."""
        statement = _statement(PLACES[steps[0].place], steps[0])
        attempt = self._connection.begin_nested()
        try:
            changed = self._connection.execute(statement, [_values(step) for step in steps]).rowcount
        except IntegrityError:
            attempt.rollback()
            return False
        if steps[0].before is not None and changed != len(steps):
            attempt.rollback()
            return False
        attempt.commit()
        return True

    def _one_by_one(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            table = PLACES[step.place]
            try:
                done = self._change(table, step)
            except IntegrityError as error:
                raise self._stale(step, self._obstacle(table, step, str(error.orig))) from error
            if not done:
                raise self._stale(step, _Obstacle("", step.place, step.key))

    def _change(self, table: Table, step: Step) -> bool:
        if step.before is None:
            return self._connection.execute(insert(table).values(**step.after or {})).rowcount == 1
        exactly = _equal(table, step.before)
        if step.after is None:
            return self._connection.execute(delete(table).where(*exactly)).rowcount == 1
        return self._connection.execute(update(table).where(*exactly).values(**step.after)).rowcount == 1

    def _stale(self, step: Step, obstacle: _Obstacle) -> StalePlan:
        told = f"{step.place} {step.key} is no longer as it was"
        _, place, key = obstacle
        change = last_change(self._connection, place, key, since=self._since, besides=self._besides)
        if change and not obstacle.why and change.after == step.before:
            change = None  # the journal knows the planned row: something else than eymail touched it
        why = f": {obstacle.why}" if obstacle.why else ""
        since = f", since {change}" if change else ""
        return StalePlan(told + why + since, self._hint(change))

    def _hint(self, change: Change | None) -> str:
        if change and self._since:  # only an undo looks no further back than some entry
            return f"nothing was changed; take that back first: eymail undo {change.id}"
        return "nothing was changed; plan again"

    def _obstacle(self, table: Table, step: Step, said: str) -> _Obstacle:
        if step.after is None:
            found = self._leaning_on(step)
        else:
            found = self._already_there(table, step, step.after) or self._missing(step.after)
        collides = "UNIQUE constraint" in said
        return found or _Obstacle(_TAKEN if collides else said, step.place, step.key)

    def _leaning_on(self, step: Step) -> _Obstacle | None:
        column, field = _LEANING.get(step.place, ("", ""))
        for place, table in PLACES.items():
            if step.before is not None and column in table.c:
                found = self._first(table, {column: step.before[field]})
                if found is not None:
                    key = key_of(place, found)
                    return _Obstacle(f"{place} {key} needs it", place, key)
        return None

    def _already_there(self, table: Table, step: Step, row: Row) -> _Obstacle | None:
        key = {column.name: row[column.name] for column in table.primary_key}
        there = self._first(table, key) is not None
        return _Obstacle("it is there already", step.place, step.key) if there else None

    def _missing(self, row: Row) -> _Obstacle | None:
        for place, (column, field) in _LEANING.items():
            if column in row and self._first(PLACES[place], {field: row[column]}) is None:
                return _Obstacle(f"{place} {row[column]} is gone", place, str(row[column]))
        return None

    def _first(self, table: Table, row: Row) -> Row | None:
        found = self._connection.execute(select(table).where(*_equal(table, row))).first()
        return None if found is None else dict(found._mapping)


def _shape(step: Step) -> tuple[object, ...]:
    """What steps have in common that one statement can do."""
    return step.place, *(None if row is None else tuple(row) for row in (step.before, step.after))


def _statement(table: Table, step: Step) -> Executable:
    """The step's statement with a place for each of the values that ``_values`` gives."""
    after: dict[str, Any] = {name: bindparam(f"new_{name}") for name in step.after or {}}
    if step.before is None:
        return insert(table).values(after)
    exactly = (table.c[name].is_not_distinct_from(bindparam(f"old_{name}")) for name in step.before)
    return (
        delete(table).where(*exactly) if step.after is None else update(table).where(*exactly).values(after)
    )


def _values(step: Step) -> dict[str, Any]:
    old = {f"old_{name}": value for name, value in (step.before or {}).items()}
    return old | {f"new_{name}": value for name, value in (step.after or {}).items()}


def _equal(table: Table, row: Row) -> tuple[ColumnElement[bool], ...]:
    return tuple(table.c[name].is_not_distinct_from(value) for name, value in row.items())
