"""Which messages are meant: the filters that all queue commands share.

Runs on the mail hosts, with their own python3 (3.9 or newer) and nothing else.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from typing import Any

from eymail.exim.spool import Message


def text(raw: bytes) -> str:
    """Bytes from a spool as text; what is not UTF-8 is written as an escape."""
    return raw.decode("utf-8", "backslashreplace")


def domain_of(recipient: bytes) -> str:
    """The domain that a recipient is counted under, in lower case."""
    return text(recipient.rpartition(b"@")[2]).lower()


class Query:
    """Which messages are meant. Several values of one filter: any of them; several filters: all."""

    def __init__(self, filters: Mapping[str, Any], now: float) -> None:
        self._now = now
        self._ids = {str(one).encode() for one in filters.get("ids") or ()}
        self._senders = _patterns(_bare(one) for one in filters.get("senders") or ())
        self._recipients = _patterns(filters.get("recipients") or ())
        self._domains = _patterns(filters.get("domains") or ())
        self._reasons = tuple(str(one).lower() for one in filters.get("reasons") or ())
        self._older = filters.get("older")
        self._younger = filters.get("younger")
        self._frozen = bool(filters.get("frozen"))
        self.by_recipient = bool(self._recipients or self._domains or self._reasons)

    def wants_id(self, message_id: bytes) -> bool:
        return not self._ids or message_id in self._ids

    def wants(self, message: Message) -> bool:
        """Whether the message itself passes; its recipients are another question."""
        envelope = message.envelope
        age = self._now - envelope.received
        return (
            (envelope.frozen or not self._frozen)
            and (self._older is None or age > self._older)
            and (self._younger is None or age < self._younger)
            and (not self._senders or _any(self._senders, text(envelope.sender).lower()))
        )

    def wants_recipient(self, recipient: bytes) -> bool:
        return (not self._recipients or _any(self._recipients, text(recipient).lower())) and (
            not self._domains or _any(self._domains, domain_of(recipient))
        )

    def wants_reason(self, reason: str) -> bool:
        return not self._reasons or any(one in reason.lower() for one in self._reasons)


def _bare(sender: str) -> str:
    return "" if sender == "<>" else sender


def _patterns(globs: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(fnmatch.translate(glob.lower())) for glob in globs)


def _any(patterns: tuple[re.Pattern[str], ...], value: str) -> bool:
    return any(pattern.match(value) for pattern in patterns)
