"""Sets of addresses of both families, as ranges: what terms match, and the fewest networks that say so."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from ipaddress import IPv4Address, IPv6Address, ip_network, summarize_address_range

from eymail.dns.spf.record import Network

Range = tuple[int, int]
Ranges = tuple[Range, ...]
"""Disjoint, not even touching, in order; both ends are in it."""

_LAST = {4: 2**32 - 1, 6: 2**128 - 1}


@dataclass(frozen=True)
class Space:
    """A set of IPv4 and IPv6 addresses."""

    v4: Ranges = ()
    v6: Ranges = ()

    @classmethod
    def of(cls, networks: Iterable[Network]) -> Space:
        """The addresses in any of the networks."""
        found: dict[int, list[Range]] = {4: [], 6: []}
        for network in networks:
            found[network.version].append((int(network[0]), int(network[-1])))
        return cls(_merged(found[4]), _merged(found[6]))

    @classmethod
    def union(cls, spaces: Iterable[Space]) -> Space:
        """All of them together, in one go."""
        every = tuple(spaces)
        return cls(
            _merged(one for space in every for one in space.v4),
            _merged(one for space in every for one in space.v6),
        )

    def __or__(self, other: Space) -> Space:
        return Space(_merged((*self.v4, *other.v4)), _merged((*self.v6, *other.v6)))

    def __sub__(self, other: Space) -> Space:
        return Space(_without(self.v4, other.v4), _without(self.v6, other.v6))

    def __and__(self, other: Space) -> Space:
        return self - (self - other)

    def __bool__(self) -> bool:
        return bool(self.v4 or self.v6)

    def networks(self) -> Iterator[Network]:
        """The fewest networks that make up this set, those of IPv4 first."""
        for start, end in self.v4:
            yield from summarize_address_range(IPv4Address(start), IPv4Address(end))
        for start, end in self.v6:
            yield from summarize_address_range(IPv6Address(start), IPv6Address(end))


EVERYTHING = Space(((0, _LAST[4]),), ((0, _LAST[6]),))


def _merged(ranges: Iterable[Range]) -> Ranges:
    found: list[Range] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)


def _without(ranges: Ranges, others: Ranges) -> Ranges:
    return tuple(part for one in ranges for part in _cut_out(one, _touching(one, others)))


def _touching(one: Range, others: Ranges) -> Ranges:
    """Those that have something in common with a range, found by halving: there may be thousands."""
    first = bisect_left(others, one[0], key=lambda other: other[1])
    last = bisect_right(others, one[1], key=lambda other: other[0])
    return others[first:last]


def _cut_out(one: Range, others: Ranges) -> Ranges:
    whole: Ranges = (one,)
    return reduce(_cut, others, whole)


def _cut(parts: Ranges, other: Range) -> Ranges:
    return tuple(piece for part in parts for piece in _pieces(part, other))


def _pieces(part: Range, other: Range) -> Iterator[Range]:
    """What is left of a range when another is taken out of it."""
    (start, end), (first, last) = part, other
    if last < start or first > end:
        yield part
        return
    if start < first:
        yield start, first - 1
    if last < end:
        yield last + 1, end


def fewest(wanted: Space, decided: Space) -> tuple[Network, ...]:
    """The fewest networks that match ``wanted`` where ``decided`` was matched before, and so may be in it.

    None of a family in which ``wanted`` adds nothing.
    """
    choices = [tuple(choice.networks()) for choice in (wanted - decided, wanted, wanted | decided)]
    needed = sorted({network.version for network in choices[0]})
    return tuple(network for family in needed for network in _least(choices, family))


def _least(choices: Iterable[Iterable[Network]], family: int) -> tuple[Network, ...]:
    of_family = (tuple(one for one in choice if one.version == family) for choice in choices)
    return min(of_family, key=len)


def around(address: str, prefix: int) -> Network:
    """The network of a prefix length that an address is in."""
    return ip_network(f"{address}/{prefix}", strict=False)
