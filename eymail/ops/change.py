"""Plans in the making, applied, and taken back: what every change has in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eymail import plan as plans
from eymail.directory import rows
from eymail.errors import Refused, StalePlan
from eymail.plan import Outcome, Plan, Row, Secret, Step

if TYPE_CHECKING:
    from eymail.directory import Directory
    from eymail.env import Env


@dataclass
class Draft:
    """A plan for the directory, step by step, with what is to be said beside it."""

    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dangers: list[str] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list)

    def add(self, place: str, row: Row) -> None:
        self.steps.append(rows.step(place, None, row))

    def adds(self, place: str, key: str) -> bool:
        """Whether a row of this key is added already."""
        return any(step.place == place and step.key == key and step.before is None for step in self.steps)

    def change(self, place: str, before: Row, after: Row) -> None:
        self.steps.append(rows.step(place, before, after))

    def remove(self, place: str, row: Row) -> None:
        """Remove a row, once, however many things it leads from or to."""
        step = rows.step(place, row, None)
        if step not in self.steps:
            self.steps.append(step)

    def plan(self, title: str) -> Plan:
        notes, dangers = tuple(self.notes), tuple(self.dangers)
        return Plan(title, tuple(self.steps), notes, dangers, tuple(self.secrets))


def apply(env: Env, plan: Plan) -> Outcome:
    """Apply a plan and journal it. Raises StalePlan and others when nothing was changed."""
    directory = env.directory
    return plans.apply(plan, {rows.KIND: directory.executor}, directory.journal)


def undo(env: Env, id: int) -> Plan:
    """The plan that takes a change back.

    Raises NotFound, Refused when it was undone already or did nothing, StalePlan when
    the world moved on, which names the change by which it did.
    """
    entry = env.directory.journal.entry(id)
    if entry.undone_by is not None:
        hint = f"to make it once more: eymail undo {entry.undone_by}"
        raise Refused(f"change {id} was undone already, by change {entry.undone_by}", hint)
    if not entry.done:
        raise Refused(f"nothing of change {id} was done", "there is nothing to take back")
    plan = plans.undo(entry.title, id, entry.steps[: entry.done])
    _prove(env.directory, plan, id)
    return plan


def _prove(directory: Directory, plan: Plan, since: int) -> None:
    steps = tuple(step for step in plan.steps if step.kind == rows.KIND)
    directory.executor.prove(steps, since)
    gone = {str((step.before or {}).get("address")) for step in steps if step.after is None}
    taken = {step.key for step in steps}
    for alias in directory.find("alias", target=tuple(sorted(gone))):
        key = rows.key_of("alias", alias)
        added = None if key in taken else directory.journal.added_since("alias", key, since)
        if added is not None:
            hint = f"remove it first: eymail alias remove {alias['address']} {alias['target']}"
            raise StalePlan(f"alias {key} was added since, by {added}", hint)
