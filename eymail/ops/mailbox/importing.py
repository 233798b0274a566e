"""Mailboxes, aliases and catchalls from a file: every line checked first, then one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import IO, TYPE_CHECKING

from eymail.config import Role
from eymail.directory import passwords, rows
from eymail.errors import BadLines, InvalidInput, NotFound
from eymail.model import Address, Result, View, quoted
from eymail.ops import change
from eymail.ops.mailbox import lines, world
from eymail.ops.mailbox.accounts import home, row_of
from eymail.ops.mailbox.checking import Problem, problems
from eymail.ops.mailbox.records import Record
from eymail.ops.mailbox.world import World
from eymail.plan import Plan

if TYPE_CHECKING:
    from eymail.env import Env
    from eymail.ops.mailbox.lines import Format
    from eymail.plan import Row

_SHOWN = 3


class Mode(Enum):
    """What becomes of what is there: left alone, changed as the file has it, and removed if it hasn't."""

    ADD = "add"
    UPDATE = "update"
    REPLACE = "replace"


@dataclass(frozen=True)
class Count:
    """What an import did to one kind of thing."""

    kind: str
    added: int
    changed: int
    removed: int
    unchanged: int


@dataclass(frozen=True)
class Imported(Result):
    """An import that was made. ``id`` is its journal entry, None when nothing was to do."""

    title: str
    id: int | None
    counts: tuple[Count, ...]
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether anything was changed."""
        return self.id is not None

    def view(self) -> View:
        table = tuple((one.kind, one.added, one.changed, one.removed, one.unchanged) for one in self.counts)
        undo = "nothing to do" if self.id is None else f"undo with: eymail undo {self.id}"
        columns = ("kind", "added", "changed", "removed", "unchanged")
        return View(columns, table, self.title, notes=(*self.notes, undo))


def read(stream: IO[bytes], format: Format | None = None) -> tuple[Record, ...]:
    """The records of a file. Raises BadLines, with every line that is wrong."""
    found: list[Record] = []
    wrong: list[Problem] = []
    for one in lines.records(stream, format):
        if isinstance(one, Record):
            found.append(one)
        else:
            wrong.append(one)
    _raise(wrong, len(found) + len(wrong))
    return tuple(found)


def _raise(wrong: Sequence[Problem], read: int) -> None:
    """Raises BadLines where there are any."""
    if wrong:
        told = (
            f"{len(wrong)} of {read} lines cannot be imported" if read > 1 else "the line cannot be imported"
        )
        each = [
            InvalidInput(f"line {number}: {one.message}", one.hint)
            for number, one in sorted(wrong, key=_line)
        ]
        raise BadLines(told, "nothing was changed", tuple(each))


def _line(problem: Problem) -> int:
    return problem[0]


def plan(env: Env, records: Sequence[Record], mode: Mode = Mode.ADD) -> Plan:
    """The change that brings the records into the directory. Raises BadLines, DirectoryError, HostError."""
    directory = env.directory
    before = world.whole(directory) if mode is Mode.REPLACE else world.around(directory, records)
    kept = World() if mode is Mode.REPLACE else before
    _raise([*problems(records, kept, before), *_unknown_hosts(env, records)], len(records))
    after, wrong = _after(env, records, before, kept.copy(), mode)
    _raise(wrong, len(records))
    made = Plan(f"mailbox import of {len(records)} lines", world.steps(before, after))
    return replace(made, notes=tuple(_notes(made)), dangers=tuple(_dangers(made)))


def _unknown_hosts(env: Env, records: Iterable[Record]) -> Iterator[Problem]:
    """A mailbox lives at a mail host of the inventory, where there is one."""
    try:
        hosts = {one.name for one in env.cluster.with_role(Role.MAIL)}
    except NotFound:
        return
    for one in records:
        host = one.settings.get("host")
        if host and hosts and host not in hosts:
            hint = f"mail hosts: {', '.join(sorted(hosts))}; without a host it gets the usual one"
            yield one.line, InvalidInput(f"{quoted(str(host))} is no mail host of this cluster", hint)


def _after(
    env: Env, records: Sequence[Record], before: World, after: World, mode: Mode
) -> tuple[World, list[Problem]]:
    """The directory as it shall be, and the lines that would change what is there and must not."""
    made, host, wrong = _hashed(env, records, before), home(env), []
    for one in records:
        after.put("domain", {"name": one.domain})
        row = _row(one, before, made, host)
        present = before.rows[one.kind].get(world.key_of(one.kind, row))
        if present is not None and present != row and mode is Mode.ADD:
            told = f"{one.kind} {one.address} is there already, and differs in {_differing(present, row)}"
            wrong.append((one.line, InvalidInput(told, "with --update it is changed")))
        after.put(one.kind, row)
    return after, wrong


def _differing(before: Row, after: Row) -> str:
    return ", ".join(name for name in after if before[name] != after[name])


def _hashed(env: Env, records: Iterable[Record], before: World) -> dict[int, str]:
    """The hashes of plain passwords, by line; side by side, because each takes its time by design."""
    from concurrent.futures import ThreadPoolExecutor

    plain = [one for one in records if one.plain is not None]
    if not plain:
        return {}
    env.progress(f"hashing {len(plain)} passwords")
    with ThreadPoolExecutor() as pool:
        return dict(pool.map(lambda one: (one.line, _hash(one, before)), plain))


def _hash(record: Record, before: World) -> str:
    """The hash that is there where it is the password's, else a new one."""
    assert record.plain is not None
    present = before.rows["mailbox"].get((record.address,))
    stored = "" if present is None else str(present["password"])
    return stored if stored and passwords.matches(record.plain, stored) else passwords.hashed(record.plain)


