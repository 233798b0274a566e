"""What a scan has found so far, in one process or merged from several.

Runs on the mail hosts, with their own python3 (3.9 or newer) and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eymail.exim import reasons
from eymail.exim.diagnosis import Held
from eymail.exim.query import domain_of, text
from eymail.exim.spool import Message

_LONGEST_ERROR = 400

Line = dict[str, Any]


class Rows:
    """A line for each message."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    def add(self, message: Message, held: list[Held], _wanted: list[Held]) -> None:
        envelope = message.envelope
        recipients = [[text(one.recipient), one.reason, text(one.error[:_LONGEST_ERROR])] for one in held]
        self._lines.append({
            "kind": "message", "id": text(message.id), "queue": message.queue, "received": envelope.received,
            "size": message.size, "sender": text(envelope.sender), "frozen": envelope.frozen,
            "recipients": recipients,
        })  # fmt: skip

    def merge(self, other: Rows) -> None:
        self._lines += other._lines

    def lines(self) -> Iterator[Line]:
        return iter(self._lines)


class Sums:
    """A line for each recipient domain and reason."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], list[int]] = {}

    def add(self, message: Message, _held: list[Held], wanted: list[Held]) -> None:
        counts: dict[tuple[str, str], int] = {}
        for one in wanted:
            key = (domain_of(one.recipient), one.reason)
            counts[key] = counts.get(key, 0) + 1
        envelope = message.envelope
        for key, count in (counts or {("", reasons.NONE_LEFT): 0}).items():
            self._count(key, (1, count, message.size, int(envelope.frozen)), envelope.received)

    def _count(self, key: tuple[str, str], numbers: tuple[int, ...], received: int) -> None:
        group = self._groups.get(key)
        if group is None:
            self._groups[key] = [received, *numbers]
        else:
            group[0] = min(group[0], received)
            for at, number in enumerate(numbers, 1):
                group[at] += number

    def merge(self, other: Sums) -> None:
        for key, (received, *numbers) in other._groups.items():
            self._count(key, tuple(numbers), received)

    def lines(self) -> Iterator[Line]:
        for (domain, reason), (oldest, messages, recipients, size, frozen) in self._groups.items():
            yield {
                "kind": "group", "domain": domain, "reason": reason, "messages": messages,
                "recipients": recipients, "size": size, "frozen": frozen, "oldest": oldest,
            }  # fmt: skip


class Tally:
    """Rows or sums, the totals, and what is not decided yet."""

    def __init__(self, *, sums: bool) -> None:
        self.sink: Any = Sums() if sums else Rows()
        self.pending: list[tuple[Message, list[Held]]] = []
        self.malformed: list[list[str]] = []
        self._total = {"messages": 0, "recipients": 0, "size": 0, "frozen": 0}
        self._oldest: int | None = None

    def add(self, message: Message, held: list[Held], wanted: list[Held]) -> None:
        """Count a message that is meant; ``wanted`` are its recipients that are."""
        envelope = message.envelope
        total = self._total
        total["messages"] += 1
        total["recipients"] += len(wanted)
        total["size"] += message.size
        total["frozen"] += envelope.frozen
        self._seen(envelope.received)
        self.sink.add(message, held, wanted)

    def _seen(self, received: int | None) -> None:
        if self._oldest is None or (received is not None and received < self._oldest):
            self._oldest = received

    def merge(self, other: Tally) -> None:
        """Add what another process found."""
        self.sink.merge(other.sink)
        self.pending += other.pending
        self.malformed += other.malformed
        self._seen(other._oldest)
        for name, count in other._total.items():
            self._total[name] += count

    def end(self) -> Line:
        """The totals as the last line."""
        return {"kind": "end", "malformed": self.malformed, "oldest": self._oldest, **self._total}
