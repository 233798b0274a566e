"""What an evaluation has to know, and what the DNS said: plain values, whoever asks."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from eymail.dns.answers import Mx, NoAnswer

TYPES = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
LONGEST_LABEL = 63
LONGEST_NAME = 253
_RECURSION_DESIRED, _IN, _OPT = 0x0100, 1, 41


class Question(NamedTuple):
    """A name and the type asked of it: TXT, A, AAAA, MX or PTR.

    ``name`` is plain text, lower case, no last dot; nothing in it is an escape.
    """

    name: str
    kind: str


class Status(StrEnum):
    """How a question ended."""

    FOUND = "found"
    NOTHING = "nothing"
    NO_NAME = "no such name"
    FAILED = "failed"


@dataclass(frozen=True)
class Reply:
    """The records of one question: bytes for TXT, Mx for MX, text for the others.

    ``ttl`` in seconds, the least on the way; ``owner`` where CNAMEs led, "" where there were none.
    ``size`` is that of the answer in bytes. ``problem`` says why it failed.
    """

    status: Status
    records: tuple[bytes, ...] | tuple[str, ...] | tuple[Mx, ...] = ()
    ttl: int = 0
    owner: str = ""
    problem: str = ""
    size: int = 0

    @property
    def void(self) -> bool:
        """No error and no records (RFC 7208 section 4.6.4)."""
        return self.status in (Status.NOTHING, Status.NO_NAME)

    @property
    def texts(self) -> tuple[bytes, ...]:
        """The records of a TXT question, the strings of each joined."""
        return tuple(record for record in self.records if isinstance(record, bytes))

    @property
    def names(self) -> tuple[str, ...]:
        """The records of an A, AAAA or PTR question."""
        return tuple(record for record in self.records if isinstance(record, str))

    @property
    def exchangers(self) -> tuple[str, ...]:
        """The targets of an MX question, best first, without those of a null MX (RFC 7505)."""
        return tuple(record.target for record in self.records if isinstance(record, Mx) and record.target)

    @classmethod
    def failed(cls, error: NoAnswer) -> Reply:
        return cls(Status.FAILED, problem=error.message)


def ask(name: str, kind: str) -> Question:
    """A question for a name as it stands, in any case and with or without its last dot."""
    return Question(name.removesuffix(".").lower(), kind)


def askable(name: str) -> bool:
    """Whether a text can be a name at all: no empty and no overlong label (RFC 1035 section 2.3.4)."""
    labels = [_bytes(label) for label in name.split(".")]
    fits = all(0 < len(label) <= LONGEST_LABEL for label in labels)
    return fits and sum(len(label) + 1 for label in labels) - 1 <= LONGEST_NAME


def labels(name: str) -> tuple[bytes, ...]:
    """An absolute name's labels as they go on the wire, the root's included."""
    return (*(_bytes(label) for label in name.split(".")), b"")


def _bytes(label: str) -> bytes:
    return label.encode("utf-8", "surrogateescape")


def packet(id: int, name: tuple[bytes, ...], kind: str, payload: int) -> bytes:
    """A recursive question as it goes on the wire (RFC 1035 section 4.1, RFC 6891 section 6.1.2).

    ``name`` are its labels, ``payload`` the bytes that an answer may have, 0 for no EDNS. It is what
    dnspython makes, made here so that a question is on its way while dnspython is still being loaded.
    """
    head = struct.pack("!6H", id, _RECURSION_DESIRED, 1, 0, 0, bool(payload))
    wire = b"".join(bytes([len(label)]) + label for label in name)
    option = b"\0" + struct.pack("!HHIH", _OPT, payload, 0, 0) if payload else b""
    return head + wire + struct.pack("!HH", TYPES[kind], _IN) + option
