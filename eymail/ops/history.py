"""The changes made: who, when, what, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eymail.model import Result, View
from eymail.ops import domain as domains

if TYPE_CHECKING:
    from eymail.directory.journal import Entry
    from eymail.env import Env


@dataclass(frozen=True)
class History(Result):
    """Changes, the newest first."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()

    def view(self) -> View:
        columns = ("id", "at", "who", "change", "state", "steps", "remark")
        rows = tuple(
            (one.id, f"{one.at:%Y-%m-%d %H:%M:%SZ}", one.who, one.title, one.state, _steps(one), _remark(one))
            for one in self.entries
        )
        return View(columns, rows, "History", "state", self.notes)


def _steps(change: Entry) -> str:
    return f"{change.done} of {len(change.steps)}"


def _remark(change: Entry) -> str:
    if change.undone_by is not None:
        return f"undone by {change.undone_by}"
    if change.state == "running":
        return change.error or "under way, or ended before its end"
    return change.error or ""


def history(env: Env, limit: int) -> History:
    """The newest changes, ``limit`` at most."""
    return History(env.directory.journal.entries(limit), domains.notes(env.directory))
