"""What the directory holds, or shall hold, as rows by their keys; and the steps from one to the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from eymail.directory.rows import step
from eymail.model import Cell
from eymail.ops.mailbox.records import Record

if TYPE_CHECKING:
    from eymail.directory import Directory
    from eymail.plan import Row, Step

Key = tuple[Cell, ...]
_KEYS = {
    "domain": ("name",),
    "mailbox": ("address",),
    "alias": ("address", "target"),
    "catchall": ("domain", "subdomains"),
}
PLACES = tuple(_KEYS)


class World:
    """Rows of the four places, each by its key."""

    def __init__(self, rows: Iterable[tuple[str, Row]] = ()) -> None:
        self.rows: dict[str, dict[Key, Row]] = {place: {} for place in PLACES}
        for place, row in rows:
            self.put(place, row)

    def put(self, place: str, row: Row) -> None:
        """Put a row in the place of the one with its key."""
        self.rows[place][key_of(place, row)] = row

    def copy(self) -> World:
        """Another one, with the same rows."""
        return World((place, row) for place, found in self.rows.items() for row in found.values())

    @property
    def aliases(self) -> dict[str, list[str]]:
        """Every alias with its targets."""
        found: dict[str, list[str]] = {}
        for row in self.rows["alias"].values():
            found.setdefault(str(row["address"]), []).append(str(row["target"]))
        return found


def key_of(place: str, row: Row) -> Key:
    """A row's primary key."""
    return tuple(row[name] for name in _KEYS[place])


def around(directory: Directory, records: Sequence[Record]) -> World:
    """What the directory holds of all that the records speak of. Raises DirectoryError, HostError."""
    addresses = _distinct(one.address for one in records if one.kind in ("mailbox", "alias"))
    caught = _distinct(one.target for one in records if one.kind == "catchall")
    names = _distinct(one.domain for one in records)
    world = World()
    for place, column, values in (
        ("domain", "name", names),
        ("mailbox", "address", _distinct((*addresses, *caught))),
        ("catchall", "domain", _distinct(one.domain for one in records if one.kind == "catchall")),
    ):
        for row in directory.those(place, column, values):
            world.put(place, row)
    targets = _distinct(one.target for one in records if one.kind == "alias")
    for row in _reached(directory, _distinct((*addresses, *targets))):
        world.put("alias", row)
    return world


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _reached(directory: Directory, addresses: tuple[str, ...]) -> Iterator[Row]:
    """The aliases of these addresses, of those that they lead to, and so on."""
    seen = set(addresses)
    while addresses:
        found = tuple(directory.those("alias", "address", addresses))
        yield from found
        addresses = _distinct(str(row["target"]) for row in found if row["target"] not in seen)
        seen.update(addresses)


def whole(directory: Directory) -> World:
    """All that the directory holds. Raises DirectoryError, HostError."""
    return World(directory.snapshot(*PLACES))


def steps(before: World, after: World) -> tuple[Step, ...]:
    """The way from one to the other, in an order in which each row has what it leans on.

    An address is a mailbox or an alias: aliases go first and come last. A catchall comes after its new
    mailbox, and lets go of its old one before that goes.
    """
    new, gone = _put(before, after), _gone(before, after)
    return (
        *gone["catchall"], *gone["alias"], *new["domain"], *new["mailbox"], *new["catchall"],
        *gone["mailbox"], *new["alias"], *gone["domain"],
    )  # fmt: skip


def _put(before: World, after: World) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {place: [] for place in PLACES}
    for place, rows in after.rows.items():
        for key, row in rows.items():
            present = before.rows[place].get(key)
            if present != row:
                found[place].append(step(place, present, row))
        found[place].sort(key=lambda one: one.action)  # those alike beside each other: one statement
    return found


def _gone(before: World, after: World) -> dict[str, list[Step]]:
    return {
        place: [step(place, row, None) for key, row in rows.items() if key not in after.rows[place]]
        for place, rows in before.rows.items()
    }
