"""Which name server is meant by ADDRESS or ADDRESS:PORT."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from eymail.errors import InvalidInput
from eymail.model import quoted

_WITH_PORT = re.compile(r"(?:\[([^]]+)\]|([^:]+)):([0-9]{1,5})")


@dataclass(frozen=True)
class Server:
    """A name server's address and port."""

    address: str
    port: int = 53

    @classmethod
    def parse(cls, text: str) -> Server:
        """A server from ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT. Raises InvalidInput."""
        match = _WITH_PORT.fullmatch(text)
        address, port = (match[1] or match[2], int(match[3])) if match else (text.strip("[]"), 53)
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            parsed = None
        if parsed is None or not 0 < port < 65536:
            raise InvalidInput(
                f"{quoted(text)} is not the address of a name server",
                "write ADDRESS or ADDRESS:PORT, such as 192.0.2.53 or [2001:db8::53]:5353",
            )
        return cls(str(parsed), port)

    def __str__(self) -> str:
        if self.port == 53:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"
