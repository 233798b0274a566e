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
        import dns.rcode

        answer = self._answer(message, end)
        code = dns.rcode.to_text(answer.rcode())
        if not answer.had_tsig and code not in _UNSIGNED:
            raise self._unsure("answered without a signature")
        return code

    def _answer(self, message: dns.update.UpdateMessage, end: float) -> dns.message.Message:
        import dns.exception
        import dns.tsig

        wire = _wire(message)
        try:
            way = self._by_udp if len(wire) <= _LARGEST_UDP else self._by_tcp
            return way(message, wire, end)
        except dns.tsig.PeerError as error:
            raise self._refused(type(error).__name__) from None
        except (dns.exception.Timeout, TimeoutError):
            raise self._unsure("did not answer in time") from None
        except (dns.exception.DNSException, EOFError, OSError, ValueError) as error:
            raise self._unsure(f"sent no answer that can be believed ({type(error).__name__})") from None

    def _by_udp(self, message: dns.update.UpdateMessage, wire: bytes, end: float) -> dns.message.Message:
        import dns.exception
        import dns.tsig

        with self._socket(socket.SOCK_DGRAM, end) as udp:
            udp.send(wire)
            while True:
                packet = self._packet(udp, end)
                if packet[:2] != wire[:2]:
                    continue
                try:
                    return _believed(message, packet)
                except dns.tsig.PeerError:
                    raise
                except (dns.exception.DNSException, ValueError):
                    continue  # anybody can send such a packet; the true one may come yet

    def _packet(self, udp: socket.socket, end: float) -> bytes:
        """The next packet. Raises TimeoutError, and DnsError when nobody listens at that port."""
        udp.settimeout(max(0.001, end - time.time()))
        try:
            return udp.recv(65535)
        except ConnectionRefusedError as error:
            raise self._unreachable(error) from error

    def _by_tcp(self, message: dns.update.UpdateMessage, wire: bytes, end: float) -> dns.message.Message:
        import dns.query

        with self._socket(socket.SOCK_STREAM, end) as tcp:
            tcp.setblocking(False)
            dns.query.send_tcp(tcp, wire, end)
            received = dns.query.receive_tcp(tcp, end, keyring=message.keyring, request_mac=message.mac)
            return _response(message, received[0])

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
        return message.to_wire(max_size=65535)
    except dns.exception.TooBig as error:
        raise InvalidInput("the change is too large for one message", "make it in several") from error


def _believed(message: dns.update.UpdateMessage, wire: bytes) -> dns.message.Message:
    """The answer in a packet, its signature checked. Raises dnspython's exceptions."""
    import dns.message

    answer = dns.message.from_wire(wire, keyring=message.keyring, request_mac=message.mac)
    return _response(message, answer)


def _response(message: dns.update.UpdateMessage, answer: dns.message.Message) -> dns.message.Message:
    if not message.is_response(answer):
        raise ValueError("it answers another message")
    return answer
