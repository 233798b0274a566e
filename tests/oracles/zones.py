"""A name server on loopback for a handful of zones, quick enough to serve hundreds of cases.

Unlike ``tests/unit/dns_peer.py`` it does not lie: it is what a recursive server in front of honest
zones is. It puts answers together from bytes, since a full DNS library would take most of the time.
"""

from __future__ import annotations

import ipaddress
import selectors
import socket
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

Record = tuple[str, object]
Zones = Mapping[str, Sequence[Record]]
"""Names to records: ``("A", "192.0.2.1")``, ``("MX", (10, "mx.example"))``, ``("TXT", "text")`` or bytes or
a tuple of strings as the record divides them, ``("CNAME", "b.example")``.

The value FAIL makes a type's look-up answer SERVFAIL, SILENT none at all; of the type ANY, every look-up
of the name that finds no records. Every name below one with a record of type HALF exists and has one A and
one AAAA record: that record's first address (of the family) or its second, as the name's checksum says. So
what a macro expanded to shows in the result.
"""

FAIL = "SERVFAIL"
SILENT = "TIMEOUT"
ANY = "*"
HALF = "HALF"

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SPF": 99}
NOERROR, SERVFAIL, NXDOMAIN, NOTIMP = 0, 2, 3, 4
_QR_RD_RA, _TC = 0x8180, 0x0200
_EDNS = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)
_CHAIN = 20
_THE_QUESTION = b"\xc0\x0c"
"""A name that is written where the question's begins (RFC 1035 section 4.1.4)."""
_TTL = 300


@dataclass(frozen=True)
class Found:
    """What a look-up gives: the code, None for silence, and records as (owner, type, value)."""

    code: int | None
    records: tuple[tuple[str, str, object], ...] = ()


@dataclass(frozen=True)
class World:
    """Zones made ready for look-ups; names in lower case, and the empty ones above them."""

    names: dict[str, Sequence[Record]]
    above: frozenset[str]

    @classmethod
    def of(cls, zones: Zones) -> World:
        # Equal records are one (RFC 2181 section 5).
        names = {name.lower().rstrip("."): tuple(dict.fromkeys(records)) for name, records in zones.items()}
        above = {parent for name in names for parent in _parents(name)}
        return cls(names, frozenset(above))

    def find(self, name: str, kind: str) -> Found:
        """Looks up as a recursive server does: CNAMEs followed, those of a loop as far as it goes."""
        chain: list[tuple[str, str, object]] = []
        at = name
        for _ in range(_CHAIN):
            here = self.names.get(at.lower()) or self._half(at.lower())
            if here is None:
                return Found(NOERROR if at.lower() in self.above else NXDOMAIN, tuple(chain))
            match = [(at, kind, value) for type_, value in here if type_ == kind]
            trouble = [value for _, _, value in match if value in (FAIL, SILENT)]
            trouble += [] if match else [value for type_, value in here if type_ == ANY]
            if trouble:
                return Found(SERVFAIL if trouble[0] == FAIL else None)
            alias = [(at, "CNAME", value) for type_, value in here if type_ == "CNAME"]
            chain += match or alias
            if match or not alias:
                return Found(NOERROR, tuple(chain))
            at = str(alias[0][2]).rstrip(".")
        return Found(NOERROR, tuple(chain))

    def _half(self, name: str) -> Sequence[Record] | None:
        for parent in _parents(name):
            for kind, value in self.names.get(parent, ()):
                if kind == HALF:
                    assert isinstance(value, tuple)
                    side = zlib.crc32(name.encode("utf-8", "surrogateescape")) % 2
                    return [("A", value[0][side]), ("AAAA", value[1][side])]
        return None


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.partition(".")[2]
        yield name


