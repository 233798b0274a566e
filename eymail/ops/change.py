"""Plans in the making, applied, and taken back: what every change has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from eymail import plan as plans
from eymail.directory import rows
from eymail.dns import rows as dns_rows
from eymail.errors import Refused, StalePlan
from eymail.hosts import files
from eymail.mail import maildirs
from eymail.plan import Executor, Outcome, Plan, Row, Secret, Step

if TYPE_CHECKING:
    from eymail.directory import Directory
    from eymail.directory.journal import Entry
    from eymail.dns.update import DnsExecutor
    from eymail.env import Env


_TITLED = 3


def titled(command: str, names: Sequence[str], more: str = "") -> str:
    """A change's title, which names a few of what it is about and counts the others."""
    others = f"and {len(names) - _TITLED} more" if len(names) > _TITLED else ""
    return " ".join(part for part in (command, *names[:_TITLED], others, more) if part)


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


def _directory(env: Env) -> Executor:
    return env.directory.executor


def _files(env: Env) -> Executor:
    from eymail.cluster.services import SERVICES

    return files.FileExecutor(env.host, SERVICES)


def _mail(env: Env) -> Executor:
    return maildirs.MailExecutor(env.host)


def name_server(env: Env) -> DnsExecutor:
    """Reads and changes the records of the cluster's zones at their primary. Raises Refused, ConfigError."""
    from eymail.dns.update import DnsExecutor

    cluster, settings = env.cluster, env.cluster.update
    if settings is None:
        told = f"how the DNS of cluster {cluster.name} is changed is not configured"
        raise Refused(told, f"name server and key_file in [clusters.{cluster.name}.update] of eymail.toml")
    return DnsExecutor(settings.server, settings.key_file, env.config.dns.timeout)


_EXECUTORS: Mapping[str, Callable[[Env], Executor]] = {
    rows.KIND: _directory,
    dns_rows.KIND: name_server,
    files.KIND: _files,
    maildirs.KIND: _mail,
}


def executors(env: Env, steps: Iterable[Step]) -> Mapping[str, Executor]:
    """An executor for every kind that the steps have, and no other. Raises Refused."""
    kinds = {step.kind for step in steps}
    unknown = sorted(kinds - _EXECUTORS.keys())
    if unknown:
        raise Refused(f"this eymail cannot make changes of the kind {unknown[0]!r}", "a newer one made it")
    return {kind: _EXECUTORS[kind](env) for kind in kinds}


def apply(env: Env, plan: Plan) -> Outcome:
    """Apply a plan and journal it. Raises StalePlan and others when nothing was changed."""
    return plans.apply(plan, executors(env, plan.steps), env.directory.journal)


def undo(env: Env, id: int) -> Plan:
    """The plan that takes a change back.

    Of a change whose end nobody saw, one act may have been made and not marked: the world is
    asked, and what stands of it is taken back with the rest. Raises NotFound, Refused when it was
    undone already or did nothing, StalePlan when the world moved on, which names the change by
    which it did, and what executors raise that cannot ask.
    """
    entry = env.directory.journal.entry(id)
    if entry.undone_by is not None:
        hint = f"to make it once more: eymail undo {entry.undone_by}"
        raise Refused(f"change {id} was undone already, by change {entry.undone_by}", hint)
    able = executors(env, entry.steps)
    doubtful = plans.in_doubt(entry.steps, entry.done, able) if entry.state == "running" else ()
    made = (*entry.steps[: entry.done], *plans.standing(doubtful, able))
    if not made:
        raise Refused(f"nothing of change {id} was done", "there is nothing to take back")
    plan = plans.undo(entry.title, id, made)
    _prove_outside(env.directory, plan, able, id)
    _prove(env.directory, plan, id)
    return replace(plan, dangers=_dangers(entry, doubtful))


def _dangers(entry: Entry, doubtful: tuple[Step, ...]) -> tuple[str, ...]:
    """A process that is still at work would go on making what is being taken back."""
    if not doubtful or entry.error:
        return ()
    return (f"change {entry.id} is under way, or was ended before its end; nothing may still be making it",)


def _prove_outside(directory: Directory, plan: Plan, able: Mapping[str, Executor], since: int) -> None:
    """What lies elsewhere than in the directory is as the change left it. Raises StalePlan."""
    for kind, executor in able.items():
        if executor.beside_journal:
            continue
        first = {(step.place, step.key): step for step in reversed(plan.steps) if step.kind == kind}
        steps = tuple(step for step in plan.steps if step in first.values())
        if not steps:
            continue
        try:
            executor.prove(steps)
        except StalePlan as error:
            raise _blamed(directory, error, steps, executor, since) from None


def _blamed(
    directory: Directory, error: StalePlan, steps: tuple[Step, ...], executor: Executor, since: int
) -> StalePlan:
    """The error, naming the newest change that is to be taken back first, where eymail made one."""
    stale = [step for step in steps if not plans.stands(step.inverse(), executor)]
    changes = [directory.journal.changed_since(step.place, step.key, since) for step in stale]
    found = [(change.id, step, change) for step, change in zip(stale, changes, strict=True) if change]
    for _, step, change in found:
        if not plans.stands(replace(step, before=None, after=change.after), executor):
            told = f"{step.place} {step.key} is as no change left it: something else than eymail touched it"
            return StalePlan(told, "nothing was changed; put it back as it was, or go on from there by hand")
    if found:
        _, step, change = max(found, key=lambda one: one[0])
        hint = f"nothing was changed; take that back first: eymail undo {change.id}"
        return StalePlan(f"{step.place} {step.key} is no longer as it was, since {change}", hint)
    begun = directory.journal.unfinished_undo(since)
    if begun is not None:
        hint = f"eymail undo {begun} makes it whole again, or mend it by hand"
        return StalePlan(f"{error.message}: change {begun} began to take it back", hint)
    return error


def _prove(directory: Directory, plan: Plan, since: int) -> None:
    steps = tuple(step for step in plan.steps if step.kind == rows.KIND)
    directory.executor.prove(steps, since)
    gone = {str((step.before or {}).get("address")) for step in steps if step.after is None}
    taken = {step.key for step in steps}
    for alias in directory.those("alias", "target", sorted(gone)):
        key = rows.key_of("alias", alias)
        added = None if key in taken else directory.journal.added_since("alias", key, since)
        if added is not None:
            hint = f"remove it first: eymail alias remove {alias['address']} {alias['target']}"
            raise StalePlan(f"alias {key} was added since, by {added}", hint)
