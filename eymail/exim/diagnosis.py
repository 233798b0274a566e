"""From what Exim wrote down in several places to the one error that holds a recipient up.

The message's own log comes first. Where it says only that it is not yet time, or says
nothing, the retry database is asked, then the other messages to the same domain, then
the cause that a relay handed over with the message.
Runs on the mail hosts, with their own python3 (3.9 or newer) and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from eymail.exim import causes, reasons
from eymail.exim.spool import Message

# The relay's word, in the message's acl_m_first_cause: "domain: what stopped it" for each domain.
_FIRST_CAUSE = b"_first_cause"
_DUMPDB = ("/usr/sbin/exim_dumpdb", "/usr/exim/bin/exim_dumpdb", "exim_dumpdb")
# An answer to one recipient or one message says nothing of the others to its domain.
_OF_ONE_MESSAGE = re.compile(rb" after (?:pipelined )?(?:RCPT TO|MAIL FROM|end of data)")


class Held:
    """A recipient and what holds it up. ``error`` is empty until, or unless, a cause is found."""

    __slots__ = ("error", "logged", "recipient")

    def __init__(self, recipient: bytes, logged: bytes | None) -> None:
        self.recipient = recipient
        self.logged = logged
        self.error = b""

    @property
    def is_open(self) -> bool:
        """Whether there must be a cause that is not known yet: it was tried, or may have been."""
        return not self.error and self.logged != b""

    @property
    def reason(self) -> str:
        """The error's meaning in a few words."""
        if self.error:
            return reasons.group(self.error.decode("utf-8", "backslashreplace"))
        if self.logged is None:
            return reasons.NO_RECORD
        return reasons.RETRY_TIME if self.logged else reasons.NOT_TRIED


class Diagnosis:
    """Finds the errors of a spool's messages; ``exim`` is its program, empty where it must not be asked."""

    def __init__(self, spool: str, exim: str = "") -> None:
        self._spool = spool
        self._exim = exim
        self._by_domain: dict[bytes, bytes] = {}

    def first_look(self, message: Message, log: bytes | None) -> tuple[list[Held], bool]:
        """The recipients with what the message itself tells, and whether that is enough."""
        errors = causes.last_errors(log or b"")
        enough = True
        held = []
        for recipient in message.undelivered:
            logged, real, address = errors.get(recipient, causes.NO_ERROR)
            one = Held(recipient, None if log is None else logged)
            one.error = real or (b"" if logged else first_cause(message, recipient))
            self._learn(address or recipient, one.error)
            enough = enough and not one.is_open
            held.append(one)
        return held, enough

    def _learn(self, address: bytes, error: bytes) -> None:
        if error and not _OF_ONE_MESSAGE.search(error):
            self._by_domain[address.rpartition(b"@")[2].lower()] = error

    def merge(self, other: Diagnosis) -> None:
        """Add what another process learnt."""
        self._by_domain.update(other._by_domain)

    def look_further(self, pending: list[tuple[Message, list[Held]]]) -> bool:
        """Find the causes that the first look left open.

        False when one stays open for want of the retry database.
        """
        database = causes.read_retry_database(self._spool, _DUMPDB)
        known = database or causes.RetryDatabase({})
        open_ones = [(message, one) for message, held in pending for one in held if one.is_open]
        for message, one in open_ones:
            one.error = (
                known.of_message(one.recipient, message.envelope.sender, message.id)
                or self._by_domain.get(_domain(one), b"")
            )  # fmt: skip
        rest = [(message, one) for message, one in open_ones if not one.error]
        hosts = self._routed_hosts(one.recipient for _, one in rest)
        for message, one in rest:
            one.error = known.of_hosts(hosts.get(_domain(one), ())) or first_cause(message, one.recipient)
        return database is not None or not any(one.is_open for _, one in rest)

    def _routed_hosts(self, recipients: Iterable[bytes]) -> dict[bytes, list[bytes]]:
        """Asked once a domain: the retry database knows hosts, not the domains they serve."""
        if not self._exim:
            return {}
        by_domain = {recipient.rpartition(b"@")[2].lower(): recipient for recipient in recipients}
        return causes.routed_hosts(self._exim, by_domain.values())


def _domain(one: Held) -> bytes:
    return causes.hidden_domain(one.logged or b"", one.recipient)


def first_cause(message: Message, recipient: bytes) -> bytes:
    """What stopped the message to this recipient at the relay; empty if that is not told."""
    told = b" " + message.envelope.variables.get(_FIRST_CAUSE, b"")
    _, mark, cause = told.partition(b" %s: " % recipient.rpartition(b"@")[2].lower())
    if not mark:
        return b""
    others = {one.rpartition(b"@")[2].lower() for one in message.envelope.recipients}
    ends = [cause.find(b" %s: " % other) for other in others]
    return cause[: min((end for end in ends if end >= 0), default=len(cause))].strip()
