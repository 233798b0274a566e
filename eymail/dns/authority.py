"""What every authoritative server of a zone says of a name, each address of each asked itself.

A recursive server tells what one of them said some time ago. To know whether a change has reached
all of them, and with which TTL, they have to be asked one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from eymail.dns.answers import MxAnswer, Zone
from eymail.dns.lookup import Resolver
from eymail.dns.servers import Server
from eymail.dns.side_by_side import at_once
from eymail.errors import DnsError, NotFound


@dataclass(frozen=True)
class AtServer:
    """One address of one server, and the MX it gave: None without MX, NotFound without the name.

    ``address`` is empty when the server has none, and ``found`` then the error.
    """

    server: str
    address: str
    found: MxAnswer | NotFound | DnsError | None


def mx_everywhere(resolver: Resolver, name: str, zone: Zone, port: int = 53) -> tuple[AtServer, ...]:
    """The MX of a name at every address of every server of its zone, asked side by side."""
    addresses = at_once(resolver.addresses, zone.servers)
    places = [
        place
        for server, found in zip(zone.servers, addresses, strict=True)
        for place in _places(server, found)
    ]
    answers = at_once(lambda place: _ask(resolver, name, place, port), places)
    return tuple(replace(place, found=answer) for place, answer in zip(places, answers, strict=True))


def _places(server: str, found: tuple[str, ...] | NotFound | DnsError) -> Iterator[AtServer]:
    if isinstance(found, DnsError):
        yield AtServer(server, "", found)
    elif isinstance(found, NotFound) or not found:
        yield AtServer(server, "", DnsError(f"name server {server} has no address"))
    else:
        yield from (AtServer(server, address, None) for address in found)


def _ask(resolver: Resolver, name: str, place: AtServer, port: int) -> MxAnswer | NotFound | DnsError | None:
    return resolver.mx_at(Server(place.address, port), name) if place.address else place.found
