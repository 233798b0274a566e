"""An SPF record's terms, as they stand in the record (RFC 7208 section 4.6.1)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

VERSION = "v=spf1"


@dataclass(frozen=True)
class Term:
    """A mechanism or modifier: qualifier (+ - ~ ?), name in lower case, and its value, which may be empty."""

    qualifier: str
    name: str
    value: str

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
        """The network of an ip4 or ip6 mechanism; None for any other, or when it is no network."""
        if self.name not in ("ip4", "ip6"):
            return None
        try:
            network = ipaddress.ip_network(self.value, strict=False)
        except ValueError:
            return None
        return network if f"ip{network.version}" == self.name else None


def records(texts: Iterable[str]) -> tuple[str, ...]:
    """Those TXT records that are SPF records (RFC 7208 section 4.5)."""
    return tuple(text for text in texts if text.lower() == VERSION or text.lower().startswith(VERSION + " "))


def terms(record: str) -> tuple[Term, ...]:
    """The terms of an SPF record, in order."""
    return tuple(_term(word) for word in record.split(" ")[1:] if word)


def _term(word: str) -> Term:
    qualifier = word[0] if word[0] in "+-~?" else "+"
    rest = word.removeprefix(qualifier)
    cut = next((at for at, char in enumerate(rest) if char in ":=/"), len(rest))
    name, value = rest[:cut].lower(), rest[cut:]
    return Term(qualifier, name, value if value.startswith("/") else value[1:])
