"""A limit to what a mail server can cost in a probe, whatever it sends.

imaplib, poplib and smtplib limit the length of a line, but neither the number of lines nor
the time that they take together.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eymail.hosts import Channel

MOST_BYTES = 4 * 1024 * 1024
LONGEST = 60.0


class Bounded:
    """A channel that comes to its end when the server sends too much or takes too long altogether.

    ``exceeded`` says in words which limit it was; it is empty while none was reached.
    """

    def __init__(self, channel: Channel, most: int = MOST_BYTES, seconds: float = LONGEST) -> None:
        self._channel, self._most, self._seconds = channel, most, seconds
        self._received = 0
        self._end = time.monotonic() + seconds
        self.exceeded = ""

    def recv(self, size: int, /) -> bytes:
        data = self._channel.recv(size)
        self._received += len(data)
        if self._received > self._most:
            self.exceeded = f"the server sent more than {self._most} bytes"
        elif time.monotonic() > self._end:
            self.exceeded = f"the server was not done within {self._seconds:g} s"
        return b"" if self.exceeded else data

    def settimeout(self, seconds: float | None, /) -> None:
        self._channel.settimeout(seconds)

    def sendall(self, data: bytes, /) -> None:
        self._channel.sendall(data)

    def shutdown(self, how: int, /) -> None:
        self._channel.shutdown(how)

    def close(self) -> None:
        self._channel.close()
