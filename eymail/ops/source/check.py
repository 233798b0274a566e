"""Which address may be dedicated to which domain, and which inner addresses are free for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import TYPE_CHECKING, TypeVar

from eymail.config import Cluster, Role
from eymail.errors import InvalidInput, Refused
from eymail.model import quoted
from eymail.ops.inventory import Assigned

if TYPE_CHECKING:
    from eymail.hosts.neighbours import Neighbourhood

K = TypeVar("K")
SENDING = (Role.RELAY, Role.DEFERRED)


def parse_address(text: str) -> IPv4Address:
    """An address that mail can come from. Raises InvalidInput."""
    try:
        address = IPv4Address(text)
    except AddressValueError as error:
        raise InvalidInput(f"{quoted(text)} is no IPv4 address", "as in 203.0.113.12") from error
    if address.is_multicast or address.is_loopback or address.is_link_local or address.is_unspecified:
        raise InvalidInput(f"no mail can come from {address}", "as in 203.0.113.12")
    if address in IPv4Network("240.0.0.0/4"):
        raise InvalidInput(f"no mail can come from {address}", "as in 203.0.113.12")
    return address


def parse_inside(texts: Iterable[str]) -> dict[str, IPv4Address]:
    """Inner addresses by host, from texts such as relay1=10.44.0.114. Raises InvalidInput."""
    found: dict[str, IPv4Address] = {}
    for text in texts:
        host, equals, address = text.partition("=")
        if not host or not equals or host in found:
            raise InvalidInput(f"{quoted(text)} gives no host an inner address", "as in relay1=10.44.0.114")
        found[host] = parse_address(address)
    return found


def check_address(clusters: Iterable[Cluster], cluster: Cluster, address: IPv4Address) -> None:
    """Raises Refused when the address is somebody's in an inventory already."""
    if cluster.network and address in cluster.network:
        hint = "a source address is one that the outside sees"
        raise Refused(f"{address} is in the inner network of cluster {cluster.name}", hint)
    for one in clusters:
        owner = _owner(one, address)
        if owner and (one.name != cluster.name or not owner.startswith("dedicated")):
            raise Refused(f"{address} is {owner} of cluster {one.name}", "dedicate another address")


def _owner(cluster: Cluster, address: IPv4Address) -> str:
    if address == cluster.source_address:
        return "the source address"
    for host in cluster.hosts:
        if address in (host.address, host.public):
            return f"the address of {host.name}"
    return "dedicated in the inventory" if any(one.address == address for one in cluster.dedicated) else ""


def check_domain(described: Cluster, assigned: Iterable[Assigned], domain: str, address: IPv4Address) -> None:
    """Raises Refused when the domain has another address already."""
    for entry in described.dedicated:
        if domain in entry.domains and entry.address != address:
            hint = f"take it out of [[clusters.{described.name}.dedicated]] in eymail.toml first"
            raise Refused(f"mail from {domain} leaves by {entry.address} already", hint)
    for one in assigned:
        if domain in one.domains and one.address != address:
            hint = f"release that first: eymail source release {domain}"
            raise Refused(f"mail from {domain} leaves by {one.address} already", hint)


def check_outside(around: Neighbourhood, address: IPv4Address) -> Iterator[str]:
    """What is to be said of an address as the gateway sees it. Raises Refused when another machine has it."""
    if address in around.taken:
        hint = "two machines with one address reach nobody; dedicate one that is free"
        raise Refused(f"another machine in the gateway's network has {address}", hint)
    for network in around.networks:
        if address in (network.network_address, network.broadcast_address) and network.num_addresses > 2:
            raise Refused(f"{address} is no host's address in {network}", "dedicate another")
    if not around.near(address):
        networks = ", ".join(str(network) for network in around.networks if not network.is_loopback)
        yield f"{address} is in none of the gateway's networks ({networks}): it has to be routed there"


def missing_inside(described: Cluster, there: Assigned) -> tuple[str, ...]:
    """The sending hosts that have no inner address for a source address yet."""
    in_file = {entry.address: entry.inside for entry in described.dedicated}.get(there.address, {})
    names = [host.name for host in described.with_role(*SENDING)]
    return tuple(name for name in names if name not in in_file and name not in there.inside)


def used_inside(described: Cluster, assigned: Iterable[Assigned]) -> frozenset[IPv4Address]:
    """Every inner address that the inventory has given out."""
    of_hosts = (host.address for host in described.hosts)
    of_file = (address for entry in described.dedicated for address in entry.inside.values())
    return frozenset((*of_hosts, *of_file, *(one for entry in assigned for one in entry.inside.values())))


def candidates(network: IPv4Network, used: frozenset[IPv4Address]) -> Iterator[IPv4Address]:
    """Free addresses in the order in which they are given out: after the last used one, then from below."""
    last = max((address for address in used if address in network), default=network.network_address)
    first, end = int(network.network_address) + 1, int(network.broadcast_address)
    for number in (*range(int(last) + 1, end), *range(first, int(last))):
        if IPv4Address(number) not in used:
            yield IPv4Address(number)


def choose(
    hosts: Sequence[K],
    given: Mapping[K, IPv4Address],
    free: Iterable[IPv4Address],
    taken: frozenset[IPv4Address],
) -> dict[K, IPv4Address]:
    """An inner address for each host, by name or otherwise: the one given for it, or the next that is free.

    Raises Refused when another machine has a given one, or none is left.
    """
    wrong = next((address for address in given.values() if address in taken), None)
    if wrong:
        raise Refused(f"another machine in the inner network has {wrong}", "give one that is free")
    rest = (address for address in free if address not in taken and address not in given.values())
    chosen = {host: given.get(host) or next(rest, None) for host in hosts}
    if None in chosen.values():
        raise Refused(
            "no inner address is free for the sending hosts", "name some with --inside HOST=ADDRESS"
        )
    return {host: address for host, address in chosen.items() if address}


def check_given(
    cluster: Cluster, hosts: Sequence[str], given: Mapping[str, IPv4Address], used: frozenset[IPv4Address]
) -> None:
    """Raises Refused when a given inner address is for no host that needs one, or cannot be it."""
    for host, address in given.items():
        if host not in hosts:
            needs = f"those that need one: {', '.join(hosts)}" if hosts else "every sending host has one"
            raise Refused(f"{host} needs no inner address for it", needs)
        if cluster.network is None or address not in cluster.network:
            raise Refused(f"{address} is not in network {cluster.network} of cluster {cluster.name}")
        if address in (cluster.network.network_address, cluster.network.broadcast_address):
            raise Refused(f"{address} is no host's address in {cluster.network}", "give another")
        if address in used:
            raise Refused(f"inner address {address} is in use already", "give one that is free")
    if len(set(given.values())) < len(given):
        raise Refused("two hosts cannot have one inner address", "give each its own")
