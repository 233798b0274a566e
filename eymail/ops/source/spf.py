"""A source address in SPF records: put into the cluster's own, taken out, and looked for in a customer's."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from eymail.dns.question import Question, Reply, Status
from eymail.dns.spf import record as spf
from eymail.dns.spf.client import Client
from eymail.dns.spf.run import Asker, Pool

if TYPE_CHECKING:
    from eymail.dns.spf.check import Verdict
    from eymail.env import Env

_DEADLINE = 20.0


def with_address(record: str, address: IPv4Address) -> str:
    """The record with an ip4 term for the address, unless it lets the address pass already.

    The term comes after the last address of the record's beginning: before what costs look-ups, and
    before what ends the record. All else stays as it is written.
    """
    if _passes(record, address):
        return record
    words = record.split(" ")
    place = 1
    while place < len(words) and words[place].lower().lstrip("+").startswith(("ip4:", "ip6:")):
        place += 1
    return " ".join((*words[:place], f"ip4:{address}", *words[place:]))


def without_address(record: str, address: IPv4Address) -> str:
    """The record without the terms that name this one address; what names a network stays."""
    single = IPv4Network(address)
    gone = {one.text for one in spf.parse(record.encode()).directives if one.network == single}
    return " ".join(word for word in record.split(" ") if word not in gone)


def _passes(record: str, address: IPv4Address) -> bool:
    terms = spf.parse(record.encode()).directives
    return any(
        one.network is not None and address in one.network and one.outcome is spf.Outcome.PASS
        for one in terms
    )


def customer_verdict(env: Env, domain: str, address: IPv4Address, cluster_name: str, record: str) -> Verdict:
    """What SPF will say of mail from a customer's domain by an address (RFC 7208).

    As it will be when ``cluster_name`` publishes ``record``, if any; all else is asked of the DNS.
    """
    reply = Reply(Status.FOUND, (record.encode(),))
    known = {Question(cluster_name, "TXT"): reply} if record else {}
    client = Client.of(address, f"postmaster@{domain}", domain)
    return Pool(_Foreseeing(env.asker, known), _DEADLINE).verdict(client, domain)


class _Foreseeing:
    """Asks as another asker does, but for a few things whose answer will be another one soon."""

    def __init__(self, asker: Asker, known: dict[Question, Reply]) -> None:
        self._asker, self._known = asker, known
        self._answered: list[tuple[Question, Reply]] = []

    def ask(self, question: Question) -> None:
        if question in self._known:
            self._answered.append((question, self._known[question]))
        else:
            self._asker.ask(question)

    def replies(self, end: float) -> list[tuple[Question, Reply]]:
        if self._answered:
            found, self._answered = self._answered, []
            return found
        return self._asker.replies(end)
