"""The world outside the cluster: its zones, its name servers' and its provider's configuration.

What a customer's or a remote site's administrator would have set up; nothing of the cluster's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from eymail.lab.keys import TsigKey
from eymail.lab.topology import BLOCK_LIST, CUSTOMER, NAME_SERVERS, ZONE, Topology

_NOWHERE = IPv4Address("203.0.113.99")
"""An address that nobody in the lab routes (RFC 5737)."""

BROKEN_ZONE = "servfail.example"
_SOA = f"SOA {NAME_SERVERS[0]}. hostmaster.engineyard.com. 1 3600 600 604800 60"
_INCLUDE = '"v=spf1 include:_spf.ey04.engineyard.com -all"'


def zones(topology: Topology, rendered: Mapping[str, str]) -> dict[str, str]:
    """Every zone that the lab serves, by name. ``rendered`` are the cluster's own zones.

    The broken zone is missing on purpose: it is configured and cannot be loaded.
    """
    made = {**_mail_domains(topology), **_providers(topology)}
    made[BLOCK_LIST] = _zone(BLOCK_LIST, *_listed(topology))
    made["engineyard.com"] = _zone("engineyard.com", *_engineyard(topology))
    reverse = f"{topology.number}.18.198.in-addr.arpa"
    pointers = "".join(
        f"{host.outside.reverse_pointer}. PTR {host.name}.example.\n"
        for host in topology.hosts()
        if host.outside and not host.inside
    )
    made |= {name: text + pointers if name == reverse else text for name, text in rendered.items()}
    made["."] = _zone(".", *_root(topology, (*made, BROKEN_ZONE)))
    return made


def _zone(name: str, *records: str) -> str:
    origin = name if name == "." else f"{name}."
    head = (f"$ORIGIN {origin}", "$TTL 300", f"@ {_SOA}", *(f"@ NS {server}." for server in NAME_SERVERS))
    return "\n".join((*head, *records, ""))


def _root(topology: Topology, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield from (f"{name}. NS {server}." for server in NAME_SERVERS)
    yield from _glue(topology)


def _glue(topology: Topology) -> Iterator[str]:
    for server, last in zip(NAME_SERVERS, (54, 55), strict=True):
        yield f"{server}. A {topology.outside(last)}"


def _engineyard(topology: Topology) -> Iterator[str]:
    yield from (f"{ZONE}. NS {server}." for server in NAME_SERVERS)
    yield from _glue(topology)


def _listed(topology: Topology) -> Iterator[str]:
    """A DNS block list with two entries: its test address, and mx-reject (RFC 5782 sections 2.1 and 5)."""
    for address in (IPv4Address("127.0.0.2"), topology.outside(64)):
        name = address.reverse_pointer.removesuffix(".in-addr.arpa")
        yield f"{name} A 127.0.0.2"


def _mail_domains(topology: Topology) -> dict[str, str]:
    """Domains whose mail goes to the cluster, to a customer's or a stranger's host, or nowhere."""
    hosts: dict[str, IPv4Address] = {
        "accept.example": topology.outside(61),
        "busy.example": topology.outside(62),
        "later.example": topology.outside(63),
        "reject.example": topology.outside(64),
        "hang.example": topology.outside(65),
        "refused.example": topology.outside(66),
        "noroute.example": _NOWHERE,
    }
    made = {name: _zone(name, "@ MX 10 mx", f"mx A {address}") for name, address in hosts.items()}
    mx = f"mx.{ZONE}."
    made["example.com"] = _zone("example.com", f"@ MX 10 {mx}", f"* MX 10 {mx}", f"@ TXT {_INCLUDE}")
    made[CUSTOMER] = _zone(CUSTOMER, f"@ MX 10 {mx}", f"@ TXT {_INCLUDE}")
    return made


def _providers(topology: Topology) -> dict[str, str]:
    address = topology.outside(70)
    names = ("mx1", "mx2", "secure")
    records = (*(f"{name} A {address}" for name in names), f'@ TXT "v=spf1 ip4:{address} ~all"')
    people = ("@ MX 10 mx1.emailsrvr.com.", "@ MX 20 mx2.emailsrvr.com.")
    spf = '@ TXT "v=spf1 include:emailsrvr.com ~all"'
    return {
        "emailsrvr.com": _zone("emailsrvr.com", *records),
        "people.example": _zone("people.example", *people, spf),
    }


@dataclass(frozen=True)
class Updates:
    """Who may change which zones at the primary: whoever signs with this key (RFC 2136, RFC 8945)."""

    zones: Collection[str]
    key: TsigKey

    def access(self) -> str:
        """The key and its right, in Knot's words."""
        return f"""\
key:
  - id: {self.key.name}
    algorithm: {self.key.algorithm}
    secret: {self.key.secret}
acl:
  - id: administrator
    key: {self.key.name}
    action: update
"""


def knot_conf(topology: Topology, names: Iterable[str], updates: Updates | None) -> str:
    """Knot's configuration: the primary's, where records may be changed, or the secondary's that follows."""
    ns1, ns2 = topology.outside(54), topology.outside(55)
    here, there = (ns1, ns2) if updates else (ns2, ns1)
    follow = "notify: other" if updates else "master: other"
    access = "action: transfer" if updates else "action: notify"
    changed = updates.zones if updates else ()
    listed = "\n".join(_served(name, name in changed) for name in names)
    return f"""\
server:
    listen: {here}@53
    user: knot:knot
log:
  - target: stderr
    any: warning
database:
    storage: /var/lib/knot
{updates.access() if updates else ""}remote:
  - id: other
    address: {there}@53
acl:
  - id: other
    address: {there}
    {access}
template:
  - id: default
    storage: /var/lib/knot/zones
    file: "%s.zone"
    {follow}
    acl: other
    zonefile-sync: -1
    journal-content: all
    zonefile-load: {"whole" if updates else "none"}
zone:
{listed}
"""


def _served(name: str, changed: bool) -> str:
    """A zone in Knot's words.

    One that changes is written to its file each time: Knot's journal merges its oldest entries after 20
    changes, no longer fits an old file then, and would be left alone at the next start.
    """
    more = "\n    acl: [other, administrator]\n    zonefile-sync: 0" if changed else ""
    return f"  - domain: {name}{more}"


def unbound_conf(topology: Topology) -> str:
    """A recursive resolver for the lab's Internet; it keeps nothing, so a change is seen at once."""
    return f"""\
server:
    interface: {topology.resolver}
    access-control: 0.0.0.0/0 allow
    do-ip6: no
    username: unbound
    chroot: ""
    use-syslog: no
    pidfile: ""
    root-hints: /etc/unbound/root.hints
    module-config: "iterator"
    qname-minimisation: no
    unblock-lan-zones: yes
    cache-max-ttl: 0
    cache-max-negative-ttl: 0
    infra-host-ttl: 1
    num-threads: 1
"""


def root_hints(topology: Topology) -> str:
    """Where the lab's root is."""
    servers = "".join(f". 3600000 NS {server}.\n" for server in NAME_SERVERS)
    return servers + "".join(f"{line}\n".replace(" A ", " 3600000 A ") for line in _glue(topology))
