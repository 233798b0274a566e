"""One question on its way: which server has it, until when, and what became of it so far."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from eymail.dns.answers import Mx, NoAnswer, Why
from eymail.dns.exchange import PAYLOAD, no_answer, unreachable
from eymail.dns.question import Question, Reply, Status, labels, packet
from eymail.dns.servers import Server
from eymail.dns.turns import ASK_AGAIN, TRIES, checked, most_telling, until
from eymail.errors import NotFound

if TYPE_CHECKING:
    import dns.message
    import dns.name

_MOST_ALIASES = 8
_TRUNCATED = 0x02


class Next(Enum):
    """What a packet calls for that is no answer."""

    WAIT = "for another packet"
    AGAIN = "the same server, asked in another way"
    TCP = "the answer does not fit into a packet"


class Flight:
    """A question's way to its reply. The ``tries``-th try lasts until time.time() is ``until``."""

    def __init__(self, question: Question, servers: Sequence[Server], end: float) -> None:
        self.question = question
        self.socket: socket.socket | None = None
        self._end = end
        self._turns = list(servers) * TRIES
        self._failed: list[NoAnswer] = []
        self._aliases = 0
        self._stray = ""
        self.tries = 0
        self._ask_for(labels(question.name))
        self._next_server()

    def _ask_for(self, name: tuple[bytes, ...], *, edns: bool = True) -> None:
        self._id = int.from_bytes(os.urandom(2))
        self._name, self._payload = name, PAYLOAD if edns else 0
        self.__dict__.pop("query", None)

    @cached_property
    def query(self) -> dns.message.QueryMessage:
        """The question as dnspython has it, to compare answers with."""
        import dns.message
        import dns.name

        edns: dict[str, Any] = {"use_edns": 0, "payload": self._payload} if self._payload else {}
        return dns.message.make_query(dns.name.Name(self._name), self.question.kind, id=self._id, **edns)

    def _next_server(self) -> None:
        self.tries += 1
        self.server = self._turns.pop(0)
        self.until = until(self._end, last=not self._turns)
        self._stray = ""

    def send(self) -> socket.socket:
        """Send the question to the server whose turn it is. Raises NoAnswer."""
        family = socket.AF_INET6 if ":" in self.server.address else socket.AF_INET
        try:
            self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            self.socket.connect((self.server.address, self.server.port))
            self.socket.send(packet(self._id, self._name, self.question.kind, self._payload))
        except OSError as error:
            self.close()
            raise unreachable(self.server, self.query, error) from error
        return self.socket

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def receive(self) -> Reply | Next:
        """What a packet says. Raises NoAnswer when the server's turn is over."""
        assert self.socket is not None
        try:
            answer = self.socket.recv(65535)
        except BlockingIOError:
            return Next.WAIT
        except OSError as error:
            raise unreachable(self.server, self.query, error) from error
        if answer[:2] == self._id.to_bytes(2) and answer[2:3] and answer[2] & _TRUNCATED:
            return Next.TCP
        return self._read(answer)

    def _read(self, wire: bytes) -> Reply | Next:
        import dns.exception
        import dns.message

        try:
            answer = dns.message.from_wire(wire, continue_on_error=True)
        except (dns.exception.DNSException, ValueError) as error:
            self._stray = type(error).__name__
            return Next.WAIT
        bad = [error.exception for error in answer.errors if not _is_empty_text(wire, error.offset)]
        if bad:
            self._stray = type(bad[0]).__name__
            return Next.WAIT
        if not self.query.is_response(answer):
            self._stray = "it answers another question"
            return Next.WAIT
        if self._too_old_for_edns(answer):
            self._ask_for(self._name, edns=False)
            return Next.AGAIN
        reply = self.understood(answer, len(wire))
        return Next.AGAIN if reply is None else reply

    def _too_old_for_edns(self, answer: dns.message.Message) -> bool:
        import dns.rcode

        refused = answer.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP)
        return refused and answer.edns < 0 and self._payload > 0

    def understood(self, answer: dns.message.Message, size: int = 0) -> Reply | None:
        """The reply in an answer; None when it ends in an alias that is to be asked about now.

        Raises NoAnswer.
        """
        try:
            found = checked(self.server, answer, self.query)
        except NotFound:
            return Reply(Status.NO_NAME)
        if found.answer is None and found.cnames and not answer.authority and self._aliases < _MOST_ALIASES:
            self._aliases += 1
            self._ask_for(found.canonical_name.labels)
            return None
        owner = plain(found.canonical_name) if found.cnames or self._aliases else ""
        if found.answer is None:
            return Reply(Status.NOTHING, ttl=found.minimum_ttl, owner=owner)
        size = size or len(answer.to_wire())
        return Reply(Status.FOUND, _records(found.answer), found.minimum_ttl, owner, size=size)

    def late(self) -> NoAnswer:
        """Why a try that is over was none."""
        if self._stray:
            told = f"sent no well-formed answer ({self._stray})"
            return no_answer(Why.MALFORMED, self.server, self.query, told)
        return no_answer(Why.TIMEOUT, self.server, self.query, "did not answer in time")

    def failed_again(self, error: NoAnswer) -> bool:
        """Note a failed try; whether there is another one."""
        self._failed.append(error)
        if error.why not in ASK_AGAIN:
            self._turns = [server for server in self._turns if server != self.server]
        if not self._turns or time.time() >= self._end:
            return False
        self._next_server()
        return True

    def failure(self) -> Reply:
        return Reply.failed(most_telling(self._failed))


def _is_empty_text(wire: bytes, at: int) -> bool:
    """Whether the data that begins there is that of a TXT record without any string.

    RFC 1035 section 3.3.14 wants one, and some servers send it: it is passed over, the rest counts.
    """
    return wire[at - 10 : at - 8] == b"\0\x10" and wire[at - 2 : at] == b"\0\0"


def _records(rrset: Any) -> Any:
    """Sorted, so that an evaluation does not hang on the order in which a server happens to send them.

    But pointers stay as they came: of too many the first ones count (RFC 7208 section 4.6.4), and
    the case of a name shows in explanations.
    """
    kind = rrset.rdtype.name
    if kind == "TXT":
        return tuple(sorted(b"".join(record.strings) for record in rrset))
    if kind == "MX":
        return tuple(sorted(Mx(record.preference, plain(record.exchange)) for record in rrset))
    if kind == "PTR":
        return tuple(record.target.to_text(omit_final_dot=True) for record in rrset)
    return tuple(sorted(record.address for record in rrset))


def plain(name: dns.name.Name) -> str:
    """A name as a Question has it: lower case, no last dot; odd bytes as dnspython escapes them."""
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")
