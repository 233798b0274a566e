"""This machine as a host."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from eymail.errors import HostError, NotFound, StalePlan
from eymail.hosts import OUTPUT_LIMIT, Channel, Completed, Process, ended, replace

_BLOCK = 65536
_COMPLAINT_KEPT = 4096
_GRACE = 2.0


class LocalHost:
    """Runs commands and touches files here. Raises HostError as every host does."""

    def __init__(self, name: str = "localhost") -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def run(
        self, argv: Sequence[str], *, input: bytes = b"", timeout: float = 30.0, check: bool = True
    ) -> Completed:
        process = self._popen(argv, subprocess.PIPE)
        with process:
            try:
                completed = _Exchange(process, input, time.monotonic() + timeout).run()
            except _TooMuch as error:
                raise HostError(f"{self.name}: {argv[0]} wrote more than {OUTPUT_LIMIT} bytes") from error
            except TimeoutError as error:
                raise HostError(f"{self.name}: {argv[0]} did not end within {timeout:g} s") from error
            finally:
                _kill(process)
        return ended(self.name, argv, completed, check)

    def _popen(self, argv: Sequence[str], stderr: int | IO[bytes]) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        try:
            return subprocess.Popen(
                list(argv), stdin=pipe, stdout=pipe, stderr=stderr, start_new_session=True
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise HostError(f"{self.name}: cannot run {argv[0]}: {reason}") from error

    def start(self, argv: Sequence[str]) -> Process:
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 (the process closes it)
        try:
            return LocalProcess(self._popen(argv, stderr), stderr)
        except HostError:
            stderr.close()
            raise

    def read(self, path: str) -> bytes:
        try:
            return Path(path).read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"{self.name} has no file {path}") from error
        except OSError as error:
            raise HostError(f"{self.name}: cannot read {path}: {error.strerror}") from error

    def write(self, path: str, content: bytes, *, before: bytes | None, mode: int = 0o644) -> None:
        try:
            replace.replace(path, replace.digest(before), mode, content)
        except replace.Changed as error:
            raise StalePlan(f"{path} on {self.name} is not as it was read", "plan again") from error
        except OSError as error:
            raise HostError(f"{self.name}: cannot write {path}: {error.strerror}") from error

    def connect(self, address: str, port: int, timeout: float) -> Channel:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as error:
            reason = "no answer" if isinstance(error, TimeoutError) else error.strerror
            raise HostError(f"{self.name} cannot connect to {address} port {port}: {reason}") from error

    def close(self) -> None:
        """Nothing is held open."""


class LocalProcess:
    """A command under way on this machine. Its standard error goes to an unnamed file, so it never blocks."""

    def __init__(self, process: subprocess.Popen[bytes], stderr: IO[bytes]) -> None:
        assert process.stdin and process.stdout
        self._process, self._stderr = process, stderr
        self._stdin, self._stdout = process.stdin, process.stdout

    @property
    def stdin(self) -> IO[bytes]:
        return self._stdin

    @property
    def stdout(self) -> IO[bytes]:
        return self._stdout

    def complaint(self) -> str:
        said = os.pread(self._stderr.fileno(), _COMPLAINT_KEPT, 0)
        return said.decode("utf-8", "replace").strip()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            _kill(self._process)
            self._process.wait()
        self._stdout.close()
        self._stderr.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it has started: its whole session."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


class _TooMuch(Exception):
    """The command writes without end."""


class _Exchange:
    """Standard input in, both outputs out, side by side, bounded in time and size."""

    def __init__(self, process: subprocess.Popen[bytes], data: bytes, deadline: float) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._process, self._deadline = process, deadline
        self._stdin, self._unsent = process.stdin, memoryview(data)
        self._outputs = (_Output(process.stdout), _Output(process.stderr))
        self._selector = selectors.DefaultSelector()

    def run(self) -> Completed:
        """Raises TimeoutError, _TooMuch."""
        with self._selector:
            os.set_blocking(self._stdin.fileno(), False)
            self._selector.register(self._stdin, selectors.EVENT_WRITE, self._send)
            for output in self._outputs:
                self._selector.register(output.pipe, selectors.EVENT_READ, output.receive)
            while self._selector.get_map():
                self._step()
        try:
            code = self._process.wait(self._left())
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        out, err = self._outputs
        return Completed(code, bytes(out.data), bytes(err.data))

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _step(self) -> None:
        ready = self._selector.select(self._left())
        if not ready:
            raise TimeoutError
        for key, _ in ready:
            if key.data():
                self._selector.unregister(key.fileobj)

    def _send(self) -> bool:
        """Whether all of standard input is sent; it is closed then."""
        with contextlib.suppress(BrokenPipeError):
            self._unsent = self._unsent[os.write(self._stdin.fileno(), self._unsent[:_BLOCK]) :]
            if self._unsent:
                return False
        self._stdin.close()
        return True


class _Output:
    """One of the command's outputs, as far as it is read."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.pipe = pipe
        self.data = bytearray()

    def receive(self) -> bool:
        """Whether the output has come to its end. Raises _TooMuch."""
        block = os.read(self.pipe.fileno(), _BLOCK)
        self.data += block
        if len(self.data) > OUTPUT_LIMIT:
            raise _TooMuch
        return not block
