"""What takes a rendered file up: how each service proves a file beforehand, and how it comes to use it.

Commands are the services' own, the same under systemd and in a container without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """How a host takes a file up.

    ``check`` is a command that ends with 0 when the file may be taken up, ``{file}`` standing for the
    file; ``take_up`` makes the service use what lies at its place. Neither is a shell's text.
    """

    check: tuple[str, ...]
    take_up: tuple[str, ...]


EXIM, NFTABLES, ADDRESSES = "exim", "nftables", "addresses"
ADDRESSES_SCRIPT = "/etc/network/if-up.d/eymail-addresses"

# Exim's -bV reads the whole file and refuses a setting or a driver that it does not know; what an expansion
# comes to it cannot know. A running daemon takes a new file up at SIGHUP and goes on with the connections
# that it has; Debian's script sends it wherever that daemon was started from, after a check of its own.
# nft changes its rules in one transaction: no packet meets half of them.
SERVICES: Mapping[str, Service] = {
    EXIM: Service(("exim4", "-C", "{file}", "-bV"), ("service", "exim4", "reload")),
    NFTABLES: Service(("nft", "--check", "--file", "{file}"), ("nft", "--file", "/etc/nftables.conf")),
    ADDRESSES: Service(("sh", "-n", "{file}"), (ADDRESSES_SCRIPT,)),
}