def _row(record: Record, before: World, made: dict[int, str], host: str) -> Row:
    if record.kind == "domain":
        return {"name": record.address}
    if record.kind == "alias":
        return {"address": record.address, "target": record.target, "domain": record.domain}
    if record.kind == "catchall":
        below = record.address.startswith("*@*.")
        return {"domain": record.domain, "subdomains": below, "mailbox": record.target}
    given = record.password or made.get(record.line)
    present = before.rows["mailbox"].get((record.address,))
    row = present if present is not None else row_of(Address.parse(record.address), "", host)
    return {**row, **({"password": given} if given else {}), **record.settings}


def _notes(plan: Plan) -> Iterator[str]:
    counts = Counter((step.action, step.place) for step in plan.steps)
    for (action, place), number in counts.items():
        yield f"{action} {number} {_plural(place, number)}"
    if any(step.place == "mailbox" and step.after is None for step in plan.steps):
        yield "mail that lies in the mailboxes stays on the mail host"


def _dangers(plan: Plan) -> Iterator[str]:
    for place in reversed(world.PLACES):
        gone = [step.key for step in plan.steps if step.place == place and step.after is None]
        if gone:
            more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
            told = f"{len(gone)} {_plural(place, len(gone))} not in the file"
            yield f"{told} {'goes' if len(gone) == 1 else 'go'}: {', '.join(gone[:_SHOWN])}{more}"


def _plural(place: str, number: int) -> str:
    many = {"mailbox": "mailboxes", "alias": "aliases"}.get(place, f"{place}s")
    return place if number == 1 else many


def apply(env: Env, plan: Plan, records: Sequence[Record]) -> Imported:
    """Make the change and count. Raises StalePlan and others when nothing was changed."""
    outcome = change.apply(env, plan)
    return Imported(plan.title, outcome.id, tuple(_counts(plan, records)))


def _counts(plan: Plan, records: Sequence[Record]) -> Iterator[Count]:
    done = Counter((step.place, step.action) for step in plan.steps)
    touched = {(step.place, step.key) for step in plan.steps}
    for place in world.PLACES:
        same = sum(one.kind == place and (place, _key(one)) not in touched for one in records)
        yield Count(place, done[place, "add"], done[place, "change"], done[place, "remove"], same)


def _key(record: Record) -> str:
    return rows.key_of(record.kind, _row(record, World(), {}, ""))
