"""A spool directory, read as it lies: all its queues, in both layouts, while Exim works on it.

Messages come and go meanwhile: a file that vanishes is no error, nothing is ever locked
(a ``-H`` file is replaced by rename, so one open and read is consistent), and a file that
makes no sense is counted and named, and hides no other.
Runs on the mail hosts, with their own python3 (3.9 or newer) and nothing else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from eymail.exim.spool_file import Envelope, Malformed, parse

_HEADER_FILE = re.compile(
    rb"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})-H"
)
_CHUNK = 1 << 16
_LARGEST = 64 << 20
_LOG_TAIL = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotASpool(Exception):
    """The directory holds no queue."""


class Directory:
    """A directory with messages: the queue it belongs to, and where their logs may be."""

    __slots__ = ("input", "logs", "queue")

    def __init__(self, queue: str, input_path: Path, logs: tuple[Path, ...]) -> None:
        self.queue = queue
        self.input = input_path
        self.logs = logs


class Message:
    """A message in the queue. ``size`` is in bytes; ``undelivered`` are recipients still to be served."""

    __slots__ = ("envelope", "id", "queue", "size", "undelivered")

    def __init__(self, queue: str, message_id: bytes, envelope: Envelope) -> None:
        self.queue = queue
        self.id = message_id
        self.envelope = envelope
        self.size = 0
        self.undelivered: list[bytes] = []


def directories(spool: Path) -> list[Directory]:
    """Every directory of a spool that may hold messages.

    Raises NotASpool, and PermissionError when one of them may not be read.
    """
    bases = {entry.name: entry for entry in sorted(spool.iterdir()) if (entry / "input").is_dir()}
    if (spool / "input").is_dir():
        bases = {"": spool, **bases}
    if not bases:
        raise NotASpool(str(spool))
    return [directory for queue, base in bases.items() for directory in _layouts(queue, base)]


def _layouts(queue: str, base: Path) -> Iterator[Directory]:
    """The directory itself, and one for each letter where the spool is split."""
    inputs, logs = base / "input", base / "msglog"
    with os.scandir(inputs) as entries:  # many more than directories: no Path is made of each
        names = sorted(entry.name for entry in entries if len(entry.name) == 1 and entry.is_dir())
    yield Directory(queue, inputs, (logs, *(logs / name for name in names)))
    for name in names:
        yield Directory(queue, inputs / name, (logs / name, logs))


class Reader:
    """Reads the messages of one directory. ``malformed`` fills with names and what is wrong."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.malformed: list[tuple[bytes, str]] = []
        self._input = os.open(directory.input, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._logs = [fd for fd in map(_opened, directory.logs) if fd is not None]
        names = os.listdir(os.fsencode(directory.input))  # noqa: PTH208 - bytes, which pathlib has not
        self._journals = {name for name in names if name.endswith(b"-J")}
        self.ids = [name[:-2] for name in names if name.endswith(b"-H") and _HEADER_FILE.fullmatch(name)]

    def close(self) -> None:
        for fd in (self._input, *self._logs):
            os.close(fd)

    def message(self, message_id: bytes) -> Message | None:
        """One message; None when it is gone or malformed. Raises PermissionError."""
        name = message_id + b"-H"
        try:
            envelope = parse(_content(name, self._input), name)
        except FileNotFoundError:
            return None
        except PermissionError:
            raise  # not this file's fault: whoever looks is the wrong one
        except (Malformed, OSError) as error:
            self.malformed.append((name, _words(error)))
            return None
        message = Message(self.directory.queue, message_id, envelope)
        message.size = envelope.header_size + self._body_size(message_id) + 1
        message.undelivered = self._undelivered(message_id, envelope)
        return message

    def _body_size(self, message_id: bytes) -> int:
        try:
            size = os.stat(message_id + b"-D", dir_fd=self._input, follow_symlinks=False).st_size
        except FileNotFoundError:
            return 0
        return max(size - len(message_id) - 3, 0)

    def _undelivered(self, message_id: bytes, envelope: Envelope) -> list[bytes]:
        journal = message_id + b"-J"
        done = envelope.delivered
        if journal in self._journals:
            done = done.union(_optional(journal, self._input).split(b"\n"))
        return (
            [address for address in envelope.recipients if address not in done]
            if done
            else envelope.recipients
        )

    def log(self, message_id: bytes) -> bytes | None:
        """The end of the message's own log; None when there is none."""
        for directory in self._logs:
            try:
                return _content(message_id, directory, tail=_LOG_TAIL)
            except FileNotFoundError:
                continue
            except OSError:
                return None
        return None


def _words(error: Exception) -> str:
    return (error.strerror or "unreadable") if isinstance(error, OSError) else str(error)


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None


def _optional(name: bytes, directory: int) -> bytes:
    try:
        return _content(name, directory)
    except OSError:
        return b""


def _content(name: bytes, directory: int, tail: int = 0) -> bytes:
    """A file's content, or its last ``tail`` bytes. Raises OSError; Malformed when it is too large."""
    fd = os.open(name, _FLAGS, dir_fd=directory)
    try:
        if tail and os.fstat(fd).st_size > tail:
            os.lseek(fd, -tail, os.SEEK_END)
        content = os.read(fd, _CHUNK)
        return content if len(content) < _CHUNK else _rest(fd, content)
    finally:
        os.close(fd)


def _rest(fd: int, start: bytes) -> bytes:
    chunks, size = [start], len(start)
    while chunks[-1]:
        chunks.append(os.read(fd, _CHUNK))
        size += len(chunks[-1])
        if size > _LARGEST:
            raise Malformed("far too large")
    return b"".join(chunks)
