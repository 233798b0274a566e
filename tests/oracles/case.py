"""What is put to every implementation: zones, a client, and what is said of the answer."""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracles.zones import Zones

RESULTS = ("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror")


@dataclass(frozen=True)
class Verdict:
    """A result of RFC 7208 section 2.6, and with fail the explanation, empty where there is none."""

    result: str
    explanation: str = ""


@dataclass(frozen=True, eq=False)
class Case:
    """One call of check_host().

    ``kinds`` are the words by which a deviation is explained (``deviations.py``); ``verdict`` is what the
    RFC gives, where a case is one of its own examples.
    """

    name: str
    zones: Zones
    ip: str
    sender: str = "strong-bad@email.example.com"
    helo: str = "mx.example.org"
    kinds: frozenset[str] = frozenset()
    verdict: Verdict | None = None
    section: str = ""

    @property
    def domain(self) -> str:
        """The domain that is checked first: the sender's, else the HELO name (sections 2.3 and 2.4)."""
        return self.sender.rpartition("@")[2] if self.sender else self.helo
