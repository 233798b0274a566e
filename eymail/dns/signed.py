"""A signed message to a name server, and an answer that is believed only with a signature (RFC 8945).

Sent once: whoever sends an update a second time may be told that its prerequisites do not hold, by
the first one. A message that went out without a believable answer is Unsure.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from eymail.dns.servers import Server
from eymail.dns.tsig import Key
from eymail.errors import DnsError, EymailError, InvalidInput

if TYPE_CHECKING:
    import dns.message
    import dns.update

_LARGEST_UDP = 512
"""More than this goes by TCP: no server has to take it by UDP (RFC 1035 section 4.2.1)."""

_LARGEST = 65535

_UNSIGNED = ("REFUSED", "NOTAUTH", "NOTIMP", "FORMERR", "SERVFAIL")
"""What a server says that cannot sign, for it does not know the key."""


class Unsure(EymailError):
    """The message went out, and no answer came that could be believed."""


class Signer:
    """Makes messages for one server and sends them, signed with one key."""

    def __init__(self, server: Server, key: Key) -> None:
        self._server, self._key = server, key

    def message(self, zone: str) -> dns.update.UpdateMessage:
        """An empty update of a zone. Raises InvalidInput when the key's name can be none."""
        import dns.name
        import dns.tsig
        import dns.update

        name = dns.name.from_text(self._key.name)
        secret = dns.tsig.Key(name, self._key.secret, f"{self._key.algorithm}.")
        made = dns.update.UpdateMessage(dns.name.from_text(zone).canonicalize())
        made.use_tsig(secret)
        return made

    def send(self, message: dns.update.UpdateMessage, end: float) -> str:
        """The code of the server's answer, before ``end`` (in time.time() seconds).

        Raises DnsError when nothing was done, Unsure when that is not known.
        """
        import dns.exception
        import dns.rcode
        import dns.tsig

        wire = _wire(message)
        way = self._by_udp if len(wire) <= _LARGEST_UDP else self._by_tcp
        try:
            return dns.rcode.to_text(way(message, wire, end).rcode())
        except dns.tsig.PeerError as error:
            raise self._refused(type(error).__name__) from None
        except TimeoutError:
            raise self._unsure("did not answer in time") from None
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise self._unsure(f"sent no answer that can be believed ({type(error).__name__})") from None

    def _by_udp(self, message: dns.update.UpdateMessage, wire: bytes, end: float) -> dns.message.Message:
        import dns.exception
        import dns.tsig

        doubted: Exception | None = None
        with self._socket(socket.SOCK_DGRAM, end) as udp:
            udp.send(wire)
            while True:
                try:
                    return _believed(message, self._packet(udp, end))
                except dns.tsig.PeerError:
                    raise
                except TimeoutError as error:
                    raise doubted or error from None
                except (dns.exception.DNSException, ValueError) as error:
                    doubted = error  # anybody can send such a packet; the true one may come yet

    def _packet(self, udp: socket.socket, end: float) -> bytes:
        """The next packet. Raises TimeoutError, and DnsError when nobody listens at that port."""
        udp.settimeout(max(0.001, end - time.time()))
        try:
            return udp.recv(_LARGEST)
        except ConnectionRefusedError as error:
            raise self._unreachable(error) from error

    def _by_tcp(self, message: dns.update.UpdateMessage, wire: bytes, end: float) -> dns.message.Message:
        with self._socket(socket.SOCK_STREAM, end) as tcp:
            tcp.sendall(len(wire).to_bytes(2, "big") + wire)
            size = int.from_bytes(_exactly(tcp, 2, end), "big")
            return _believed(message, _exactly(tcp, size, end))

    def _socket(self, kind: socket.SocketKind, end: float) -> socket.socket:
        """A connected socket: what comes from elsewhere is dropped, and a closed port is told at once."""
        family = socket.AF_INET6 if ":" in self._server.address else socket.AF_INET
        made = socket.socket(family, kind)
        try:
            made.settimeout(max(0.01, end - time.time()))
            made.connect((self._server.address, self._server.port))
        except OSError as error:
            made.close()
            raise self._unreachable(error) from error
        return made

    def _unreachable(self, error: OSError) -> DnsError:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror
        told = f"name server {self._server} cannot be reached: {reason}"
        return DnsError(told, "nothing was changed; is it the right server? ([clusters.NAME.update] server)")

    def _refused(self, why: str) -> DnsError:
        """The server does not believe the signature."""
        told, hint = {
            "PeerBadKey": (
                f"does not know the key {self._key.name!r}",
                "is it in the server's configuration?",
            ),
            "PeerBadSignature": ("does not accept the signature", "is the secret the one of the server?"),
            "PeerBadTime": ("has another time than this machine", "set both clocks (RFC 8945 section 5.2.3)"),
        }.get(why, ("does not accept the signature", "is the key the one of the server?"))
        return DnsError(f"name server {self._server} {told}", f"nothing was changed; {hint}")

    def _unsure(self, told: str) -> Unsure:
        return Unsure(f"name server {self._server} {told}", "is it up, and does its log say something?")


def _wire(message: dns.update.UpdateMessage) -> bytes:
    import dns.exception

    try:
        return message.to_wire(max_size=_LARGEST)
    except dns.exception.TooBig as error:
        raise InvalidInput("the change is too large for one message", "make it in several") from error


def _exactly(tcp: socket.socket, size: int, end: float) -> bytes:
    """So many bytes. Raises TimeoutError, OSError."""
    received = b""
    while len(received) < size:
        tcp.settimeout(max(0.001, end - time.time()))
        block = tcp.recv(size - len(received))
        if not block:
            raise ConnectionResetError("closed in the middle")
        received += block
    return received


def _believed(message: dns.update.UpdateMessage, wire: bytes) -> dns.message.Message:
    """The answer in these bytes, signed, or one that needs no signature.

    Raises dnspython's exceptions, PeerError among them when the server takes the key for a wrong one, and
    ValueError when this is not to be believed.
    """
    import dns.exception
    import dns.message
    import dns.rcode
    import dns.tsig

    if wire[:2] != message.id.to_bytes(2, "big"):
        raise ValueError("it answers another message")
    try:
        answer = dns.message.from_wire(wire, keyring=message.keyring, request_mac=message.mac)
    except dns.tsig.PeerError:
        raise
    except dns.exception.DNSException:
        answer = dns.message.from_wire(wire)  # without a signature, or it raises once more
    if not message.is_response(answer):
        raise ValueError("it answers another message")
    if not answer.had_tsig and dns.rcode.to_text(answer.rcode()) not in _UNSIGNED:
        raise ValueError("it has no signature")
    return answer
