"""eymail's evaluation, in this process, its look-ups answered from the case's zones."""

from __future__ import annotations

from eymail.config import Config
from eymail.dns.answers import Mx
from eymail.dns.question import Question, Reply, Status
from eymail.dns.spf.check import check_host
from eymail.dns.spf.client import Client
from eymail.ops.spf.check import Triple
from eymail.ops.spf.target import policy_domain
from tests.oracles.case import Case, Verdict
from tests.oracles.zones import NOERROR, NXDOMAIN, World, txt_parts

NAME = "eymail"


def check(case: Case, world: World) -> Verdict:
    steps = check_host(*told(case))
    try:
        question = next(steps)
        while True:
            question = steps.send(reply(world, question))
    except StopIteration as end:
        return Verdict(str(end.value.result), end.value.explanation)


def told(case: Case) -> tuple[Client, str]:
    """The client and the domain, as the command line takes them."""
    triple = Triple(case.ip, case.sender, case.helo)
    return triple.client(), policy_domain(Config(), "", triple.identity)


def reply(world: World, question: Question) -> Reply:
    found = world.find(question.name, question.kind)
    if found.code == NXDOMAIN:
        return Reply(Status.NO_NAME)
    if found.code != NOERROR:
        return Reply(Status.FAILED, problem="no answer")
    values = [value for _, kind, value in found.records if kind == question.kind]
    if question.kind == "TXT":
        records: tuple[object, ...] = tuple(b"".join(txt_parts(value)) for value in values)
    elif question.kind == "MX":
        records = tuple(
            sorted(Mx(value[0], str(value[1]).lower()) for value in values if isinstance(value, tuple))
        )
    else:
        records = tuple(str(value) for value in values)
    return Reply(Status.FOUND if records else Status.NOTHING, records)  # type: ignore[arg-type]
