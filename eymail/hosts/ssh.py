"""A host reached by SSH.

The connection is made on first use and again when it was lost; paramiko is loaded then.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from eymail.errors import HostError, NotFound, StalePlan
from eymail.hosts import Channel, Completed, Process, ended, replace
from eymail.hosts.destination import Destination, resolve

if TYPE_CHECKING:
    from eymail.hosts.connection import Connection

_MISSING = 44
_READ = f"""\
import sys
try:
    with open(sys.argv[1], "rb") as file:
        sys.stdout.buffer.write(file.read())
except FileNotFoundError:
    sys.exit({_MISSING})
except OSError as error:
    sys.exit(error.strerror)
"""


class SshHost:
    """A host as ``ssh TARGET`` reaches it, called ``name`` in every message.

    ``timeout`` bounds each phase of connecting, in seconds. ``ask`` is asked whether an
    unknown host key may be trusted; with None it is refused. Raises HostError,
    HostKeyError, AuthError from every method that needs the connection.
    """

    def __init__(
        self,
        name: str,
        target: str,
        *,
        config_file: str = "",
        timeout: float = 10.0,
        ask: Callable[[str], bool] | None = None,
    ) -> None:
        self._name = name
        self._target = target
        self._config_file = config_file
        self._timeout = timeout
        self._ask = ask
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    @property
    def name(self) -> str:
        return self._name

    def connection(self) -> Connection:
        """The open connection, made now if there is none."""
        with self._lock:
            connection = self._connection
            if connection is not None and not connection.active:
                connection.close()
                connection = None
            return connection or self._connect()

    def destination(self) -> Destination:
        """Where the target leads. Raises InvalidInput, HostError."""
        return resolve(self._target, self._config_file)

    def _connect(self) -> Connection:
        destination = self.destination()
        with _without_invoke():
            from eymail.hosts.connection import Connection

        self._connection = connection = Connection(self._timeout, self._ask)
        connection.open(self._name, destination)
        return connection

    def run(
        self, argv: Sequence[str], *, input: bytes = b"", timeout: float = 30.0, check: bool = True
    ) -> Completed:
        connection = self.connection()
        from eymail.hosts.session import run

        completed = run(self._name, connection.transport, _command(argv), input, timeout)
        return ended(self._name, argv, completed, check)

    def start(self, argv: Sequence[str]) -> Process:
        connection = self.connection()
        from eymail.hosts.session import SshProcess

        return SshProcess(self._name, connection.transport, _command(argv), self._timeout)

    def read(self, path: str) -> bytes:
        done = self.run(["python3", "-c", _READ, path], timeout=60, check=False)
        if done.code == _MISSING:
            raise NotFound(f"{self._name} has no file {path}")
        if done.code:
            raise HostError(f"{self._name}: cannot read {path}: {_said(done)}")
        return done.stdout

    def write(self, path: str, content: bytes, *, before: bytes | None, mode: int = 0o644) -> None:
        program = Path(replace.__file__).read_text(encoding="utf-8")
        argv = ["python3", "-c", program, path, replace.digest(before), f"{mode:o}"]
        done = self.run(argv, input=content, timeout=60, check=False)
        if done.code == replace.STALE:
            raise StalePlan(f"{path} on {self._name} is not as it was read", "plan again")
        if done.code:
            raise HostError(f"{self._name}: cannot write {path}: {_said(done)}")

    def connect(self, address: str, port: int, timeout: float) -> Channel:
        connection = self.connection()
        from eymail.hosts.session import NoAnswer, forward

        try:
            return forward(self._name, connection.transport, address, port, timeout)
        except NoAnswer as error:
            if not connection.active:  # it was lost while it stood idle
                return forward(self._name, self.connection().transport, address, port, timeout)
            if connection.answers(timeout):
                raise
            raise HostError(f"{self._name} has stopped answering", "the next try connects anew") from error

    def close(self) -> None:
        # Without the lock: a connection that another thread is still waiting for is ended too.
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _command(argv: Sequence[str]) -> str:
    """SSH hands a command to the login shell as one string (RFC 4254 section 6.5)."""
    return shlex.join(argv)


def _said(done: Completed) -> str:
    said = " ".join(done.stderr.decode("utf-8", "replace").split())
    return said[-300:] or f"code {done.code}"


@contextlib.contextmanager
def _without_invoke() -> Iterator[None]:
    """Keep paramiko from importing invoke, which costs 45 ms and serves Match exec alone."""
    if "invoke" in sys.modules:
        yield
        return
    sys.modules["invoke"] = cast(ModuleType, None)
    try:
        yield
    finally:
        del sys.modules["invoke"]
