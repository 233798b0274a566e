"""Which hosts a lab has, with which addresses, and what runs on each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

CLUSTER = "ey04"
ZONE = "ey04.engineyard.com"
NAME_SERVERS = ("ns1.engineyard.com", "ns2.engineyard.com")
CUSTOMER = "customer.example"
BLOCK_LIST = "blocked.example"


@dataclass(frozen=True)
class LabHost:
    """A container: its addresses on the two networks, its services, and what shows that it is ready.

    ``ready`` names (address, port, greeting): the greeting is what the service says first, empty when a
    connection is enough, ``dns`` for a name server that has to answer for the root.
    """

    name: str
    inside: IPv4Address | None
    outside: IPv4Address | None
    services: tuple[str, ...]
    ready: tuple[tuple[IPv4Address, int, str], ...] = ()


@dataclass(frozen=True)
class Topology:
    """The lab on subnets number ``number`` (0 to 255)."""

    number: int

    @property
    def inside_network(self) -> IPv4Network:
        return IPv4Network(f"10.44.{self.number}.0/24")

    @property
    def outside_network(self) -> IPv4Network:
        """In the range that RFC 2544 sets apart for benchmarks, which is nobody's."""
        return IPv4Network(f"198.18.{self.number}.0/24")

    def inside(self, last: int) -> IPv4Address:
        return self.inside_network[last]

    def outside(self, last: int) -> IPv4Address:
        return self.outside_network[last]

    @property
    def resolver(self) -> IPv4Address:
        return self.outside(53)

    def hosts(self) -> tuple[LabHost, ...]:
        """Every host, the name servers first, for the others ask them when they start."""
        return (*self._outside_hosts(), *self._cluster_hosts())

    def _cluster_hosts(self) -> Iterator[LabHost]:
        ssh, smtp = (22, "SSH-2.0"), (25, "220")
        yield self._inner("gateway", 2, ("nftables", "ssh"), ssh, outside=10)
        yield self._inner("lb1", 10, ("haproxy", "ssh"), ssh, smtp)
        for name, last in (("relay1", 11), ("relay2", 12), ("deferred1", 13)):
            yield self._inner(name, last, ("exim4", "ssh"), ssh, smtp)
        imap, pop3 = (143, "* OK"), (110, "+OK")
        yield self._inner("mail1", 14, ("dovecot", "exim4", "ssh"), ssh, smtp, imap, pop3)
        for name, last in (("slice1", 21), ("slice2", 22)):
            yield self._inner(name, last, ("ssh",), ssh)

    def _inner(
        self, name: str, last: int, services: tuple[str, ...], *ready: tuple[int, str], outside: int = 0
    ) -> LabHost:
        address = self.inside(last)
        checks = tuple((address, port, greeting) for port, greeting in ready)
        return LabHost(name, address, self.outside(outside) if outside else None, services, checks)

    def _outside_hosts(self) -> Iterator[LabHost]:
        for name, last in (("ns1", 54), ("ns2", 55)):
            yield self._outer(name, last, ("knot",), (53, "dns"))
        yield self._outer("resolver", 53, ("unbound",), (53, "dns"))
        for name, last, mode in (("accept", 61, "accept"), ("busy", 62, "busy"), ("later", 63, "later")):
            yield self._outer(f"mx-{name}", last, (f"standin {mode}",), (25, "220"))
        yield self._outer("mx-reject", 64, ("standin reject",), (25, "220"))
        yield self._outer("mx-hang", 65, ("standin hang",), (25, ""))
        yield self._outer("mx-refuse", 66, ())
        yield self._outer("mailtrust", 70, ("dovecot", "standin lmtp"), (25, "220"), (143, "* OK"))
        yield self._outer("workstation", 100, ())

    def _outer(self, name: str, last: int, services: tuple[str, ...], *ready: tuple[int, str]) -> LabHost:
        address = self.outside(last)
        return LabHost(name, None, address, services, tuple((address, *check) for check in ready))

    def public(self) -> dict[str, IPv4Address]:
        """The outside addresses by which the gateway lets in: SSH to slices, mail to the mail host."""
        return {"mail1": self.outside(14), "slice1": self.outside(21), "slice2": self.outside(22)}
