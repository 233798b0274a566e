"""Transactions on the directory, whichever store it is in, and its schema kept up to date.

SQLAlchemy is loaded with this module, Alembic only when the schema has to change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import StaticPool

from eymail.directory.plain import VERSION
from eymail.directory.schema import metadata
from eymail.directory.stores import Store
from eymail.errors import DirectoryError


class Database:
    """Gives connections in a transaction. A directory not made yet reads as an empty one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._engine: Engine | None = None
        self._nothing: Engine | None = None

    @property
    def where(self) -> str:
        return self._store.where

    @property
    def exists(self) -> bool:
        """Whether the directory has been made. Raises DirectoryError, HostError."""
        with self._translated():
            return self._existing() is not None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One view of the directory. Raises DirectoryError, HostError."""
        with self._translated():
            engine = self._existing() or self._empty()
            with engine.begin() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """All or nothing, alone with the directory; it is made first. Raises DirectoryError, HostError."""
        with self._translated(), _alone(self._made()) as connection:
            yield connection

    @contextmanager
    def trying(self) -> Iterator[Connection]:
        """As ``writing``, but everything is taken back at the end."""
        with self._translated(), self._made().execution_options(mode="IMMEDIATE").connect() as connection:
            transaction = connection.begin()
            try:
                yield connection
            finally:
                transaction.rollback()

    def migrate(self) -> None:
        """Make the directory, or bring its schema up to date. Raises DirectoryError, HostError."""
        with self._translated():
            self._made()

    def close(self) -> None:
        for engine in (self._engine, self._nothing):
            if engine is not None:
                engine.dispose()
        self._engine = self._nothing = None
        self._store.close()

    def _existing(self) -> Engine | None:
        if self._engine is None:
            engine = self._opened(make=False)
            if engine is None:
                return None
            version = _version_of(engine)
            if version is None:
                engine.dispose()
                return None
            self._engine = self._current(engine, version)
        return self._engine

    def _made(self) -> Engine:
        existing = self._existing()
        if existing is not None:
            return existing
        engine = self._opened(make=True)
        assert engine is not None
        self._engine = self._current(engine, None)
        return self._engine

    def _opened(self, make: bool) -> Engine | None:
        connection = self._store.connect(make)
        return None if connection is None else _engine(connection, self._store.module)

    def _current(self, engine: Engine, version: str | None) -> Engine:
        if version == VERSION:
            return engine
        from eymail.directory.migration import upgrade

        try:
            with _alone(engine) as connection:
                upgrade(connection, self.where)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _empty(self) -> Engine:
        if self._nothing is None:
            connection = sqlite3.connect(":memory:", isolation_level=None)
            self._nothing = _engine(connection, sqlite3)
            metadata.create_all(self._nothing)
        return self._nothing

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise _told(self.where, error) from error


def _engine(connection: Any, module: Any) -> Engine:
    engine = create_engine(
        "sqlite://",
        module=module,
        creator=lambda: connection,
        poolclass=StaticPool,
        pool_reset_on_return=None,
        hide_parameters=True,
    )
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get("mode", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other writer is beside, from its first look on."""
    with engine.execution_options(mode="IMMEDIATE").begin() as connection:
        yield connection


def _version_of(engine: Engine) -> str | None:
    with engine.begin() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return version


def _told(where: str, error: DBAPIError) -> DirectoryError:
    said = str(error.orig)
    if isinstance(error, OperationalError) and "locked" in said:
        return DirectoryError(f"the directory {where} is busy", "another change is under way; try again")
    if "readonly" in said or "unable to open" in said:
        hint = "run as root, or as a member of the group that owns it"
        return DirectoryError(f"the directory {where} cannot be written: {said}", hint)
    return DirectoryError(f"the directory {where}: {said}", "is it a directory that eymail made?")
