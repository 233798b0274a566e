"""Who is on a host's networks already: asked before an address is given out, for two machines with one
address reach nobody.

A machine that drops every packet still has to answer ARP (RFC 826), so that is what is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import TYPE_CHECKING, Any

from eymail.errors import HostError

if TYPE_CHECKING:
    from eymail.hosts import Host

# A datagram to the discard port makes the kernel ask who has the address; it then knows, or not. What it knew
# before is forgotten first, for it may be of yesterday.
_ASK = """\
import json, socket, subprocess, sys, time
wanted = json.load(sys.stdin)
for address in wanted:
    subprocess.run(["ip", "neighbour", "flush", "to", address], stderr=subprocess.DEVNULL)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packet:
        try:
            packet.sendto(b"", (address, 9))
        except OSError:
            pass
time.sleep(1)
with open("/proc/net/arp") as table:
    rows = [line.split() for line in table][1:]
json.dump([row[0] for row in rows if row[0] in wanted and int(row[2], 16) & 2], sys.stdout)
"""


@dataclass(frozen=True)
class Neighbourhood:
    """What a host's kernel knows: the networks that it is in, and who answered in them."""

    networks: tuple[IPv4Network, ...]
    held: frozenset[IPv4Address]
    taken: frozenset[IPv4Address]

    def near(self, address: IPv4Address) -> bool:
        """Whether the address is in a network of the host's own, so that ``taken`` can speak of it."""
        return any(address in network for network in self.networks)


def ask(host: Host, addresses: Iterable[IPv4Address]) -> Neighbourhood:
    """Which of the addresses some other machine answers for. Takes a second. Raises HostError."""
    interfaces = json.loads(host.run(["ip", "-json", "-4", "address", "show"]).stdout)
    wanted = json.dumps([str(address) for address in addresses]).encode()
    answered = host.run(["python3", "-c", _ASK], input=wanted).stdout
    try:
        own = [IPv4Interface(f"{one['local']}/{one['prefixlen']}") for one in _addresses(interfaces)]
        taken = frozenset(IPv4Address(text) for text in json.loads(answered))
    except (ValueError, KeyError, TypeError) as error:
        raise HostError(f"{host.name}: its networks could not be read") from error
    networks = tuple(dict.fromkeys(one.network for one in own if one.network.num_addresses > 1))
    return Neighbourhood(networks, frozenset(one.ip for one in own), taken)


def _addresses(interfaces: Any) -> list[Any]:
    return [address for interface in interfaces for address in interface["addr_info"]]
