"""One question to one name server: UDP, TCP where the answer does not fit, all before a deadline.

dns.query's own ``udp`` either gives up at the first stray packet or waits without telling that one came.
Here a packet that is no answer to the question never ends the wait, and is told of when nothing better came.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from eymail.dns.answers import NoAnswer, Why
from eymail.dns.servers import Server

if TYPE_CHECKING:
    import dns.message

_Way = Callable[[Server, "dns.message.Message", float], "dns.message.Message"]
PAYLOAD = 1232
"""What fits into a UDP packet on every path (DNS flag day 2020)."""

_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_HINTS = {
    Why.TIMEOUT: "is it up, and does a firewall let port 53 through? another: --server",
    Why.UNREACHABLE: "is a name server running there? another: --server",
    Why.NO_ROUTE: "this machine has no way to that address",
    Why.MALFORMED: "something there is no name server, or is a broken one",
}


def ask(server: Server, query: dns.message.Message, end: float) -> dns.message.Message:
    """The answer to ``query``, whatever its code, before ``end`` (in time.time() seconds).

    It has the query's id and question and comes from where the query went. Raises NoAnswer.
    """
    return _asked(_with_edns, server, query, end)


def over_tcp(server: Server, query: dns.message.Message, end: float) -> dns.message.Message:
    """The answer by TCP, as ``ask`` gives it. Raises NoAnswer."""
    return _asked(_tcp, server, query, end)


def _asked(way: _Way, server: Server, query: dns.message.Message, end: float) -> dns.message.Message:
    import dns.exception

    try:
        return way(server, query, end)
    except dns.exception.Timeout as error:
        raise no_answer(Why.TIMEOUT, server, query, "did not answer in time") from error
    except (dns.exception.DNSException, ValueError) as error:
        raise _malformed(server, query, type(error).__name__) from error
    except EOFError as error:
        raise _malformed(server, query, "the connection was closed in the middle") from error
    except OSError as error:
        raise unreachable(server, query, error) from error


def _with_edns(server: Server, query: dns.message.Message, end: float) -> dns.message.Message:
    """A server too old for EDNS says FORMERR, or NOTIMP, and no more (RFC 6891 section 7)."""
    import dns.rcode

    answer = _udp_or_tcp(server, query, end)
    if answer.edns < 0 and answer.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP):
        query.use_edns(False)
        answer = _udp_or_tcp(server, query, end)
    return answer


def _udp_or_tcp(server: Server, query: dns.message.Message, end: float) -> dns.message.Message:
    answer, cut = _udp(server, query, end)
    return _tcp(server, query, end) if cut else answer


def _tcp(server: Server, query: dns.message.Message, end: float) -> dns.message.Message:
    import dns.query

    return dns.query.tcp(query, server.address, max(0.0, end - time.time()), server.port)


def _udp(server: Server, query: dns.message.Message, end: float) -> tuple[dns.message.Message, bool]:
    """The answer, and whether it was cut short."""
    import dns.inet
    import dns.query

    address = dns.inet.low_level_address_tuple((server.address, server.port))
    with socket.socket(dns.inet.af_for_address(server.address), socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        # Connected, so the kernel drops packets from elsewhere and says at once that nobody listens there.
        udp.connect(address)
        dns.query.send_udp(udp, query, None, end)
        return _received(udp, server, query, end)


def _received(
    udp: socket.socket, server: Server, query: dns.message.Message, end: float
) -> tuple[dns.message.Message, bool]:
    import dns.exception

    stray = ""
    while True:
        try:
            answer, cut = _packet(udp, end)
        except dns.exception.Timeout as error:
            raise (_malformed(server, query, stray) if stray else error) from error
        except dns.exception.DNSException as error:
            stray = type(error).__name__
        else:
            if query.is_response(answer):
                return answer, cut
            stray = "it answers another question"


def _packet(udp: socket.socket, end: float) -> tuple[dns.message.Message, bool]:
    import dns.message
    import dns.query

    try:
        return dns.query.receive_udp(udp, None, end, raise_on_truncation=True)[0], False
    except dns.message.Truncated as error:
        return error.kwargs["message"], True


def unreachable(server: Server, query: dns.message.Message, error: OSError) -> NoAnswer:
    """What the system said of a server that could not be asked."""
    why = Why.NO_ROUTE if error.errno in _NO_ROUTE else Why.UNREACHABLE
    return no_answer(why, server, query, f"cannot be reached ({error.strerror or error})")


def no_answer(why: Why, server: Server, query: dns.message.Message, told: str) -> NoAnswer:
    """Why there is no answer, in words that name the server and the question."""
    return NoAnswer(why, f"name server {server} {told}: {question(query)}", _HINTS[why])


def _malformed(server: Server, query: dns.message.Message, told: str) -> NoAnswer:
    return no_answer(Why.MALFORMED, server, query, f"sent no well-formed answer ({told})")


def question(query: dns.message.Message) -> str:
    """The question in words: ``MX of example.com``."""
    import dns.rdatatype

    asked = query.question[0]
    return f"{dns.rdatatype.to_text(asked.rdtype)} of {asked.name.to_text(omit_final_dot=True)}"
