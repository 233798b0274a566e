"""Rows by their values, asked in plain SQL: SQLAlchemy takes longer to load than all else that `route` does.

Only the commonest question is asked so, and only of a directory whose schema is current; whatever is out
of the ordinary is left to ``database``, which knows how to go about it. One SELECT is one reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from eymail.model import Cell
from eymail.plan import Row

if TYPE_CHECKING:
    from eymail.directory.stores import Store

VERSION = "0002"
"""The schema's newest revision."""


class Place(NamedTuple):
    """A place's table, its columns in their order, those of its key, and those that are yes or no."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    truths: tuple[str, ...] = ()


# The tables of ``schema`` that are asked for rows by their values.
PLACES = {
    "domain": Place("domains", ("name",), ("name",)),
    "mailbox": Place(
        "mailboxes",
        ("address", "domain", "password", "enabled", "quota_mb", "host"),
        ("address",),
        ("enabled",),
    ),
    "alias": Place("aliases", ("address", "target", "domain"), ("address", "target")),
    "catchall": Place(
        "catchalls", ("domain", "subdomains", "mailbox"), ("domain", "subdomains"), ("subdomains",)
    ),
}


class PlainReader:
    """Reads rows until it is closed. Raises DirectoryError, HostError."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection: Any = None
        self._tried = False

    def find(self, place: str, where: Mapping[str, object]) -> tuple[Row, ...] | None:
        """The rows with these values, by their keys; None when it is not for this reader to say."""
        if place not in PLACES or not self._current():
            return None
        statement, values = _select(PLACES[place], where)
        found = self._ask(statement, values)
        return None if found is None else tuple(_rows(PLACES[place], found))

    def _current(self) -> bool:
        """Whether a directory is there, of the schema that is known here."""
        if not self._tried:
            self._tried = True
            self._connection = self._store.connect(make=False)
            found = self._ask("SELECT version_num FROM alembic_version", [])
            if found is None or [tuple(row) for row in found] != [(VERSION,)]:
                self.close()
        return self._connection is not None

    def _ask(self, statement: str, values: list[object]) -> list[Any] | None:
        if self._connection is None:
            return None
        cursor = self._connection.cursor()
        try:
            rows: list[Any] = cursor.execute(statement, values).fetchall()
        except self._store.module.Error:
            return None
        finally:
            cursor.close()
        return rows

    def close(self) -> None:
        """Let go of the connection; nothing is read from here on. An agent goes on serving its store."""
        self._tried = True
        if self._connection is not None and not self._store.shared:
            self._connection.close()
        self._connection = None


def _select(place: Place, where: Mapping[str, object]) -> tuple[str, list[object]]:
    terms: list[str] = []
    values: list[object] = []
    for name, value in where.items():
        if name not in place.columns:
            raise KeyError(name)
        some = value if isinstance(value, tuple) else (value,)
        marks = ", ".join("?" * len(some))
        terms.append(f"{name} IS NULL" if value is None else f"{name} IN ({marks})")
        values += [] if value is None else some
    # Every name comes from PLACES; every value is a parameter.
    chosen = f"SELECT {', '.join(place.columns)} FROM {place.table}"  # noqa: S608 (see above)
    condition = f" WHERE {' AND '.join(terms)}" if terms else ""
    return f"{chosen}{condition} ORDER BY {', '.join(place.key)}", values


def _rows(place: Place, found: list[Any]) -> Iterator[dict[str, Cell]]:
    for one in found:
        row: dict[str, Cell] = dict(zip(place.columns, one, strict=True))
        yield row | {name: bool(row[name]) for name in place.truths}
