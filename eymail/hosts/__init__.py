"""Hosts: one interface to a machine, whether it is this one or one reached by SSH.

``run``, ``start``, ``read``, ``write`` and ``connect`` are all that eymail ever does
on a host. Arguments are lists, never shell text; ``write`` is atomic and compares
first. ``local.LocalHost`` and ``ssh.SshHost`` implement it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Protocol

from eymail.errors import HostError

OUTPUT_LIMIT = 256 * 1024 * 1024
_COMPLAINT_SHOWN = 300


@dataclass(frozen=True)
class Completed:
    """A command that came to its end."""

    code: int
    stdout: bytes
    stderr: bytes


class Channel(Protocol):
    """A byte stream to a TCP service, as far as eymail uses a socket."""

    def settimeout(self, seconds: float | None, /) -> None: ...
    def sendall(self, data: bytes, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def shutdown(self, how: int, /) -> None: ...
    def close(self) -> None: ...


class Process(Protocol):
    """A command under way, spoken to by its standard input and output."""

    @property
    def stdin(self) -> IO[bytes]: ...
    @property
    def stdout(self) -> IO[bytes]: ...
    def complaint(self) -> str:
        """The beginning of what it has said on its standard error so far."""

    def close(self) -> None:
        """End it and let go of it: standard input is closed, and what does not end then is stopped."""


class Host(Protocol):
    """One machine. Every method raises HostError, whose message names the host."""

    @property
    def name(self) -> str: ...

    def run(
        self, argv: Sequence[str], *, input: bytes = b"", timeout: float = 30.0, check: bool = True
    ) -> Completed:
        """Run a command to its end, ``timeout`` seconds at most.

        With ``check``, an exit code other than 0 raises HostError with what the
        command said on its standard error. More than OUTPUT_LIMIT bytes of output
        are an error, so no host can fill this one's memory.
        """

    def start(self, argv: Sequence[str]) -> Process:
        """Start a command that is spoken to while it runs."""

    def read(self, path: str) -> bytes:
        """A file's content. Raises NotFound when there is none."""

    def write(self, path: str, content: bytes, *, before: bytes | None, mode: int = 0o644) -> None:
        """Put a whole new file in place of ``before`` (None: of nothing), at once or not at all.

        Raises StalePlan when the file is no longer ``before``.
        """

    def connect(self, address: str, port: int, timeout: float) -> Channel:
        """A TCP connection as it is made from this host."""

    def close(self) -> None:
        """Let go of the connection, if there is one. May be called twice."""


def ended(name: str, argv: Sequence[str], completed: Completed, check: bool) -> Completed:
    """The completed command, or with ``check`` HostError when its exit code is not 0."""
    if not check or completed.code == 0:
        return completed
    said = " ".join(completed.stderr[-4096:].decode("utf-8", "replace").split())
    detail = f": {said[-_COMPLAINT_SHOWN:]}" if said else ""
    raise HostError(f"{name}: {argv[0]} ended with code {completed.code}{detail}")
