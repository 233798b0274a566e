"""What the DNS says, as plain values.

Names are lower case without the last dot, odd bytes in them as ``\\DDD``, so text from the DNS is ASCII
whatever it was on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eymail.errors import DnsError


class Why(StrEnum):
    """Why a server gave no usable answer."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    NO_ROUTE = "no route"
    MALFORMED = "malformed"
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    OTHER_CODE = "other code"
    LAME = "not authoritative"
    REFERRAL = "referral"


class NoAnswer(DnsError):
    """No usable answer to one question; ``why`` says which way it went wrong."""

    def __init__(self, why: Why, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.why = why


@dataclass(frozen=True)
class Answer:
    """Records of one type as text, with the least TTL on the way to them, in seconds.

    ``owner`` is the name that they were found at, after CNAMEs.
    """

    owner: str
    ttl: int
    records: tuple[str, ...]


@dataclass(frozen=True)
class TxtAnswer:
    """TXT records as they were sent, the strings of each joined (RFC 7208 section 3.3)."""

    owner: str
    ttl: int
    raw: tuple[bytes, ...]

    @property
    def records(self) -> tuple[str, ...]:
        """The records as text, what is not printable ASCII as ``\\DDD``."""
        return tuple(as_text(record) for record in self.raw)


@dataclass(frozen=True, order=True)
class Mx:
    """A mail exchanger (RFC 5321 section 5.1). ``target`` is "" for a null MX (RFC 7505)."""

    preference: int
    target: str


@dataclass(frozen=True)
class MxAnswer:
    """MX records, best preference first."""

    owner: str
    ttl: int
    records: tuple[Mx, ...]


@dataclass(frozen=True)
class Soa:
    """A zone's start of authority (RFC 1035 section 3.3.13)."""

    zone: str
    primary: str
    serial: int
    minimum: int


@dataclass(frozen=True)
class Zone:
    """A zone and the names of its authoritative servers."""

    name: str
    servers: tuple[str, ...]


def as_text(data: bytes) -> str:
    """Bytes as text, what is not printable ASCII as ``\\DDD`` (RFC 1035 section 5.1)."""
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\{byte:03d}" for byte in data)