class ZoneServer:
    """Answers by UDP and TCP; ``show`` puts other zones into it, ``asked`` is what was asked since."""

    def __init__(self) -> None:
        self.world = World.of({})
        self.asked: list[tuple[str, str]] = []
        self._udp, self._tcp = _one_port()
        self.port = int(self._udp.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def show(self, zones: Zones | World) -> None:
        self.world = zones if isinstance(zones, World) else World.of(zones)
        self.asked = []

    def close(self) -> None:
        self._stop.close()
        self._thread.join()
        for sock in (self._udp, self._tcp, self._stopped):
            sock.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as waiting:
            for sock in (self._udp, self._tcp, self._stopped):
                waiting.register(sock, selectors.EVENT_READ)
            while True:
                for key, _ in waiting.select():
                    if key.fileobj is self._stopped:
                        return
                    with suppress(OSError):
                        self._udp_question() if key.fileobj is self._udp else self._tcp_question()

    def _udp_question(self) -> None:
        wire, sender = self._udp.recvfrom(4096)
        answer = self.answer(wire, room=_payload(wire))
        if answer is not None:
            self._udp.sendto(answer, sender)

    def _tcp_question(self) -> None:
        connection, _ = self._tcp.accept()
        connection.settimeout(5)
        with connection:
            length = int.from_bytes(connection.recv(2), "big")
            answer = self.answer(connection.recv(length), room=65535)
            if answer is not None:
                connection.sendall(len(answer).to_bytes(2, "big") + answer)

    def answer(self, wire: bytes, room: int) -> bytes | None:
        asked, answer = answer_to(wire, self.world, room)
        self.asked.append(asked)
        return answer


def answer_to(wire: bytes, world: World, room: int) -> tuple[tuple[str, str], bytes | None]:
    """What a packet asks, as (name, type), and the packet that answers it; None for silence."""
    name, end = _name_at(wire, 12)
    kind = _TYPE_NAMES.get(struct.unpack_from("!H", wire, end)[0], "")
    return (name, kind), _answered(wire, name, world.find(name, kind), room)


def response(world: World, name: str, kind: str) -> bytes | None:
    """The packet that answers a look-up; None for silence."""
    question = (
        struct.pack("!HHHHHH", 0, 0x0100, 1, 0, 0, 0) + wire_name(name) + struct.pack("!HH", TYPES[kind], 1)
    )
    return _answered(question, name, world.find(name, kind), 65535)


def _answered(wire: bytes, name: str, found: Found, room: int) -> bytes | None:
    """An answer to a packet that asks for ``name``; cut when there is no room."""
    if found.code is None:
        return None
    question = wire[12 : 12 + len(wire_name(name)) + 4]
    records = b"".join(_wire_record(one, asked=name) for one in found.records)
    edns = int(_has_edns(wire))
    flags, count = _QR_RD_RA | found.code, len(found.records)
    if 12 + len(question) + len(records) + len(_EDNS) * edns > room:
        flags, count, records = flags | _TC, 0, b""
    header = wire[:2] + struct.pack("!HHHHH", flags, 1, count, 0, edns)
    return header + question + records + _EDNS * edns


_TYPE_NAMES = {number: name for name, number in TYPES.items()}


def _name_at(wire: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := wire[at]:
        labels.append(wire[at + 1 : at + 1 + length].decode("utf-8", "surrogateescape"))
        at += 1 + length
    return ".".join(labels), at + 1


def _has_edns(wire: bytes) -> bool:
    return struct.unpack_from("!H", wire, 10)[0] > 0


def _payload(wire: bytes) -> int:
    """The room for an answer by UDP: what the question's OPT record says (RFC 6891 6.2.3), else 512."""
    _, end = _name_at(wire, 12)
    return max(512, struct.unpack_from("!H", wire, end + 7)[0]) if _has_edns(wire) else 512


def wire_name(name: str) -> bytes:
    labels = [label.encode("utf-8", "surrogateescape") for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _wire_record(record: tuple[str, str, object], asked: str) -> bytes:
    owner, kind, value = record
    data = _wire_value(kind, value)
    short = _THE_QUESTION if owner.lower() == asked.lower() else wire_name(owner)
    return short + struct.pack("!HHIH", TYPES[kind], 1, _TTL, len(data)) + data


def _wire_value(kind: str, value: object) -> bytes:
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(str(value)).packed
    if kind == "MX":
        assert isinstance(value, tuple)
        return struct.pack("!H", value[0]) + wire_name(value[1])
    if kind in ("TXT", "SPF"):
        return b"".join(bytes([len(part)]) + part for part in txt_parts(value))
    return wire_name(str(value))


def txt_parts(value: object) -> tuple[bytes, ...]:
    """The strings of a TXT record; text that is too long for one is divided."""
    if isinstance(value, tuple):
        return tuple(part.encode() if isinstance(part, str) else part for part in value)
    text = value if isinstance(value, bytes) else str(value).encode()
    return tuple(text[start : start + 255] for start in range(0, len(text), 255)) or (b"",)


def _one_port() -> tuple[socket.socket, socket.socket]:
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        udp.bind(("127.0.0.1", 0))
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with suppress(OSError):
            tcp.bind(udp.getsockname())
            tcp.listen(64)
            return udp, tcp
        udp.close()
        tcp.close()


@contextmanager
def serving(zones: Zones) -> Iterator[ZoneServer]:
    server = ZoneServer()
    server.show(zones)
    try:
        yield server
    finally:
        server.close()
