"""A zone in a dictionary, and evaluations against it: no name server, so every rule can be tried by itself.

A zone has, by name, the records of each type; a type whose records are None fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from eymail.dns.answers import Mx
from eymail.dns.question import Question, Reply, Status
from eymail.dns.spf.check import Verdict, check_host
from eymail.dns.spf.client import Client
from eymail.dns.spf.tree import Builder, Policy

Zone = Mapping[str, Mapping[str, object]]


def reply(zone: Zone, question: Question) -> Reply:
    """What the zone says."""
    at = {name.lower(): records for name, records in zone.items()}.get(question.name)
    if at is None:
        return Reply(Status.NO_NAME, ttl=60)
    found = at.get(question.kind, ())
    if found is None:
        return Reply(Status.FAILED, problem=f"{question.kind} of {question.name} failed")
    records = [found] if isinstance(found, str | bytes) else list(found)  # type: ignore[call-overload]
    if not records:
        return Reply(Status.NOTHING, ttl=60)
    return Reply(Status.FOUND, tuple(_record(question.kind, one) for one in records), ttl=300)


def _record(kind: str, value: object) -> object:
    if kind == "TXT" and isinstance(value, str):
        return value.encode("latin-1")
    if kind == "MX" and isinstance(value, str):
        preference, _, target = value.partition(" ")
        return Mx(int(preference), target)
    return value


def evaluated(
    zone: Zone, ip: str, sender: str, helo: str = "mx.other.example", domain: str | None = None
) -> tuple[Verdict, list[Question]]:
    """The verdict of an evaluation in order, and what it asked."""
    client = Client.of(ip_address(ip), sender, helo)
    evaluation = check_host(client, client.sender if domain is None else domain)
    asked: list[Question] = []
    try:
        question = next(evaluation)
        while True:
            asked.append(question)
            question = evaluation.send(reply(zone, question))
    except StopIteration as stop:
        return stop.value, asked


def result(zone: Zone, ip: str, sender: str, helo: str = "mx.other.example") -> str:
    return str(evaluated(zone, ip, sender, helo)[0].result)


def policy(zone: Zone, domain: str) -> Policy:
    """The whole tree of a domain's record."""
    known: dict[Question, Reply] = {}
    while True:
        builder = Builder(known)
        found = builder.policy(domain)
        if not builder.missing:
            return found
        known |= {question: reply(zone, question) for question in builder.missing}
