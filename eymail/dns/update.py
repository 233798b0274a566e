"""The executor of ``dns`` steps: records changed at a zone's primary by signed messages (RFC 2136, RFC 8945).

Place is a zone, key an RRset's ``NAME TYPE``, a row is as ``rows`` makes it. All steps of a zone are one
message: the server looks whether every RRset is ``before`` and changes them in the same moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from eymail.dns import exchange, rows
from eymail.dns.servers import Server
from eymail.dns.signed import Signer, Unsure
from eymail.dns.tsig import read_key
from eymail.errors import DnsError, EymailError, InDoubt, InvalidInput, StalePlan
from eymail.plan import Row, Step

if TYPE_CHECKING:
    import dns.rdataset
    import dns.update

_STALE = ("NXRRSET", "YXRRSET", "NXDOMAIN", "YXDOMAIN")
_HINTS = {
    "REFUSED": "does the key have the right to change this zone, from this machine? (update ACL)",
    "NOTAUTH": "is this the primary of that zone, and does it know the key? ([clusters.NAME.update] server)",
    "NOTZONE": "a name is not in that zone",
    "SERVFAIL": "the server's log says why",
    "NOTIMP": "it takes no dynamic updates",
    "FORMERR": "it serves no such zone, or does not understand the message",
}


class DnsExecutor:
    """``plan.Executor`` for RRsets, at the server and with the key that the configuration names.

    ``timeout`` is what one message may take, in seconds. Raises InvalidInput, ConfigError.
    """

    beside_journal = False

    def __init__(self, server: str, key_file: str, timeout: float) -> None:
        self._server = Server.parse(server)
        self._timeout = timeout
        self._signer = Signer(self._server, read_key(key_file))

    def read(self, zone: str, name: str, kind: str) -> Row | None:
        """An RRset as it stands at the zone's primary; None where there is none. For planning.

        What a wildcard or a CNAME would answer in its place is not there. Raises DnsError.
        """
        found = self._asked(zone, f"{name} {kind}")
        if found is None:
            return None
        owner, rdtype = rows.parts(f"{name} {kind}")
        exists = self._holds(zone, lambda message: message.present(owner, rdtype))
        return rows.row_of(found) if exists else None

    def apply(self, steps: tuple[Step, ...], entry: int) -> None:
        """One message for all of the steps, which are of one zone.

        Raises StalePlan, DnsError and others when nothing was changed, InDoubt when the answer was
        lost and the server does not tell what became of the message.
        """
        self.prove(steps)  # prerequisites do not compare the TTL
        message = self._signer.message(steps[0].place)
        for step in steps:
            _require(message, step, step.before)
            _change(message, step, steps)
        try:
            code = self._signer.send(message, time.time() + self._timeout)
        except Unsure as error:
            self._settle(steps, error)
            return
        self._judge(code, steps)

    def prove(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            name, _, kind = step.key.rpartition(" ")
            found = self.read(step.place, name, kind)
            wanted = None if step.before is None else rows.row_of(rows.rdataset(kind, step.before))
            if found != wanted:
                raise self._stale(step)

    def _judge(self, code: str, steps: tuple[Step, ...]) -> None:
        if code in _STALE:
            self.prove(steps)  # names the one that has changed
            names = ", ".join(step.key for step in steps)
            told = f"{names} at {self._server}: not as planned, or another record is in the way"
            raise StalePlan(told, "nothing was changed; plan again")
        if code != "NOERROR":
            told = f"name server {self._server} did not change zone {steps[0].place}: {code}"
            raise DnsError(told, _HINTS.get(code, "nothing was changed"))

    def _stale(self, step: Step) -> StalePlan:
        told = f"{step.key} at {self._server} is no longer as it was"
        return StalePlan(told, "nothing was changed; plan again")

    def _settle(self, steps: tuple[Step, ...], lost: EymailError) -> None:
        """What became of a message whose answer was lost.

        Raises DnsError when it changed nothing, InDoubt when that cannot be told.
        """
        try:
            if self._all(steps, after=True):
                return
            undone = self._all(steps, after=False)
        except DnsError as error:
            raise _doubt(lost) from error
        if not undone:
            raise _doubt(lost)
        raise DnsError(f"{lost.message}; nothing was changed", lost.hint) from lost

    def _all(self, steps: Iterable[Step], *, after: bool) -> bool:
        """Whether all RRsets are as after, or before, the steps: in one moment, told with a signature."""
        steps = tuple(steps)

        def prerequisites(message: dns.update.UpdateMessage) -> None:
            for step in steps:
                _require(message, step, step.after if after else step.before)

        return self._holds(steps[0].place, prerequisites)

    def _holds(self, zone: str, require: Callable[[dns.update.UpdateMessage], None]) -> bool:
        """Whether prerequisites are true: a message that asks for them and changes nothing.

        It is signed and goes the way of an update, behind one that went before it.
        """
        message = self._signer.message(zone)
        require(message)
        try:
            code = self._signer.send(message, time.time() + self._timeout)
        except Unsure as error:
            raise DnsError(error.message, error.hint) from error
        if code in _STALE:
            return False
        if code != "NOERROR":
            told = f"name server {self._server} says nothing of zone {zone}: {code}"
            raise DnsError(told, _HINTS.get(code, ""))
        return True

    def _asked(self, zone: str, key: str) -> dns.rdataset.Rdataset | None:
        """The RRset as the server answers a query for it."""
        import dns.flags
        import dns.message
        import dns.rcode

        name, kind = rows.parts(key)
        query = dns.message.make_query(name, kind, use_edns=0, payload=exchange.PAYLOAD, flags=0)
        answer = exchange.ask(self._server, query, time.time() + self._timeout)
        code = answer.rcode()
        if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) or not answer.flags & dns.flags.AA:
            told = dns.rcode.to_text(code) if code else "it is not authoritative"
            raise DnsError(f"name server {self._server} says nothing of {key}: {told}", _HINTS["NOTAUTH"])
        found: Any = answer.get_rrset(answer.answer, name, query.question[0].rdclass, kind)
        return found.to_rdataset() if found else None


def _doubt(lost: EymailError) -> InDoubt:
    hint = "eymail undo looks what stands, and takes it back"
    return InDoubt(f"{lost.message}; whether the zone was changed is not known", hint)


def _require(message: dns.update.UpdateMessage, step: Step, row: Row | None) -> None:
    """The prerequisite that an RRset is exactly this (RFC 2136 sections 2.4.2 and 2.4.3)."""
    name, kind = rows.parts(step.key)
    if row is None:
        message.absent(name, kind)
    else:
        message.present(name, *rows.rdataset(kind.name, row))


def _change(message: dns.update.UpdateMessage, step: Step, steps: Iterable[Step]) -> None:
    """What becomes of one RRset.

    A server ignores, and says nothing, when a CNAME would stand beside other records (RFC 2136 section
    3.4.2.2), or when a zone would lose its own NS: the first is a prerequisite here, the second refused.
    """
    name, kind = rows.parts(step.key)
    zone = message.zone[0].name
    if not name.is_subdomain(zone) or (kind.name == "NS" and name == zone):
        raise InvalidInput(f"{step.key} is not a record of zone {step.place} that can be changed")
    if step.after is None:
        message.delete(name, kind)
        return
    message.replace(name, rows.rdataset(kind.name, step.after))
    neighbours = [other for other in steps if other is not step and rows.parts(other.key)[0] == name]
    if step.before is None and not neighbours:
        message.absent(name, None if kind.name == "CNAME" else "CNAME")
