"""Many clients, line by line: read, evaluated side by side, told in the order in which they came."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from queue import Empty, Queue
from threading import Thread
from typing import BinaryIO

from eymail.dns.spf.client import Client
from eymail.dns.spf.run import Pool
from eymail.env import Env
from eymail.errors import InvalidInput
from eymail.ops.spf.check import DEADLINE, Check, Triple, told
from eymail.ops.spf.target import policy_domain

_LONGEST_LINE = 8192
_READ_AHEAD = 1024
_EMPTY = {"<>": "", "-": ""}


def of_lines(
    env: Env,
    target: str,
    lines: Iterable[bytes | None],
    *,
    deadline: float = DEADLINE,
    expected: tuple[str, ...] = (),
) -> Iterator[Check | InvalidInput]:
    """A check for each line, an error for each that is none. None among the lines means: no more just now.

    A line is ``IP [SENDER [HELO]]``, parted by blanks, with ``<>`` or ``-`` for what is empty, or a JSON
    object with these names in lower case. Empty lines and those that begin with ``#`` are passed over.
    """
    read = _Read(env, target)
    for verdict in Pool(env.asker, deadline).verdicts(read.clients(lines)):
        yield from read.errors()
        yield told(*read.client(), verdict, expected)
    yield from read.errors()


class _Read:
    """What was read and not told yet, in order: clients with the domains meant, and bad lines."""

    def __init__(self, env: Env, target: str) -> None:
        self._config, self._target = env.config, target
        self._order: deque[tuple[Triple, str] | InvalidInput] = deque()

    def clients(self, lines: Iterable[bytes | None]) -> Iterator[tuple[Client, str] | None]:
        number = 0
        for line in lines:
            number += line is not None
            if line is None or not line.strip() or line.startswith(b"#"):
                yield None
                continue
            try:
                yield self._meant(parse(line))
            except InvalidInput as error:
                self._order.append(InvalidInput(f"line {number}: {error.message}", error.hint))

    def _meant(self, triple: Triple) -> tuple[Client, str]:
        client = triple.client()
        domain = policy_domain(self._config, self._target, triple.identity)
        self._order.append((triple, domain))
        return client, domain

    def errors(self) -> Iterator[InvalidInput]:
        """The bad lines before the next client."""
        while self._order and isinstance(first := self._order[0], InvalidInput):
            self._order.popleft()
            yield first

    def client(self) -> tuple[Triple, str]:
        """The next client."""
        found = self._order.popleft()
        assert not isinstance(found, InvalidInput)
        return found


def parse(line: bytes) -> Triple:
    """The client in a line. Raises InvalidInput."""
    if len(line) > _LONGEST_LINE:
        raise InvalidInput(f"longer than {_LONGEST_LINE} bytes", "a line is: IP SENDER HELO")
    text = line.decode("utf-8", "surrogateescape").strip()
    if text.startswith("{"):
        return _from_json(text)
    words = text.split()
    if len(words) > 3:
        raise InvalidInput(f"{len(words)} words", "a line is: IP SENDER HELO; <> or - for what is empty")
    return Triple(*(_EMPTY.get(word, word) for word in (*words, "", "")[:3]))


def _from_json(text: str) -> Triple:
    hint = 'such as {"ip": "192.0.2.1", "sender": "joe@example.com", "helo": "mx.example.com"}'
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"no JSON: {error}", hint) from error
    values = [found.get(name) or "" for name in ("ip", "sender", "helo")]
    if not all(isinstance(value, str) for value in values):
        raise InvalidInput("ip, sender and helo are texts", hint)
    return Triple(*values)


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, each read no further than to see that it is too long."""
    while line := file.readline(_LONGEST_LINE + 1):
        yield line
        rest = line
        while len(line) > _LONGEST_LINE and rest and not rest.endswith(b"\n"):
            rest = file.readline(_LONGEST_LINE)


def arriving(file: BinaryIO) -> Iterator[bytes | None]:
    """The lines of a pipe as they come; None where the next one is still to be waited for."""
    read: Queue[bytes | None] = Queue(_READ_AHEAD)

    def work() -> None:
        for line in lines_of(file):
            read.put(line)
        read.put(None)

    Thread(target=work, daemon=True).start()
    while True:
        try:
            line = read.get_nowait()
        except Empty:
            yield None
            line = read.get()
        if line is None:
            return
        yield line
