"""What the corpus is made with: a drawer of lots that is the same on every machine, names, addresses."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator

from tests.oracles.case import Case
from tests.oracles.zones import HALF, Record

Theme = Callable[[random.Random], Case]

DOMAIN = "example.com"
FOUR, SIX, MAPPED = "192.0.2.3", "2001:db8::cb01", "::ffff:192.0.2.3"
OTHER_FOUR, OTHER_SIX = "198.51.100.77", "2001:db8:ffff::77"
CLIENTS = (FOUR, FOUR, SIX, MAPPED)
HALVES: Record = (HALF, ((FOUR, OTHER_FOUR), (SIX, OTHER_SIX)))
QUALIFIERS = ("", "+", "-", "~", "?")
REVERSE_FOUR = "3.2.0.192.in-addr.arpa"
REVERSE_SIX = "1.0.b.c" + ".0" * 20 + ".8.b.d.0.1.0.0.2.ip6.arpa"

Records = dict[str, list[Record]]


def spf(text: str) -> list[Record]:
    return [("TXT", text)]


def reverse(*names: str) -> Records:
    """PTR records of all the clients, in the order that eymail puts them in wherever they come from."""
    records: list[Record] = [("PTR", name) for name in sorted(names, key=str.lower)]
    return {REVERSE_FOUR: records, REVERSE_SIX: records}


def addresses(hit: bool) -> list[Record]:
    """A host's addresses: the clients', or others."""
    return [("A", FOUR if hit else OTHER_FOUR), ("AAAA", SIX if hit else OTHER_SIX)]


def numbered(theme: str, make: Theme, count: int) -> Iterator[Case]:
    """So many cases of a theme; each has lots of its own, so that more of them change none."""
    for number in range(count):
        made = make(random.Random(f"{theme} {number}"))
        yield Case(
            f"{theme} {number}", made.zones, made.ip, made.sender, made.helo,
            made.kinds | {theme}, made.verdict, made.section,
        )  # fmt: skip


def listed(theme: str, cases: Iterable[Case]) -> Iterator[Case]:
    for number, one in enumerate(cases):
        yield Case(
            f"{theme} {number} {one.name}", one.zones, one.ip, one.sender, one.helo,
            one.kinds | {theme}, one.verdict, one.section,
        )  # fmt: skip


def odd_case(draw: random.Random, text: str) -> str:
    """The text in its own case, mostly, or in a random one."""
    if draw.random() < 0.7:
        return text
    return "".join(draw.choice((one.lower(), one.upper())) for one in text)
