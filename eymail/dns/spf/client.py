"""Who sends, as check_host() is told (RFC 7208 section 4.1)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from eymail.dns.spf import macro
from eymail.dns.spf.macro import IpAddress


@dataclass(frozen=True)
class Client:
    """Who sends, as a server sees it (section 4.1): address, sender, HELO name.

    ``local`` and ``sender`` are the two parts of the sender's address.
    """

    ip: IpAddress
    local: str
    sender: str
    helo: str
    receiver: str = "unknown"
    now: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def of(cls, ip: IpAddress, sender: str, helo: str) -> Client:
        """A client from MAIL FROM and HELO; an empty sender is postmaster at the HELO name (section 2.4)."""
        if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        local, _, domain = (sender or helo).rpartition("@")
        return cls(ip, local or "postmaster", domain, helo)

    @property
    def kind(self) -> str:
        """The type of the records that hold addresses of its family."""
        return "A" if self.ip.version == 4 else "AAAA"

    @property
    def reverse(self) -> str:
        """The name at which its PTR records are."""
        return self.ip.reverse_pointer

    def values(self, domain: str) -> dict[str, str]:
        """What the macros' letters stand for where ``domain`` is the current one, all but ``p``."""
        family = "in-addr" if isinstance(self.ip, IPv4Address) else "ip6"
        return {
            "s": f"{self.local}@{self.sender}",
            "l": self.local,
            "o": self.sender,
            "d": domain,
            "i": macro.nibbles(self.ip),
            "v": family,
            "h": self.helo,
            "c": str(self.ip),
            "r": self.receiver,
            "t": str(self.now),
        }
