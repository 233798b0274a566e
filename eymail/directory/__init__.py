"""The directory: domains, mailboxes, aliases, catchalls and sources in SQL, and the journal of every change.

Exim and Dovecot look the same file up live, through views. SQLAlchemy is loaded when a
directory is opened, never when this package is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from eymail.directory.plain import PlainReader
from eymail.model import Cell
from eymail.plan import Row

if TYPE_CHECKING:
    from eymail.directory.database import Database
    from eymail.directory.executor import DirectoryExecutor
    from eymail.directory.journal import DirectoryJournal
    from eymail.directory.stores import Store
    from eymail.hosts import Host

Where = Cell | tuple[str, ...]
_AT_ONCE = 500  # values that one query asks for


@contextmanager
def open_directory(url: str, host: Host | None) -> Iterator[Directory]:
    """The directory at ``url``: a file of this machine, or of ``host``. Nothing is opened yet.

    Raises ConfigError when the URL is none of SQLite's.
    """
    from eymail.directory.stores import store

    directory = Directory(store(url, host))
    try:
        yield directory
    finally:
        directory.close()


class Directory:
    """Reads rows; changes go through ``executor`` and ``journal``. Raises DirectoryError, HostError.

    A place is a key of ``schema.PLACES``: ``domain``, ``mailbox``, and so on. A directory that
    is not made yet reads as an empty one; the first change makes it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._plain = PlainReader(store)
        self._opened: Database | None = None

    @property
    def _database(self) -> Database:
        """The directory by way of SQLAlchemy; from its first use on, everything goes that way."""
        if self._opened is None:
            from eymail.directory.database import Database

            self._plain.close()
            self._opened = Database(self._store)
        return self._opened

    def close(self) -> None:
        """Let go of the directory."""
        self._plain.close()
        if self._opened is not None:
            self._opened.close()
        self._store.close()

    @property
    def where(self) -> str:
        """The file, and its host when it is not this machine."""
        return self._store.where

    @property
    def exists(self) -> bool:
        return self._database.exists

    def migrate(self) -> None:
        """Make the directory, or bring its schema up to date; the first change does so by itself."""
        self._database.migrate()

    def find(self, place: str, **where: Where) -> tuple[Row, ...]:
        """The rows whose columns have these values (a tuple: any of them), by their keys."""
        plain = self._plain.find(place, where)
        if plain is not None:
            return plain
        from sqlalchemy import select

        from eymail.directory.schema import PLACES

        table = PLACES[place]
        chosen = select(table).order_by(*table.primary_key)
        for name, value in where.items():
            column = table.c[name]
            chosen = chosen.where(column.in_(value) if isinstance(value, tuple) else column == value)
        with self._database.reading() as connection:
            return tuple(dict(row._mapping) for row in connection.execute(chosen))

    def get(self, place: str, **where: Where) -> Row | None:
        """The one row with these values, or None."""
        return next(iter(self.find(place, **where)), None)

    def those(self, place: str, column: str, values: Sequence[str]) -> Iterator[Row]:
        """The rows whose column has one of any number of values."""
        for start in range(0, len(values), _AT_ONCE):
            yield from self.find(place, **{column: tuple(values[start : start + _AT_ONCE])})

    def pages(self, place: str, size: int, **where: Cell) -> Iterator[tuple[Row, ...]]:
        """The rows with these values by their keys, ``size`` at a time, at least one page.

        Each page is a reading of its own that begins after the last row's key, so that memory and
        the time that a writer waits do not grow with the number of rows.
        """
        from sqlalchemy import select, tuple_

        from eymail.directory.schema import PLACES

        table = PLACES[place]
        key = tuple(table.primary_key)
        chosen = select(table).where(*(table.c[name] == value for name, value in where.items()))
        page: tuple[Row, ...] = ()
        while not page or len(page) == size:
            last = tuple(page[-1][column.name] for column in key) if page else ()
            after = (tuple_(*key) > last,) if last else ()
            with self._database.reading() as connection:
                found = connection.execute(chosen.where(*after).order_by(*key).limit(size))
                page = tuple(dict(row._mapping) for row in found)
            yield page
            if not page:
                return

    def snapshot(self, *places: str) -> Iterator[tuple[str, Row]]:
        """Every row of several places as they are at one moment, by their keys, as they are read.

        Nothing else may be asked of the directory before the last one has come.
        """
        from sqlalchemy import select

        from eymail.directory.schema import PLACES

        with self._database.reading() as connection:
            for place in places:
                chosen = select(PLACES[place]).order_by(*PLACES[place].primary_key)
                for row in connection.execution_options(yield_per=_AT_ONCE).execute(chosen):
                    yield place, dict(row._mapping)

    def count(self, place: str) -> Mapping[str, int]:
        """How many mailboxes, or addresses that are aliases, each domain has."""
        from sqlalchemy import func, select

        from eymail.directory.schema import PLACES

        table = PLACES[place]
        counted = select(table.c.domain, func.count(table.c.address.distinct())).group_by(table.c.domain)
        with self._database.reading() as connection:
            return {str(domain): int(number) for domain, number in connection.execute(counted)}

    def leading_into(self, domain: str) -> tuple[Row, ...]:
        """The aliases of other domains that lead to an address of this one."""
        from sqlalchemy import func, select

        from eymail.directory.schema import aliases

        target = aliases.c.target
        where = func.substr(target, func.instr(target, "@") + 1) == domain
        chosen = select(aliases).where(where, aliases.c.domain != domain).order_by(aliases.c.address, target)
        with self._database.reading() as connection:
            return tuple(dict(row._mapping) for row in connection.execute(chosen))

    def source_rows(self, cluster: str) -> tuple[Row, ...]:
        """A cluster's source addresses in one reading: a row for each pair of domain and inner address.

        Columns: address, sender_domain, host, inside; the last three None where there are none.
        """
        from sqlalchemy import select

        from eymail.directory.schema import source_addresses, source_inside, sources

        address = source_addresses.c.address
        chosen = (
            select(address, sources.c.sender_domain, source_inside.c.host, source_inside.c.inside)
            .outerjoin(sources, sources.c.source_address == address)
            .outerjoin(source_inside, source_inside.c.source_address == address)
            .where(source_addresses.c.cluster == cluster)
            .order_by(address, sources.c.sender_domain, source_inside.c.host)
        )
        with self._database.reading() as connection:
            return tuple(dict(row._mapping) for row in connection.execute(chosen))

    def changes_of(self, place: str) -> Mapping[str, int]:
        """For every thing of a place that a change touched, by its key, the last such change's id."""
        from sqlalchemy import func, select

        from eymail.directory.schema import journal, journal_steps

        last = (
            select(journal_steps.c.key, func.max(journal_steps.c.entry))
            .join(journal, journal.c.id == journal_steps.c.entry)
            .where(journal_steps.c.place == place, journal.c.done > journal_steps.c.position)
            .group_by(journal_steps.c.key)
        )
        with self._database.reading() as connection:
            return {str(key): int(entry) for key, entry in connection.execute(last)}

    @cached_property
    def executor(self) -> DirectoryExecutor:
        from eymail.directory.executor import DirectoryExecutor

        return DirectoryExecutor(self._database)

    @cached_property
    def journal(self) -> DirectoryJournal:
        from eymail.directory.journal import DirectoryJournal

        return DirectoryJournal(self._database)
