"""What the DNS says, as plain values: names without the last dot, text with control bytes escaped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Mx:
    """A mail exchanger (RFC 5321 section 5.1). ``target`` is "" for a null MX (RFC 7505)."""

    preference: int
    target: str


@dataclass(frozen=True)
class Answer:
    """The records of one name and type, in one form of text each, with their TTL in seconds.

    ``name`` is the owner that the records were found at, after CNAMEs.
    """

    name: str
    ttl: int
    records: tuple[str, ...]


@dataclass(frozen=True)
class MxAnswer:
    """A domain's MX records, by preference, with their TTL in seconds."""

    ttl: int
    records: tuple[Mx, ...]
