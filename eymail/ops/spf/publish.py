"""Which record a domain should publish: proposed, then evaluated as if it were published already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from eymail.config import Cluster
from eymail.dns.question import Question, Reply, Status, ask
from eymail.dns.spf import faults, mending
from eymail.dns.spf.client import Client
from eymail.dns.spf.record import Outcome
from eymail.dns.spf.run import Asker, Pool, tree
from eymail.dns.spf.tree import Policy


@dataclass(frozen=True)
class Wanted:
    """A cluster's source address that should pass."""

    cluster: Cluster
    address: str


@dataclass(frozen=True)
class Advice:
    """The record to publish at ``name``; "" when the present one is as good, or ``why`` none is known."""

    name: str
    record: str = ""
    why: str = ""


def advice(
    asker: Asker, policy: Policy, known: Mapping[Question, Reply], wanted: tuple[Wanted, ...], deadline: float
) -> Advice:
    """The first proposal that has no error and lets those addresses pass that should."""
    name = policy.owner or policy.name
    trial = _Trial(asker, policy.name, known, deadline)
    why = ""
    for record in _proposals(policy, trial, wanted):
        why = trial.wrong(record, wanted)
        if not why:
            same = [record] == [one.text for one in policy.records]
            return Advice(name, "" if same else record)
    return Advice(name, why=f"no better record is known: the sound terms by themselves are no good ({why})")


def _proposals(policy: Policy, trial: _Trial, wanted: tuple[Wanted, ...]) -> Iterator[str]:
    plain = mending.proposal(policy)
    yield plain
    missing = trial.refused(plain, wanted)
    add = dict.fromkeys(f"include:{one.cluster.spf_name}" for one in missing)
    for first in (False, True):
        yield mending.proposal(policy, add, first=first)


class _Trial:
    """A domain as if it published something else."""

    def __init__(self, asker: Asker, domain: str, known: Mapping[Question, Reply], deadline: float) -> None:
        self._asker, self._domain, self._deadline = asker, domain, deadline
        self._known = dict(known)

    def _publish(self, record: str) -> dict[Question, Reply]:
        self._known[ask(self._domain, "TXT")] = Reply(Status.FOUND, (record.encode(),), ttl=3600)
        return self._known

    def wrong(self, record: str, wanted: tuple[Wanted, ...]) -> str:
        """What is wrong with a record, empty when nothing is."""
        policy = tree(self._asker, self._domain, self._deadline, self._publish(record))
        errors = (one for one in faults.findings(policy) if one.level == faults.ERROR)
        for error in errors:
            return f"{error.term}: {error.problem}" if error.term else error.problem
        for one in self.refused(record, wanted):
            return f"{one.address} of {one.cluster.name} does not pass"
        return ""

    def refused(self, record: str, wanted: tuple[Wanted, ...]) -> tuple[Wanted, ...]:
        """Those that a record does not let pass."""
        pool = Pool(self._asker, self._deadline, self._publish(record))
        sender = f"postmaster@{self._domain}"
        checks = ((Client.of(ip_address(one.address), sender, self._domain), self._domain) for one in wanted)
        verdicts = zip(wanted, pool.verdicts(checks), strict=True)
        return tuple(one for one, verdict in verdicts if verdict.result is not Outcome.PASS)
