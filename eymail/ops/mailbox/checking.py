"""What is wrong with the lines of an import beside each other, and beside what is there already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eymail.errors import InvalidInput
from eymail.ops.mailbox.records import Record
from eymail.ops.mailbox.world import World

Problem = tuple[int, InvalidInput]


def problems(records: Sequence[Record], kept: World, before: World) -> Iterator[Problem]:
    """Every line that cannot be, by its number.

    ``kept`` is what the directory goes on holding beside the records, ``before`` what it holds now.
    """
    yield from _twice(records)
    yield from _two_owners(records, kept)
    yield from _no_password(records, before)
    yield from _nowhere(records, kept)
    yield from _loops(records, kept)


def _twice(records: Sequence[Record]) -> Iterator[Problem]:
    seen: dict[tuple[str, str, str], int] = {}
    for one in records:
        first = seen.setdefault(one.key, one.line)
        if first != one.line:
            yield (
                one.line,
                InvalidInput(f"{one.kind} {one.address} is on line {first} already", "which is meant?"),
            )


def _two_owners(records: Sequence[Record], kept: World) -> Iterator[Problem]:
    lines = {one.address: one.line for one in records if one.kind == "mailbox"}
    aliases = {str(address) for address, _ in kept.rows["alias"]}
    for one in records:
        if one.kind == "mailbox" and one.address in aliases:
            hint = f"an address is one or the other; eymail alias remove {one.address}"
            yield one.line, InvalidInput(f"{one.address} is an alias", hint)
        if one.kind == "alias" and (one.address in lines or (one.address,) in kept.rows["mailbox"]):
            where = f", on line {lines[one.address]}" if one.address in lines else ""
            yield (
                one.line,
                InvalidInput(f"{one.address} is a mailbox{where}", "an address is one or the other"),
            )


def _no_password(records: Sequence[Record], before: World) -> Iterator[Problem]:
    for one in records:
        given = one.password is not None or one.plain is not None
        if one.kind == "mailbox" and not given and (one.address,) not in before.rows["mailbox"]:
            hint = "a new one needs it; eymail mailbox add makes one"
            yield one.line, InvalidInput(f"mailbox {one.address} has no password", hint)


def _nowhere(records: Sequence[Record], kept: World) -> Iterator[Problem]:
    there = {one.address for one in records if one.kind == "mailbox"}
    for one in records:
        if one.kind == "catchall" and one.target not in there and (one.target,) not in kept.rows["mailbox"]:
            told = f"there is no mailbox {one.target}, which {one.address} leads to"
            yield one.line, InvalidInput(told, "give it a line of its own, or add it first")


def _loops(records: Sequence[Record], kept: World) -> Iterator[Problem]:
    """An alias that leads back to itself; one line of each loop is told."""
    targets = kept.aliases
    for one in records:
        if one.kind == "alias":
            targets.setdefault(one.address, []).append(one.target)
    settled: set[str] = set()
    for one in records:
        if one.kind == "alias" and _returns(one.address, targets, settled):
            yield (
                one.line,
                InvalidInput(f"the alias {one.address} leads back to itself", "nothing would arrive"),
            )


def _returns(start: str, targets: dict[str, list[str]], settled: set[str]) -> bool:
    """Whether a way from here comes back to a point of itself; none does from the ``settled`` points."""
    way, turns = [start], [iter(targets.get(start, ()))]
    on_way = {start}
    while way:
        target = next(turns[-1], None)
        if target is None:
            settled.add(way[-1])
            on_way.discard(way.pop())
            turns.pop()
        elif target in on_way:
            settled.update(on_way)  # the loop is told once
            return True
        elif target not in settled:
            way.append(target)
            on_way.add(target)
            turns.append(iter(targets.get(target, ())))
    return False
