"""Look-ups: through a recursive resolver, or straight at one authoritative server.

dnspython is loaded when the first question is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from eymail.dns.answers import Answer, Mx, MxAnswer, NoAnswer, Soa, TxtAnswer, Why, Zone
from eymail.dns.exchange import PAYLOAD, ask
from eymail.dns.servers import Server, of_this_machine
from eymail.dns.turns import ASK_AGAIN, TRIES, checked, most_telling, until
from eymail.errors import DnsError, InvalidInput, NotFound
from eymail.model import quoted

if TYPE_CHECKING:
    import dns.message
    import dns.name


_Answered = tuple["dns.message.Message", "dns.message.ChainingResult"]


class Resolver:
    """Asks recursive name servers, the machine's own where none are given.

    ``servers`` are ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, asked in this order; ``timeout`` is the
    deadline of one look-up, in seconds, with its retry in it. All look-ups raise NotFound when the
    name does not exist, DnsError when there is no usable answer, and InvalidInput when the name can be
    no name; they give None when the name exists without records of the type. May be used by several
    threads at once. Raises InvalidInput when a server is no address.
    """

    def __init__(self, servers: Iterable[str], timeout: float) -> None:
        self._named = tuple(Server.parse(text) for text in servers)
        self._timeout = timeout

    def txt(self, name: str) -> TxtAnswer | None:
        """TXT records, as bytes and as text."""
        found = self._chain(name, "TXT")
        if found.answer is None:
            return None
        return TxtAnswer(*_place(found), tuple(b"".join(one.strings) for one in found.answer))

    def mx(self, name: str) -> MxAnswer | None:
        """MX records as a recursive server has them."""
        return _mx_answer(self._chain(name, "MX"))

    def addresses(self, name: str, kinds: Iterable[str] = ("A", "AAAA")) -> tuple[str, ...]:
        """Addresses of a name, empty when it has none; ``kinds`` of A and AAAA."""
        answers = [self._answer(name, kind, lambda record: str(record.address)) for kind in kinds]
        return tuple(address for answer in answers if answer for address in answer.records)

    def ns(self, name: str) -> Answer | None:
        """The names of a zone's servers, sorted."""
        return self._answer(name, "NS", lambda record: _name(record.target))

    def ptr(self, address: str) -> Answer | None:
        """The names that an address's reverse zone gives it. ``address`` is a valid IP address."""
        import dns.reversename

        name = _name(dns.reversename.from_address(address))
        return self._answer(name, "PTR", lambda record: _name(record.target))

    def soa(self, name: str) -> Soa | None:
        """The start of authority at exactly this name; None when no zone starts there."""
        found = self._chain(name, "SOA")
        if found.answer is None or found.cnames:
            return None
        soa: Any = found.answer[0]
        return Soa(_name(found.canonical_name), _name(soa.mname), soa.serial, soa.minimum)

    def canonical(self, name: str) -> str:
        """The name that CNAMEs lead to from ``name``, itself where there are none."""
        return _name(self._chain(name, "MX").canonical_name)

    def zone(self, name: str) -> Zone:
        """The zone that a name is in, and its servers. Raises DnsError when none is found."""
        labels = name.split(".")
        for start in range(len(labels)):
            zone = ".".join(labels[start:])
            answer = self._parent_ns(zone) if start else self.ns(zone)
            if answer and answer.owner == zone:  # a CNAME there leads to another zone's servers
                return Zone(zone, answer.records)
        raise DnsError(f"no name servers were found for {name}", "is the domain delegated?")

    def _parent_ns(self, zone: str) -> Answer | None:
        """Some servers deny a name that is empty itself and has names below it (RFC 8020 forbids it)."""
        try:
            return self.ns(zone)
        except NotFound:
            return None

    def mx_at(self, server: Server, domain: str) -> MxAnswer | None:
        """A domain's MX as one authoritative server has it, asked itself.

        Raises NotFound when it says that the domain does not exist, NoAnswer when it cannot be asked,
        refuses, or is not authoritative.
        """
        import dns.flags

        query = _query(domain, "MX", recursive=False)
        answer, found = self._patiently((server,), query)
        if not answer.flags & dns.flags.AA:
            told = f"name server {server} is not authoritative for {domain}"
            raise NoAnswer(Why.LAME, told, "the delegation to it is lame")
        return _mx_answer(found)

    def _answer(self, name: str, kind: str, text: Callable[[Any], str]) -> Answer | None:
        found = self._chain(name, kind)
        if found.answer is None:
            return None
        return Answer(*_place(found), tuple(sorted(text(record) for record in found.answer)))

    def _chain(self, name: str, kind: str) -> dns.message.ChainingResult:
        """The records of a name, and the CNAMEs on the way to them."""
        servers = self._named or of_this_machine()
        return self._patiently(servers, _query(name, kind, recursive=True))[1]

    def _patiently(self, servers: tuple[Server, ...], query: dns.message.Message) -> _Answered:
        """Each server in turn, and those that said nothing usable once more, within the deadline."""
        end = time.time() + self._timeout
        failed: list[NoAnswer] = []
        turns = list(servers) * TRIES
        while turns:
            server, *turns = turns
            try:
                answer = ask(server, query, until(end, last=not turns))
                return answer, checked(server, answer, query)
            except NoAnswer as error:
                failed.append(error)
                if error.why not in ASK_AGAIN:
                    turns = [one for one in turns if one != server]
        raise most_telling(failed)


def _place(found: dns.message.ChainingResult) -> tuple[str, int]:
    """Where records were found, and the least TTL on the way there."""
    return _name(found.canonical_name), found.minimum_ttl


def _mx_answer(found: dns.message.ChainingResult) -> MxAnswer | None:
    if found.answer is None:
        return None
    records: Any = found.answer
    return MxAnswer(*_place(found), tuple(sorted(Mx(one.preference, _name(one.exchange)) for one in records)))


def _name(name: dns.name.Name) -> str:
    """A name as text: dnspython's escapes for odd bytes, lower case, no last dot."""
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")


def _query(name: str, kind: str, *, recursive: bool) -> dns.message.QueryMessage:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name

    try:
        asked = dns.name.from_text(name)
    except dns.exception.DNSException as error:
        raise InvalidInput(f"{quoted(name)} cannot be a name in the DNS", str(error)) from error
    flags = dns.flags.RD if recursive else 0
    return dns.message.make_query(asked, kind, use_edns=0, payload=PAYLOAD, flags=flags)
