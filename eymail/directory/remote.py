"""A DBAPI-2 module (PEP 249) whose connection is an agent on another host.

SQLAlchemy and Alembic see an ordinary SQLite connection; the names that PEP 249 and the
SQLite dialect ask for are given, and no others.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eymail.directory import agent
from eymail.errors import DirectoryError, EymailError

if TYPE_CHECKING:
    from eymail.hosts import Host, Process

apilevel = "2.0"
threadsafety = 1
paramstyle = "qmark"
# The oldest SQLite that the agent may meet decides what SQL is made (3.34: no RETURNING).
sqlite_version_info = (3, 34, 0)
_ROWS = 2000  # in one request


class Error(Exception):
    """PEP 249's base; the names below are those of the sqlite3 module that the agent has."""


class Warning(Exception):
    """PEP 249."""


class InterfaceError(Error):
    """PEP 249."""


class DatabaseError(Error):
    """PEP 249."""


class DataError(DatabaseError):
    """PEP 249."""


class OperationalError(DatabaseError):
    """PEP 249."""


class IntegrityError(DatabaseError):
    """PEP 249."""


class InternalError(DatabaseError):
    """PEP 249."""


class ProgrammingError(DatabaseError):
    """PEP 249."""


class NotSupportedError(DatabaseError):
    """PEP 249."""


_ERRORS = {
    kind.__name__: kind
    for kind in (
        Error, Warning, InterfaceError, DatabaseError, DataError, OperationalError, IntegrityError,
        InternalError, ProgrammingError, NotSupportedError,
    )
}  # fmt: skip


def connect(host: Host, path: str) -> Connection:
    """Start the agent on the host. Raises HostError."""
    program = Path(agent.__file__).read_text(encoding="utf-8")
    return Connection(host.start(["python3", "-I", "-c", program, path]), host.name)


class Connection:
    """The agent, as a connection. Raises DirectoryError when it went away."""

    def __init__(self, process: Process, name: str) -> None:
        self._process = process
        self._name = name
        # SQLAlchemy's SQLite dialect reads and sets it; the agent is always in this mode.
        self.isolation_level: str | None = None
        self.alive = True

    def ask(self, do: str, **arguments: Any) -> Any:
        """One request and its answer."""
        if not self.alive:
            raise self._gone(do)
        request = json.dumps({"do": do, **arguments}).encode() + b"\n"
        # An exchange that is broken off, be it by Ctrl-C, would give the next one a wrong answer.
        self.alive = False
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except (OSError, ValueError) as error:
            raise self._gone(do) from error
        if not line.endswith(b"\n"):
            raise self._gone(do)
        self.alive = True
        return self._answer(line)

    def _answer(self, line: bytes) -> Any:
        try:
            answer = json.loads(line)
            if "ok" in answer:
                return answer["ok"]
            kind, message = answer["error"], answer["message"]
        except (ValueError, TypeError, KeyError) as error:
            hint = "does its shell print something at login?"
            raise DirectoryError(f"{self._name}: the directory's answer makes no sense", hint) from error
        if kind == "OSError":
            raise DirectoryError(f"{self._name}: cannot open the directory: {message}")
        raise _ERRORS.get(kind, DatabaseError)(message)

    def _gone(self, do: str) -> DirectoryError:
        said = self._process.complaint().splitlines()
        why = f": {said[-1]}" if said else ""
        doubt = "whether the change was made is in: eymail history" if do == "commit" else "try again"
        return DirectoryError(f"{self._name}: the connection to the directory broke{why}", doubt)

    def open(self, make: bool) -> bool:
        """Whether there is a directory now."""
        return bool(self.ask("open", make=make))

    def cursor(self) -> Cursor:
        return Cursor(self)

    def commit(self) -> None:
        self.ask("commit")

    def rollback(self) -> None:
        """An agent that is gone has rolled back."""
        if self.alive:
            self.ask("rollback")

    def close(self) -> None:
        self.alive = False
        self._process.close()

    def create_function(self, *_arguments: Any, **_options: Any) -> None:
        """The dialect wants to add regexp() and floor(), which no query of ours uses."""


class Cursor:
    """A statement under way; its rows come in chunks, as they are read."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._reset()

    def _reset(self) -> None:
        self.description: tuple[tuple[Any, ...], ...] | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self._rows: list[tuple[Any, ...]] = []
        self._next = 0
        self._more: int | None = None

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Cursor:
        return self._execute(sql, [_encoded(value) for value in parameters], many=False)

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> Cursor:
        """In requests of a bounded size; ``rowcount`` is of all of them."""
        rows = [[_encoded(value) for value in row] for row in parameters]
        counted = 0
        for start in range(0, len(rows), _ROWS):
            self._execute(sql, rows[start : start + _ROWS], many=True)
            counted += max(self.rowcount, 0)
        self.rowcount = counted
        return self

    def _execute(self, sql: str, parameters: list[Any], many: bool) -> Cursor:
        self._reset()
        told = self._connection.ask("execute", sql=sql, parameters=parameters, many=many)
        self.rowcount, self.lastrowid = told["rowcount"], told["lastrowid"]
        if told["columns"] is not None:
            self.description = tuple((name, *(None,) * 6) for name in told["columns"])
            self._take(told)
        return self

    def _take(self, told: dict[str, Any]) -> None:
        self._rows = [tuple(_decoded(value) for value in row) for row in told["rows"]]
        self._next = 0
        self._more = told["more"]

    def fetchone(self) -> tuple[Any, ...] | None:
        if self._next == len(self._rows) and self._more is not None:
            self._take(self._connection.ask("fetch", cursor=self._more))
        if self._next == len(self._rows):
            return None
        self._next += 1
        return self._rows[self._next - 1]

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        rows = (self.fetchone() for _ in range(size or self.arraysize))
        return [row for row in rows if row is not None]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    def close(self) -> None:
        if self._more is not None and self._connection.alive:
            with contextlib.suppress(EymailError):
                self._connection.ask("forget", cursor=self._more)
        self._rows, self._next, self._more = [], 0, None  # rowcount and lastrowid are still read

    def setinputsizes(self, _sizes: Any) -> None:
        """PEP 249 lets it do nothing."""

    def setoutputsize(self, _size: Any, _column: Any = None) -> None:
        """PEP 249 lets it do nothing."""


def _encoded(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _decoded(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value
