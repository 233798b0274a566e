"""Which name servers are asked: those named as ADDRESS or ADDRESS:PORT, else the machine's own."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from eymail.errors import DnsError, InvalidInput
from eymail.model import quoted

RESOLV_CONF = Path("/etc/resolv.conf")
_WITH_PORT = re.compile(r"(?:\[([^]]+)\]|([^:]+)):([0-9]{1,5})")
_BRACKETED = re.compile(r"\[([^]]+)\]")


@dataclass(frozen=True)
class Server:
    """A name server's address and port."""

    address: str
    port: int = 53

    @classmethod
    def parse(cls, text: str) -> Server:
        """A server from ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT. Raises InvalidInput."""
        address, port = _split(text)
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError as error:
            raise _bad(text) from error
        if not 0 < port < 65536:
            raise _bad(text)
        return cls(str(parsed), port)

    def __str__(self) -> str:
        if self.port == 53:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def _split(text: str) -> tuple[str, int]:
    if match := _WITH_PORT.fullmatch(text):
        return match[1] or match[2], int(match[3])
    bracketed = _BRACKETED.fullmatch(text)
    return bracketed[1] if bracketed else text, 53


def _bad(text: str) -> InvalidInput:
    return InvalidInput(
        f"{quoted(text)} is not the address of a name server",
        "write ADDRESS or ADDRESS:PORT, such as 192.0.2.53 or [2001:db8::53]:5353",
    )


def of_this_machine(file: Path = RESOLV_CONF) -> tuple[Server, ...]:
    """The servers that resolv.conf names (resolv.conf(5)). Raises DnsError when there is none."""
    hint = "name a server with --server, or in [dns] servers of eymail.toml"
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise DnsError(f"no name server is known: {file}: {error.strerror}", hint) from error
    words = [line.split() for line in lines]
    found = tuple(Server.parse(line[1]) for line in words if line[:1] == ["nameserver"] and len(line) > 1)
    if not found:
        raise DnsError(f"{file} names no name server", hint)
    return found
