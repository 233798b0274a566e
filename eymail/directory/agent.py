"""Opens the directory's SQLite file, and speaks SQL on it for an eymail that is elsewhere.

Exim and Dovecot look the file up where they run, so it lies on the mail host; the administrator
does not. The text of this module is what runs there, with nothing but the host's python3 (3.8 or
later). One request a line in, one answer a line out, both JSON; bytes travel as {"base64": ...}.
On the same machine its functions are called directly.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pwd
import select
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BUSY = 10.0  # seconds that a writer waits for another
PATIENCE = 60.0  # seconds that a transaction waits for its next request before it is rolled back
CHUNK = 500  # rows in one answer
DAEMON = "Debian-exim"


def connect(path: str, make: bool) -> sqlite3.Connection | None:
    """The open file, or None when there is no directory in it and none shall be made.

    Raises OSError, sqlite3.Error.
    """
    if make:
        _make(path)
    elif not _size(path):
        return None
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, make)
    except BaseException:
        connection.close()
        raise
    return connection


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _make(path: str) -> None:
    """The file and its folder, open to the group: Exim's user writes the WAL index beside it."""
    folder = Path(path).parent
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(0o700)
            _hand_over(os.open(folder, os.O_RDONLY | os.O_CLOEXEC), 0o2770)
    # A daemon's look-up leaves an empty file where there was none; that one is made ours as well.
    if not _size(path):
        _hand_over(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660), 0o660)


def _hand_over(opened: int, mode: int) -> None:
    """Give what is open to the daemon's user, where there is one and we may; then close it."""
    try:
        with contextlib.suppress(KeyError):
            if os.geteuid() == 0:
                daemon = pwd.getpwnam(DAEMON)
                os.fchown(opened, daemon.pw_uid, daemon.pw_gid)
        with contextlib.suppress(PermissionError):  # somebody else made the empty file
            os.fchmod(opened, mode)
    finally:
        os.close(opened)


def _prepare(connection: sqlite3.Connection, make: bool) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    if not make:
        return
    deadline = time.monotonic() + BUSY
    while True:  # SQLite's own busy time-out does not cover the change to WAL
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class Session:
    """One client's connection and its open cursors."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._cursors: dict[int, sqlite3.Cursor] = {}
        self._last = 0

    @property
    def in_transaction(self) -> bool:
        return self._connection is not None and self._connection.in_transaction

    def answer(self, line: bytes) -> dict[str, Any]:
        """The answer to one request; errors are answers as well."""
        try:
            request = json.loads(line.decode())
            do = getattr(self, "do_" + request.pop("do"))
            return {"ok": do(**request)}
        except (sqlite3.Error, sqlite3.Warning) as error:
            return {"error": type(error).__name__, "message": str(error)}
        except OSError as error:
            return {"error": "OSError", "message": error.strerror or str(error)}
        except Exception as error:
            return {"error": "ProgrammingError", "message": type(error).__name__ + ": " + str(error)}

    def do_open(self, make: bool) -> bool:
        self.close()
        self._connection = connect(self._path, make)
        if self._connection is not None:
            self._connection.set_authorizer(_this_file_only)
        return self._connection is not None

    def do_execute(self, sql: str, parameters: list[Any], many: bool = False) -> dict[str, Any]:
        cursor = self._open().cursor()
        if many:
            cursor.executemany(sql, [[_decoded(value) for value in row] for row in parameters])
        else:
            cursor.execute(sql, [_decoded(value) for value in parameters])
        names = [column[0] for column in cursor.description] if cursor.description else None
        told = {"columns": names, "rowcount": cursor.rowcount, "lastrowid": cursor.lastrowid}
        if names is None:
            return told
        self._last += 1
        self._cursors[self._last] = cursor
        told.update(self.do_fetch(self._last))
        return told

    def do_fetch(self, cursor: int) -> dict[str, Any]:
        rows = self._cursors[cursor].fetchmany(CHUNK)
        more = len(rows) == CHUNK
        if not more:
            del self._cursors[cursor]
        told = [[_encoded(value) for value in row] for row in rows]
        return {"rows": told, "more": cursor if more else None}

    def do_forget(self, cursor: int) -> None:
        self._cursors.pop(cursor).close()

    def do_commit(self) -> None:
        self._open().commit()

    def do_rollback(self) -> None:
        self._open().rollback()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.ProgrammingError("the directory is not open")
        return self._connection

    def close(self) -> None:
        self._cursors.clear()
        if self._connection is not None:
            self._connection.close()  # rolls back what is not committed
            self._connection = None


def _this_file_only(action: int, *_arguments: Any) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def _encoded(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _decoded(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


def _requests(session: Session) -> Iterator[bytes]:
    """Lines from standard input until it ends, or a transaction hears nothing for too long."""
    buffer = bytearray()
    while True:
        end = buffer.find(b"\n")
        if end >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            yield line
            continue
        wait = PATIENCE if session.in_transaction else None
        if not select.select([0], [], [], wait)[0]:
            return
        block = os.read(0, 1 << 20)
        if not block:
            return
        buffer += block


def serve(path: str) -> None:
    """Answer requests until the client is gone; what it did not commit is rolled back then."""
    session = Session(path)
    try:
        for line in _requests(session):
            sys.stdout.write(json.dumps(session.answer(line)) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        session.close()


if __name__ == "__main__":
    serve(sys.argv[1])
