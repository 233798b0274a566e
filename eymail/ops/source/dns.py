"""What the DNS says of a dedicated address: the cluster's SPF record, the address's name, and its PTR.

Where the cluster's zones are ours to change these are steps, elsewhere the lines to publish.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, NamedTuple

from eymail.cluster.complete import outward_name
from eymail.cluster.zones import reverse_zone, spf_record
from eymail.config import Cluster
from eymail.dns import rows
from eymail.dns.spf import record as spf
from eymail.errors import DnsError, InvalidInput, NotFound, Refused
from eymail.ops import change
from eymail.ops.source.spf import with_address, without_address

if TYPE_CHECKING:
    from eymail.dns.update import DnsExecutor
    from eymail.env import Env
    from eymail.plan import Row, Step

_TTL = 300


class RRset(NamedTuple):
    """Which records: their zone, name and type."""

    zone: str
    name: str
    kind: str


@dataclass(frozen=True)
class Published:
    """Steps where the zones are ours, lines to be published by hand elsewhere, and the SPF record then.

    ``record_waits`` says that the SPF record is among what others have to publish; ``dangers`` are names
    of others that would go.
    """

    steps: tuple[Step, ...] = ()
    lines: tuple[str, ...] = ()
    record: str = ""
    record_waits: bool = False
    dangers: tuple[str, ...] = ()


def publish(env: Env, cluster: Cluster, address: IPv4Address) -> Published:
    """All that the DNS has to say when the address is a source address of the cluster.

    ``cluster`` has it already. Raises DnsError, Refused when there are several SPF records.
    """
    return _published(env, _Wanted(cluster, address, there=True))


def withdraw(env: Env, cluster: Cluster, address: IPv4Address) -> Published:
    """The same when it is none any more. Raises as ``publish``."""
    return _published(env, _Wanted(cluster, address, there=False))


class _Wanted:
    """Each RRset, and what becomes of what is there. ``present`` and results are in presentation form."""

    def __init__(self, cluster: Cluster, address: IPv4Address, *, there: bool) -> None:
        self.cluster, self.address, self.there = cluster, address, there
        self.name = f"{outward_name(address)}.{cluster.zone}"
        self.record = ""

    def rrsets(self) -> Iterator[RRset]:
        yield RRset(self.cluster.zone, self.cluster.spf_name, "TXT")
        yield RRset(self.cluster.zone, self.name, "A")
        yield RRset(reverse_zone(self.address), self.address.reverse_pointer, "PTR")

    def after(self, kind: str, present: Sequence[str]) -> tuple[str, ...]:
        if kind == "TXT":
            return self._texts(present)
        if kind == "A":
            return (str(self.address),) if self.there else ()
        own = f"{self.name}."
        if self.there:
            return (own,)
        return tuple(one for one in present if one != own)

    def _texts(self, present: Sequence[str]) -> tuple[str, ...]:
        """Other texts at the same name stay."""
        own = [(text, raw) for text, raw in _strings(present) if spf.records([raw])]
        if len(own) > 1:
            name = self.cluster.spf_name
            raise Refused(f"{name} has {len(own)} SPF records, which counts as an error", "leave one")
        others = [text for text in present if text not in [one for one, _ in own]]
        before = own[0][1].decode("utf-8", "replace") if own else ""
        self.record = self._spf(before)
        return (*others, *((rows.txt(self.record),) if self.record else ()))

    def _spf(self, before: str) -> str:
        if not before:
            return spf_record(self.cluster) if self.there else ""
        change = with_address if self.there else without_address
        return change(before, self.address)


def _strings(present: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    if present:
        for one in rows.rdataset("TXT", {"ttl": 0, "records": "\n".join(present)}):
            yield one.to_text(), b"".join(one.strings)


def _published(env: Env, wanted: _Wanted) -> Published:
    steps: list[Step] = []
    lines: list[str] = []
    waits = False
    primary = change.name_server(env) if wanted.cluster.update else None
    for rrset in wanted.rrsets():
        if primary is not None and _ours(primary, wanted.cluster, rrset):
            steps += _step(rrset, primary.read(*rrset), wanted)
        else:
            by_hand = tuple(_lines(env, rrset, wanted))
            lines += by_hand
            waits = waits or (rrset.kind == "TXT" and bool(by_hand))
    return Published(tuple(steps), tuple(lines), wanted.record, waits, tuple(_dangers(steps)))


def _dangers(steps: Iterable[Step]) -> Iterator[str]:
    """A PTR of somebody's that the address had before."""
    for step in steps:
        if step.key.endswith(" PTR") and step.before and step.after:
            yield f"{step.key.removesuffix(' PTR')} has a PTR already, which goes: {step.before['records']}"


def _ours(primary: DnsExecutor, cluster: Cluster, rrset: RRset) -> bool:
    """The cluster's own zone is; a reverse zone may be the provider's, and the primary does not serve it."""
    if rrset.zone == cluster.zone:
        return rrset.name.endswith(f".{cluster.zone}")
    try:
        return primary.read(rrset.zone, rrset.zone, "NS") is not None
    except DnsError:
        # Is it the zone or the server? Whoever serves the cluster's own zone is alive.
        primary.read(cluster.zone, cluster.zone, "NS")
        return False


def _step(rrset: RRset, before: Row | None, wanted: _Wanted) -> Iterator[Step]:
    present = str(before["records"]).splitlines() if before else []
    after = wanted.after(rrset.kind, present)
    if set(after) != set(present):
        ttl = before["ttl"] if before else _TTL
        assert isinstance(ttl, int)
        yield rows.step(*rrset, before, rows.row(rrset.kind, ttl, after) if after else None)


def _lines(env: Env, rrset: RRset, wanted: _Wanted) -> Iterator[str]:
    """What is to be changed by hand, seen from what the resolver has."""
    present = _present(env, rrset)
    after = wanted.after(rrset.kind, present)
    for one in after:
        if one not in present:
            yield f"publish: {rrset.name}. {_TTL} IN {rrset.kind} {one}"
    for one in present:
        if one not in after:
            yield f"take away: {rrset.name}. IN {rrset.kind} {one}"


def _present(env: Env, rrset: RRset) -> tuple[str, ...]:
    resolver = env.resolver
    try:
        if rrset.kind == "TXT":
            answer = resolver.txt(rrset.name)
            raw = answer.raw if answer else ()
            return tuple(rows.txt(one.decode("utf-8", "replace")) for one in raw)
        if rrset.kind == "A":
            return resolver.addresses(rrset.name, ("A",))
        found = resolver.ptr(str(IPv4Address(".".join(rrset.name.split(".")[3::-1]))))
    except (NotFound, InvalidInput):
        return ()
    return tuple(f"{name}." for name in found.records) if found else ()
