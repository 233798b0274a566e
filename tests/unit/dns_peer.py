"""A name server on loopback that says whatever a test tells it to, well-formed or not.

It is the hostile peer: real sockets, UDP and TCP on one port, bytes as given.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Script = Callable[["Question"], Iterable[bytes | float]]
"""What to send for a question, packet by packet; a number is a pause in seconds."""


class Question:
    """A question that came in, and ways to answer it."""

    def __init__(self, wire: bytes, transport: str) -> None:
        self.wire = wire
        self.transport = transport
        self.message = dns.message.from_wire(wire)
        asked = self.message.question[0]
        self.name = asked.name.to_text(omit_final_dot=True)
        self.kind = asked.rdtype.name

    def answer(self, *rrsets: dns.rrset.RRset, code: str = "NOERROR", flags: str = "QR AA RA") -> bytes:
        """A well-formed answer."""
        made = dns.message.make_response(self.message)
        made.flags |= dns.flags.from_text(flags)
        made.set_rcode(dns.rcode.from_text(code))
        made.answer += rrsets
        return made.to_wire(max_size=65535)


def rrset(name: str, kind: str, *records: str, ttl: int = 300) -> dns.rrset.RRset:
    return dns.rrset.from_text(f"{name}.", ttl, "IN", kind, *records)


class Peer:
    """The server; ``asked`` are the questions so far, ``address`` is ADDRESS:PORT for --server."""

    def __init__(self, script: Script, ip: str = "127.0.0.1", port: int = 0) -> None:
        self.script = script
        self.asked: list[Question] = []
        self._udp, self._tcp = both(ip, port)
        self.port = int(self._udp.getsockname()[1])
        self.address = f"{ip}:{self.port}"
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    def close(self) -> None:
        for sock in (self._udp, self._tcp):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _serve_udp(self) -> None:
        with suppress(OSError):
            while True:
                wire, sender = self._udp.recvfrom(65535)
                if wire:
                    self._each(wire, "udp", lambda packet, to=sender: self._udp.sendto(packet, to))

    def _serve_tcp(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._tcp.accept()
                threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            length = int.from_bytes(connection.recv(2), "big")
            self._each(connection.recv(length), "tcp", connection.sendall)

    def _each(self, wire: bytes, transport: str, send: Callable[[bytes], object]) -> None:
        question = Question(wire, transport)
        self.asked.append(question)
        for packet in self.script(question):
            if isinstance(packet, bytes):
                send(packet)
            else:
                time.sleep(packet)


def both(ip: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on one port; another is chosen when TCP's is taken."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((ip, port))
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            tcp.bind((ip, udp.getsockname()[1]))
        except OSError:
            udp.close()
            tcp.close()
            if port:
                raise
            continue
        tcp.listen(64)
        return udp, tcp


@contextmanager
def peer(script: Script, ip: str = "127.0.0.1", port: int = 0) -> Iterator[Peer]:
    server = Peer(script, ip, port)
    try:
        yield server
    finally:
        server.close()


def framed(packet: bytes) -> bytes:
    """A packet as TCP carries it."""
    return len(packet).to_bytes(2, "big") + packet


def zone(*rrsets: dns.rrset.RRset, flags: str = "QR AA RA", exists: Iterable[str] = ()) -> Script:
    """A script that answers as a name server with these records does; over TCP too.

    Names in ``exists``, and those of the records, exist; the others are NXDOMAIN. CNAMEs are followed.
    """
    names = {one.name.to_text(omit_final_dot=True).lower() for one in rrsets} | set(exists)

    def script(question: Question) -> Iterator[bytes]:
        found, name = [], question.name.lower()
        while True:
            here = [one for one in rrsets if one.name.to_text(omit_final_dot=True).lower() == name]
            match = [one for one in here if one.rdtype.name == question.kind]
            alias = [one for one in here if one.rdtype.name == "CNAME"]
            found += match or alias
            if match or not alias:
                break
            name = alias[0][0].target.to_text(omit_final_dot=True).lower()
        known = any(one == name or one.endswith(f".{name}") for one in names)
        wire = question.answer(*found, code="NOERROR" if known else "NXDOMAIN", flags=flags)
        if question.transport == "tcp":
            yield framed(wire)
        elif len(wire) > 1232:
            yield question.answer(flags=f"{flags} TC")
        else:
            yield wire

    return script
