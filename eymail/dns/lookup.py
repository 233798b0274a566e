"""Look-ups: through a resolver, or straight at one server; each within one deadline.

dnspython checks that an answer belongs to its question and comes from where it was sent, falls
back to TCP when an answer is truncated, and is loaded when the first question is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from eymail.dns.answers import Answer, Mx, MxAnswer
from eymail.dns.servers import Server
from eymail.errors import DnsError, NotFound

if TYPE_CHECKING:
    import dns.message
    import dns.name
    import dns.rdata
    import dns.resolver
    import dns.rrset

T = TypeVar("T")
_ONE_TRY = 3.0


class Resolver:
    """Asks recursive servers, the machine's own where none are given.

    ``timeout`` is the deadline of one look-up, in seconds, with every retry in it. All
    look-ups raise NotFound when the name does not exist, DnsError when there is no usable
    answer, and give None when the name exists without records of the type.
    """

    def __init__(self, servers: Iterable[str], timeout: float) -> None:
        self._servers = tuple(Server.parse(text) for text in servers)
        self._timeout = timeout
        self._made: dns.resolver.Resolver | None = None

    def txt(self, name: str) -> Answer | None:
        """TXT records, the strings of each joined (RFC 7208 section 3.3)."""
        return self._answer(name, "TXT", lambda record: _text(b"".join(record.strings)))

    def addresses(self, name: str) -> tuple[str, ...]:
        """A and AAAA records of a name, empty when it has none."""
        found = (self._answer(name, kind, lambda record: str(record.address)) for kind in ("A", "AAAA"))
        return tuple(address for answer in found if answer for address in answer.records)

    def name_servers(self, name: str) -> tuple[str, tuple[str, ...]]:
        """The zone that a name is in and the names of its servers.

        Raises DnsError when no zone can be found.
        """
        labels = name.split(".")
        for start in range(len(labels)):
            zone = ".".join(labels[start:])
            answer = self._answer(zone, "NS", lambda record: _name(record.target))
            if answer:
                return zone, tuple(sorted(answer.records))
        raise DnsError(f"no name servers were found for {name}", "is the domain delegated?")

    def exists(self, name: str) -> None:
        """Raises NotFound when the name does not exist, DnsError when that is not known."""
        self._answer(name, "SOA", str)

    def _answer(self, name: str, kind: str, text: Callable[[Any], str]) -> Answer | None:
        with _failures(name, kind):
            found = self._resolver().resolve(f"{name}.", kind, raise_on_no_answer=False, search=False)
            if found.rrset is None:
                return None
            owner = _name(found.rrset.name)
            return Answer(owner, found.rrset.ttl, tuple(text(record) for record in found.rrset))

    def _resolver(self) -> dns.resolver.Resolver:
        import dns.resolver

        if self._made is None:
            made = dns.resolver.Resolver(configure=not self._servers)
            if self._servers:
                made.nameservers = [_as_name_server(server) for server in self._servers]
            made.lifetime, made.timeout = self._timeout, min(_ONE_TRY, self._timeout)
            made.use_edns(0, payload=1232)
            self._made = made
        return self._made


def _as_name_server(server: Server) -> Any:
    import dns.nameserver

    return dns.nameserver.Do53Nameserver(server.address, server.port)


def mx_at(server: Server, domain: str, timeout: float) -> MxAnswer | None:
    """A domain's MX as one authoritative server has it; None when it has none.

    Raises NotFound when the server says that the domain does not exist, DnsError when it
    cannot be asked, refuses, or is not authoritative.
    """
    import dns.flags
    import dns.rcode

    with _failures(domain, "MX"):
        answer = _ask(server, domain, "MX", timeout)
        code = answer.rcode()
        if code == dns.rcode.NXDOMAIN:
            raise NotFound(f"{server} says that {domain} does not exist")
        if code != dns.rcode.NOERROR:
            raise DnsError(f"{server} answered {dns.rcode.to_text(code)}", "ask who runs that server")
        if not answer.flags & dns.flags.AA:
            raise DnsError(f"{server} is not authoritative for {domain}", "the delegation is lame")
        found = [rrset for rrset in answer.answer if rrset.rdtype.name == "MX"]
        return _mx_answer(found[0]) if found else None


def _ask(server: Server, name: str, kind: str, timeout: float) -> dns.message.Message:
    import dns.flags
    import dns.message
    import dns.query

    query = dns.message.make_query(f"{name}.", kind, use_edns=0, payload=1232)
    query.flags &= ~dns.flags.RD
    answer, _ = dns.query.udp_with_fallback(query, server.address, timeout, server.port)
    return answer


def _mx_answer(rrset: dns.rrset.RRset) -> MxAnswer:
    records: list[Mx] = [Mx(record.preference, _name(record.exchange)) for record in rrset]
    return MxAnswer(rrset.ttl, tuple(sorted(records)))


def _name(name: dns.name.Name) -> str:
    """A name as text, dnspython's escapes for odd bytes kept, lower case, no last dot."""
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")


def _text(data: bytes) -> str:
    """Bytes of a TXT record as text; what is not printable ASCII stays as an escape."""
    return data.decode("ascii", "backslashreplace")


@contextmanager
def _failures(name: str, kind: str) -> Iterator[None]:
    """Turn what dnspython and sockets raise into our errors."""
    import dns.exception
    import dns.resolver

    what = f"{kind} of {name}"
    try:
        yield
    except dns.resolver.NXDOMAIN as error:
        raise NotFound(f"{name} does not exist in the DNS", "is it spelt right?") from error
    except dns.resolver.NoNameservers as error:
        reason = _reason(error)
        raise DnsError(
            f"no name server could answer {what}: {reason}", "try another with --server"
        ) from error
    except dns.exception.Timeout as error:
        raise DnsError(f"no answer in time to {what}", "is the name server up? see --server") from error
    except (dns.resolver.NoResolverConfiguration, dns.resolver.YXDOMAIN) as error:
        raise DnsError(f"{what} cannot be asked: {error}", "name a server with --server") from error
    except dns.exception.DNSException as error:
        raise DnsError(f"the answer to {what} is malformed: {type(error).__name__}") from error
    except (OSError, EOFError) as error:
        raise DnsError(f"{what} cannot be asked: {error}", "is the name server reachable?") from error


def _reason(error: dns.resolver.NoNameservers) -> str:
    """The last server's own reason; dnspython keeps (server, tcp, port, error, answer) for each try."""
    tries = error.kwargs.get("errors") or []
    return str(tries[-1][3]) if tries else "no server was asked"
