"""The cluster's DNS zones: its own, and the reverse ones of its addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from eymail.cluster.complete import Complete
from eymail.config import Cluster, Role

_LONGEST_STRING = 255


@dataclass(frozen=True)
class Zone:
    """A zone's name, the template of its file, and what goes into it."""

    name: str
    template: str
    context: dict[str, Any]


def zones(whole: Complete) -> Iterator[Zone]:
    """The cluster's zone, then each reverse zone."""
    cluster = whole.cluster
    common = {"cluster": cluster, "name_servers": cluster.name_servers}
    yield Zone(cluster.zone, "cluster.zone.j2", {**common, **_records(whole), "zone": cluster.zone})
    for name, pointers in _reverse_zones(whole):
        yield Zone(name, "reverse.zone.j2", {**common, "zone": name, "pointers": pointers})


def _records(whole: Complete) -> dict[str, Any]:
    cluster = whole.cluster
    return {
        "balancers": whole.addresses(Role.LOAD_BALANCER),
        "mail_hosts": [entry for entry in cluster.with_role(Role.MAIL) if entry.public],
        "dedicated": [
            {"name": whole.outward_name(entry.address), "address": entry.address}
            for entry in cluster.dedicated
        ],
        "spf_strings": list(_strings(spf_record(cluster))),
        "spf_here": cluster.spf_name.endswith(f".{cluster.zone}"),
    }


def serial(text: str) -> int:
    """A serial for a zone file: a number of 31 bits that its text decides, never 0."""
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1) or 1


def spf_record(cluster: Cluster) -> str:
    """The SPF record that publishes the cluster's source addresses (RFC 7208 section 3)."""
    addresses = (cluster.source_address, *(entry.address for entry in cluster.dedicated))
    return " ".join(["v=spf1", *(f"ip4:{address}" for address in addresses), "~all"])


def _strings(record: str) -> Iterator[str]:
    """The strings of a TXT record, which are joined without a space (RFC 7208 section 3.3)."""
    for start in range(0, len(record), _LONGEST_STRING):
        yield record[start : start + _LONGEST_STRING]


def reverse_zone(address: IPv4Address) -> str:
    """The reverse zone of the /24 that an address is in."""
    network = IPv4Network((address, 24), strict=False)
    return network.network_address.reverse_pointer.removeprefix("0.")


def _reverse_zones(whole: Complete) -> Iterator[tuple[str, list[tuple[IPv4Address, str]]]]:
    """Each /24 that holds an address of the cluster, with its pointers (RFC 1035 section 3.5)."""
    found: dict[str, list[tuple[IPv4Address, str]]] = {}
    for address, name in whole.names():
        found.setdefault(reverse_zone(address), []).append((address, name))
    yield from sorted(found.items())
