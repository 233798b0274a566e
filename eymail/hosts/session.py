"""What is done over an SSH connection: a command, a command under way, a forwarded stream.

Loads paramiko; only ``ssh`` imports it.
"""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, cast

import paramiko

from eymail.errors import HostError
from eymail.hosts import OUTPUT_LIMIT, Channel, Completed

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_BLOCK = 65536
_COMPLAINT_KEPT = 4096
_SILENCE = 120.0
_CANNOT_CONNECT = 2
_FAULTS = (paramiko.SSHException, EOFError, OSError)


class NoAnswer(HostError):
    """The host has said neither yes nor no in time: it is dead, or what it tries to reach is."""


def run(name: str, transport: paramiko.Transport, command: str, data: bytes, timeout: float) -> Completed:
    """A command from start to end. Raises HostError."""
    what = command.split(" ", 1)[0]
    deadline = time.monotonic() + timeout
    channel = _session(name, transport, timeout)
    # paramiko waits for the answer to "exec" without a deadline; closing the channel wakes it.
    watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), _close, [channel])
    watchdog.daemon = True
    watchdog.start()
    try:
        return _Exchange(channel, data).run(command)
    except _TooMuch as error:
        raise HostError(f"{name}: {what} wrote more than {OUTPUT_LIMIT} bytes") from error
    except _FAULTS as error:
        if time.monotonic() >= deadline:
            raise HostError(f"{name}: {what} did not end within {timeout:g} s") from error
        raise HostError(f"{name}: the connection broke while {what} ran", "run it again") from error
    finally:
        watchdog.cancel()
        _close(channel)


def _close(channel: paramiko.Channel) -> None:
    """Closing a channel says so to the host, which may be gone."""
    with contextlib.suppress(*_FAULTS):
        channel.close()


def _session(name: str, transport: paramiko.Transport, timeout: float) -> paramiko.Channel:
    try:
        return transport.open_session(timeout=timeout)
    except paramiko.ChannelException as error:
        raise HostError(
            f"{name} starts no command: {error.text}", "does this user get a session there?"
        ) from error
    except _FAULTS as error:
        raise HostError(f"{name} does not answer: {error}") from error


class _TooMuch(Exception):
    """The command writes without end."""


class _Exchange:
    """Standard input in, both outputs out, each by its own thread; the channel's end ends all."""

    def __init__(self, channel: paramiko.Channel, data: bytes) -> None:
        self._channel, self._data = channel, data
        self._faults: list[Exception] = []

    def run(self, command: str) -> Completed:
        self._channel.exec_command(command)
        errors = bytearray()
        threads = [
            threading.Thread(target=self._send, daemon=True),
            threading.Thread(target=self._receive, args=(self._channel.recv_stderr, errors), daemon=True),
        ]
        for thread in threads:
            thread.start()
        output = bytearray()
        self._receive(self._channel.recv, output)
        for thread in threads:
            thread.join()
        code = self._channel.recv_exit_status()
        if self._faults:
            raise self._faults[0]
        if code < 0:
            raise paramiko.SSHException("no exit status")
        return Completed(code, bytes(output), bytes(errors))

    def _send(self) -> None:
        with contextlib.suppress(OSError):  # a command need not read what it is given
            self._channel.sendall(self._data)
        with contextlib.suppress(*_FAULTS):
            self._channel.shutdown_write()

    def _receive(self, read: Callable[[int], bytes], buffer: bytearray) -> None:
        try:
            while block := read(_BLOCK):
                buffer += block
                if len(buffer) > OUTPUT_LIMIT:
                    raise _TooMuch
        except (*_FAULTS, _TooMuch) as error:
            self._faults.append(error)
            _close(self._channel)


class _Stream(io.RawIOBase):
    """A session's standard input and output as a raw file."""

    def __init__(self, name: str, channel: paramiko.Channel) -> None:
        self._name, self._channel = name, channel

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        try:
            block = self._channel.recv(len(view))
        except TimeoutError as error:
            raise HostError(f"{self._name} has said nothing for {_SILENCE:g} s") from error
        view[: len(block)] = block
        return len(block)

    def write(self, data: ReadableBuffer) -> int:
        return self._channel.send(bytes(memoryview(data)[:_BLOCK]))


class _Input(io.BufferedWriter):
    """Standard input; closing it is the command's end of file."""

    def __init__(self, stream: _Stream, channel: paramiko.Channel) -> None:
        super().__init__(stream, _BLOCK)
        self._channel = channel

    def close(self) -> None:
        if not self.closed:
            with contextlib.suppress(*_FAULTS):
                super().close()
            with contextlib.suppress(*_FAULTS):
                self._channel.shutdown_write()


class SshProcess:
    """A command under way on the other host."""

    def __init__(self, name: str, transport: paramiko.Transport, command: str, timeout: float) -> None:
        self._channel = channel = _session(name, transport, timeout)
        watchdog = threading.Timer(timeout, _close, [channel])
        watchdog.daemon = True
        watchdog.start()
        try:
            channel.exec_command(command)
        except _FAULTS as error:
            _close(channel)
            raise HostError(f"{name} does not start {command.split(' ', 1)[0]}") from error
        finally:
            watchdog.cancel()
        channel.settimeout(_SILENCE)
        self._stdin = _Input(_Stream(name, channel), channel)
        self._stdout = io.BufferedReader(_Stream(name, channel), _BLOCK)
        self._said = bytearray()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def stdin(self) -> IO[bytes]:
        return cast("IO[bytes]", self._stdin)

    @property
    def stdout(self) -> IO[bytes]:
        return cast("IO[bytes]", self._stdout)

    def complaint(self) -> str:
        return self._said.decode("utf-8", "replace").strip()

    def close(self) -> None:
        self._stdin.close()
        _close(self._channel)
        self._listener.join(1.0)

    def _listen(self) -> None:
        """Keep the beginning of standard error, and let the rest pass, so that it never blocks."""
        while True:
            try:
                block = self._channel.recv_stderr(_BLOCK)
            except TimeoutError:
                continue
            except _FAULTS:
                return
            if not block:
                return
            self._said += block[: _COMPLAINT_KEPT - len(self._said)]


def forward(name: str, transport: paramiko.Transport, address: str, port: int, timeout: float) -> Channel:
    """A TCP connection from the host to ``address``. Raises HostError."""
    where = f"{address} port {port}"
    try:
        return transport.open_channel("direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=timeout)
    except paramiko.ChannelException as error:
        if error.code == _CANNOT_CONNECT:
            raise HostError(
                f"{name} cannot connect to {where}: {error.text}", "is the service up?"
            ) from error
        raise HostError(
            f"{name} does not forward to {where}: {error.text}",
            "its sshd permits certain addresses only; see PermitOpen there",
        ) from error
    except _FAULTS as error:
        raise NoAnswer(f"{name} gave no answer about {where} within {timeout:g} s") from error
