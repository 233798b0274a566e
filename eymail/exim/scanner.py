"""Scans a queue where it lies and sends back rows, or only sums.

``eymail`` sends this program, with the modules that it imports, to each mail host and
runs it there; what it prints is one JSON object a line, the last one of kind ``end``.
It needs nothing but the host's python3 (3.9 or newer), changes nothing and locks nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eymail.exim import reasons
from eymail.exim.diagnosis import Diagnosis, Held
from eymail.exim.query import Query, domain_of, text
from eymail.exim.spool import Message, NotASpool, Reader, directories

_LONGEST_ERROR = 400
_EXIM = ("/usr/sbin/exim4", "/usr/sbin/exim", "/usr/exim/bin/exim")

Line = dict[str, Any]


class CannotScan(Exception):
    """The queue cannot be read; ``code`` is ``denied`` or ``missing``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Rows:
    """A line for each message, at once."""

    def add(self, message: Message, held: list[Held], _wanted: list[Held]) -> Iterator[Line]:
        envelope = message.envelope
        recipients = [[text(one.recipient), one.reason, text(one.error[:_LONGEST_ERROR])] for one in held]
        yield {
            "kind": "message", "id": text(message.id), "queue": message.queue, "received": envelope.received,
            "size": message.size, "sender": text(envelope.sender), "frozen": envelope.frozen,
            "recipients": recipients,
        }  # fmt: skip

    def finish(self) -> Iterator[Line]:
        return iter(())


class Sums:
    """A line for each recipient domain and reason, at the end."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], list[int]] = {}

    def add(self, message: Message, _held: list[Held], wanted: list[Held]) -> Iterator[Line]:
        counts: dict[tuple[str, str], int] = {}
        for one in wanted:
            key = (domain_of(one.recipient), one.reason)
            counts[key] = counts.get(key, 0) + 1
        for key, count in (counts or {("", reasons.NONE_LEFT): 0}).items():
            self._count(key, count, message)
        return iter(())

    def _count(self, key: tuple[str, str], recipients: int, message: Message) -> None:
        envelope = message.envelope
        group = self._groups.setdefault(key, [0, 0, 0, 0, envelope.received])
        group[0] += 1
        group[1] += recipients
        group[2] += message.size
        group[3] += envelope.frozen
        group[4] = min(group[4], envelope.received)

    def finish(self) -> Iterator[Line]:
        for (domain, reason), (messages, recipients, size, frozen, oldest) in self._groups.items():
            yield {
                "kind": "group", "domain": domain, "reason": reason, "messages": messages,
                "recipients": recipients, "size": size, "frozen": frozen, "oldest": oldest,
            }  # fmt: skip


class Scan:
    """One look at one spool. ``exim`` is its program, empty where it must not be asked."""

    def __init__(self, spool: str, query: Query, exim: str = "") -> None:
        self._spool = spool
        self._query = query
        self._diagnosis = Diagnosis(spool, exim)
        self._malformed: list[list[str]] = []
        self._pending: list[tuple[Message, list[Held]]] = []
        self._total = {"messages": 0, "recipients": 0, "size": 0, "frozen": 0}
        self._oldest = 0

    def lines(self, sink: Rows | Sums, now: float) -> Iterator[Line]:
        """What was found, as lines. Raises CannotScan."""
        for message, held, enough in self._messages():
            if enough:
                yield from self._judge(sink, message, held)
            else:
                self._pending.append((message, held))
        told = not self._pending or self._diagnosis.look_further(self._pending)
        for message, held in self._pending:
            yield from self._judge(sink, message, held)
        yield from sink.finish()
        yield {
            "kind": "end", "spool": self._spool, "now": int(now), "malformed": self._malformed,
            "retry_database": told, "oldest": self._oldest or None, **self._total,
        }  # fmt: skip

    def _messages(self) -> Iterator[tuple[Message, list[Held], bool]]:
        try:
            for directory in directories(Path(self._spool)):
                yield from self._in_directory(Reader(directory))
        except PermissionError as error:
            place = os.fsdecode(error.filename or self._spool)
            raise CannotScan("denied", f"may not read the queue in {place}") from error
        except (NotASpool, OSError) as error:
            raise CannotScan("missing", f"there is no Exim spool in {self._spool}") from error

    def _in_directory(self, reader: Reader) -> Iterator[tuple[Message, list[Held], bool]]:
        try:
            for message_id in filter(self._query.wants_id, reader.ids):
                message = reader.message(message_id)
                if message is not None and self._query.wants(message):
                    yield (message, *self._diagnosis.first_look(message, reader.log(message_id)))
        finally:
            self._malformed += [[text(name), wrong] for name, wrong in reader.malformed]
            reader.close()

    def _judge(self, sink: Rows | Sums, message: Message, held: list[Held]) -> Iterator[Line]:
        query = self._query
        wanted = [
            one for one in held if query.wants_recipient(one.recipient) and query.wants_reason(one.reason)
        ]
        if query.by_recipient and not wanted:
            return iter(())
        self._count(message, wanted)
        return sink.add(message, held, wanted)

    def _count(self, message: Message, wanted: list[Held]) -> None:
        envelope = message.envelope
        self._total["messages"] += 1
        self._total["recipients"] += len(wanted)
        self._total["size"] += message.size
        self._total["frozen"] += envelope.frozen
        self._oldest = min(self._oldest or envelope.received, envelope.received)


def scan(spool: str, filters: Mapping[str, Any], *, sums: bool, exim: str = "") -> Iterator[Line]:
    """Scan one spool: groups or messages, then the ``end`` line. Raises CannotScan."""
    now = time.time()
    sink = Sums() if sums else Rows()
    return Scan(spool, Query(filters, now), exim).lines(sink, now)


def find_exim() -> tuple[str, str]:
    """This host's Exim and its spool directory. Raises CannotScan when there is none."""
    for program in (one for one in _EXIM if Path(one).exists()):
        told = subprocess.run(
            [program, "-bP", "spool_directory"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10
        )
        spool = told.stdout.partition(b" = ")[2].strip()
        if spool:
            return program, os.fsdecode(spool)
        raise CannotScan(
            "denied", f"{program} does not tell its spool_directory: {text(told.stderr.strip())}"
        )
    raise CannotScan("missing", "there is no Exim")


def main(argument: str) -> None:
    """The whole program on a host: ``argument`` is the request as JSON."""
    request = json.loads(argument)
    try:
        exim, spool = find_exim()
        for line in scan(spool, request["filters"], sums=request["sums"], exim=exim):
            sys.stdout.write(json.dumps(line) + "\n")
    except CannotScan as error:
        sys.stdout.write(json.dumps({"kind": "error", "code": error.code, "message": str(error)}) + "\n")
