"""The record of every change, kept beside what it changes so that one transaction covers both."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eymail.errors import EymailError, InDoubt, NotFound, Refused, StalePlan
from eymail.plan import Plan, Row, Step

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from eymail.directory.database import Database


@dataclass(frozen=True)
class Entry:
    """One change. ``done`` of its ``steps`` were made; ``state`` is as the journal has it.

    ``running`` is a change under way, or one whose end nobody saw, with the ``error`` that hid it
    or none when its process was killed; ``partial`` and ``failed`` have an ``error``. ``undoes``
    and ``undone_by`` are other entries' ids.
    """

    id: int
    at: datetime
    who: str
    title: str
    state: str
    done: int
    error: str | None
    undoes: int | None
    undone_by: int | None
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Change:
    """Which entry last touched a thing, and what it made of it."""

    id: int
    title: str
    who: str
    after: Row | None

    def __str__(self) -> str:
        return f"change {self.id} ({self.title}, by {self.who})"


def invoker() -> str:
    """Who is at work, as user@host; the one who called sudo, not root."""
    user = os.environ.get("SUDO_USER") or _user_of(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _user_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


class DirectoryJournal:
    """``plan.Journal`` in the directory. Raises DirectoryError, HostError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, plan: Plan) -> int:
        from sqlalchemy import insert

        from eymail.directory.schema import journal, journal_steps

        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = {"at": now, "who": invoker(), "title": plan.title, "undoes": plan.undoes}
        with self._database.writing() as connection:
            made = insert(journal).values(**row, state="running", steps=len(plan.steps), done=0)
            key = connection.execute(made).inserted_primary_key
            assert key is not None
            entry: int = key[0]
            rows = [_row(entry, position, step) for position, step in enumerate(plan.steps)]
            connection.execute(insert(journal_steps), rows)
        return entry

    def mark(self, entry: int, count: int) -> None:
        """As the function ``mark``, in a transaction of its own."""
        with self._database.writing() as connection:
            mark(connection, entry, count)

    def finish(self, entry: int, error: EymailError | None) -> None:
        from sqlalchemy import case, update

        from eymail.directory.schema import journal

        if error is None:
            return  # the mark of the last step has said so
        known = case((journal.c.done > 0, "partial"), else_="failed")
        state = "running" if isinstance(error, InDoubt) else known
        ended = update(journal).where(journal.c.id == entry, journal.c.state == "running")
        with self._database.writing() as connection:
            connection.execute(ended.values(state=state, error=error.message))

    def entries(self, limit: int) -> tuple[Entry, ...]:
        """The newest entries, the newest first."""
        from sqlalchemy import select

        from eymail.directory.schema import journal

        wanted = select(journal.c.id).order_by(journal.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return _entries(connection, connection.scalars(wanted).all())

    def entry(self, id: int) -> Entry:
        """One entry. Raises NotFound."""
        with self._database.reading() as connection:
            found = _entries(connection, [id])
        if not found:
            raise NotFound(f"the journal has no change {id}", "see eymail history")
        return found[0]

    def added_since(self, place: str, key: str, since: int) -> Change | None:
        """The last change of a thing that was not there when entry ``since`` was made; None if it was."""
        with self._database.reading() as connection:
            first = _touching(connection, place, key, since=since, newest=False)
            if first is None or first.before is not None:
                return None
            return last_change(connection, place, key, since=since, besides=0)

    def changed_since(self, place: str, key: str, since: int) -> Change | None:
        """The last change of a thing after entry ``since``; None when there was none."""
        with self._database.reading() as connection:
            return last_change(connection, place, key, since=since, besides=0)

    def unfinished_undo(self, id: int) -> int | None:
        """The newest entry that began to take ``id`` back and was ended before its end."""
        from sqlalchemy import func, select

        from eymail.directory.schema import journal

        begun = select(func.max(journal.c.id)).where(journal.c.undoes == id, journal.c.state == "running")
        with self._database.reading() as connection:
            found: int | None = connection.scalar(begun)
        return found


def _row(entry: int, position: int, step: Step) -> dict[str, Any]:
    row = {"kind": step.kind, "place": step.place, "key": step.key, "hidden": list(step.hidden)}
    before = None if step.before is None else dict(step.before)
    after = None if step.after is None else dict(step.after)
    return {"entry": entry, "position": position, **row, "before": before, "after": after}


def _entries(connection: Connection, ids: Sequence[int]) -> tuple[Entry, ...]:
    from sqlalchemy import select

    from eymail.directory.schema import journal, journal_steps

    undone = select(journal.c.undoes, journal.c.id).where(journal.c.undoes.in_(ids), journal.c.done > 0)
    undone_by: dict[int, int] = {row.undoes: row.id for row in connection.execute(undone)}
    steps: dict[int, list[Step]] = {}
    chosen = select(journal_steps).where(journal_steps.c.entry.in_(ids))
    for row in connection.execute(chosen.order_by(journal_steps.c.entry, journal_steps.c.position)):
        steps.setdefault(row.entry, []).append(_step(row))
    rows = connection.execute(select(journal).where(journal.c.id.in_(ids)).order_by(journal.c.id.desc()))
    return tuple(_entry(row, steps[row.id], undone_by.get(row.id)) for row in rows)


def _step(row: Any) -> Step:
    return Step(row.kind, row.place, row.key, row.before, row.after, tuple(row.hidden))


def _entry(row: Any, steps: Iterable[Step], undone_by: int | None) -> Entry:
    at = datetime.fromisoformat(row.at)
    told = (row.id, at, row.who, row.title, row.state, row.done, row.error, row.undoes)
    return Entry(*told, undone_by, tuple(steps))


def mark(connection: Connection, entry: int, count: int) -> None:
    """Note, in this transaction, that ``count`` more steps of an entry are done.

    Raises StalePlan when the entry was closed meanwhile, Refused when it undoes what
    another entry has undone.
    """
    from sqlalchemy import case, update
    from sqlalchemy.exc import IntegrityError

    from eymail.directory.schema import journal

    done = journal.c.done + count
    state = case((done == journal.c.steps, "done"), else_="running")
    running = update(journal).where(journal.c.id == entry, journal.c.state == "running")
    try:
        marked = connection.execute(running.values(done=done, state=state))
    except IntegrityError as error:
        raise Refused("this change was undone a moment ago", "see eymail history") from error
    if marked.rowcount != 1:
        raise StalePlan(f"change {entry} was closed by somebody else", "see eymail history")


def last_change(connection: Connection, place: str, key: str, *, since: int, besides: int) -> Change | None:
    """The newest change after entry ``since``, other than ``besides``, that touched a thing."""
    found = _touching(connection, place, key, since=since, besides=besides, newest=True)
    return None if found is None else Change(found.id, found.title, found.who, found.after)


def _touching(
    connection: Connection, place: str, key: str, *, since: int, besides: int = 0, newest: bool
) -> Any | None:
    """The newest or the oldest step done to a thing after entry ``since``, with its entry."""
    from sqlalchemy import select

    from eymail.directory.schema import journal, journal_steps

    touched = (journal_steps.c.place == place, journal_steps.c.key == key)
    made = (journal.c.done > journal_steps.c.position, journal.c.id > since, journal.c.id != besides)
    order = (journal.c.id, journal_steps.c.position)
    chosen = (
        select(journal.c.id, journal.c.title, journal.c.who, journal_steps.c.before, journal_steps.c.after)
        .join(journal_steps, journal_steps.c.entry == journal.c.id)
        .where(*touched, *made)
        .order_by(*(column.desc() if newest else column for column in order))
        .limit(1)
    )
    return connection.execute(chosen).first()
