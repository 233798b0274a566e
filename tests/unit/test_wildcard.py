"""Which names a wildcard MX does not cover (RFC 4592), told from what the DNS says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from eymail.directory import passwords
from eymail.env import Env
from eymail.ops import catchall, reception, wildcard
from eymail.ops import domain as domains
from eymail.ops.reception import Reception
from tests.unit.directories import applied, environment
from tests.unit.dns_peer import Peer, Question, rrset

Zone = dict[tuple[str, str], tuple[str, ...]]
CLUSTER = '[clusters.ey04.hosts.mail1]\nrole = "mail"\naddress = "127.0.0.1"\n'
WILD: Zone = {("*", "MX"): ("10 mx.ey04.engineyard.com.",)}


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Env]:
    monkeypatch.setattr(passwords, "_COST", 4)
    with environment(tmp_path) as made:
        yield made


def answer(zone: Zone, question: Question) -> Iterable[bytes]:
    """As an authoritative server of example.com would (RFC 4592 section 3.3.1), for a resolver's client."""
    relative = question.name.lower().removesuffix("example.com").removesuffix(".")
    names = {name for name, _ in zone} | {""}
    exists = {".".join(name.split(".")[at:]) for name in names for at in range(len(name.split(".")) + 1)}
    owner = relative
    if relative not in exists:
        labels = relative.split(".")
        encloser = next(
            ".".join(labels[at:]) for at in range(1, len(labels) + 1) if ".".join(labels[at:]) in exists
        )
        owner = f"*.{encloser}".rstrip(".")
        if owner not in exists:
            return [question.answer(code="NXDOMAIN")]
    records = zone.get((owner, question.kind), ())
    return [question.answer(*([rrset(question.name, question.kind, *records)] if records else []))]


def notes(env: Env, zone: Zone) -> list[str]:
    """What is said of names that are not covered."""
    peer = Peer(lambda question: answer(zone, question))
    try:
        env._servers = (peer.address,)
        found = wildcard._exceptions(env, "example.com", "nobody-made-this.example.com")
        return [note.partition(";")[0] for note in found]
    finally:
        peer.close()


@pytest.fixture
def cluster(env: Env, tmp_path: Path) -> Env:
    file = tmp_path / "eymail.toml"
    file.write_text(file.read_text() + CLUSTER)
    return env


A = ("192.0.2.1",)
OWN = "has records of its own (A) and no MX"


@pytest.mark.parametrize(
    ("zone", "known", "expected"),
    [
        (WILD, (), []),
        ({}, (), []),
        ({("www", "A"): A}, (), [f"not covered: www.example.com {OWN}"]),
        ({**WILD, ("www", "A"): A}, (), [f"not covered: www.example.com {OWN}"]),
        ({**WILD, ("www", "A"): A, ("www", "MX"): WILD["*", "MX"]}, (), []),
        (
            {**WILD, ("mail", "MX"): ("5 elsewhere.example.",)},
            (),
            ["not covered: mail.example.com has an MX of its own, to elsewhere.example"],
        ),
        # An empty non-terminal: it exists, because of the name below it.
        ({**WILD, ("host.app", "A"): A}, (), [f"not covered: app.example.com {wildcard._HIDDEN}"]),
        # A wildcard of another type answers for every name: none of them is one of its own.
        ({("*", "A"): A}, (), []),
        ({("*", "A"): A, ("api", "A"): ("192.0.2.9",)}, (), [f"not covered: api.example.com {OWN}"]),
        # x.foo is below foo, which exists and has no wildcard of its own.
        (
            {**WILD, ("foo", "A"): A},
            ("x.foo.example.com",),
            [
                "not covered: x.foo.example.com is out of the wildcard's reach: a name between them exists",
                f"not covered: foo.example.com {OWN}",
            ],
        ),
    ],
)  # fmt: skip
def test_names_that_a_wildcard_does_not_cover(
    cluster: Env, monkeypatch: pytest.MonkeyPatch, zone: Zone, known: tuple[str, ...], expected: list[str]
) -> None:
    monkeypatch.setattr(reception, "warn", lambda *_arguments: None)
    for name in known:
        applied(cluster, domains.add(cluster, name))
    *found, last = notes(cluster, zone)
    assert found == expected
    assert last.endswith("names below example.com were tried")


def test_without_an_answer_nothing_is_said_to_be_covered(cluster: Env) -> None:
    peer = Peer(lambda question: [question.answer(code="SERVFAIL")])
    cluster._servers = (peer.address,)
    try:
        found = list(wildcard._exceptions(cluster, "example.com", "x.example.com"))
    finally:
        peer.close()
    assert found[0].startswith("not checked whether covered: www.example.com")
    assert len(found) == 2


def test_names_that_would_be_too_long_are_not_asked(cluster: Env) -> None:
    domain = ".".join(["a" * 63] * 3 + ["b" * 55, "com"])
    peer = Peer(lambda question: [question.answer(code="NXDOMAIN")])
    cluster._servers = (peer.address,)
    try:
        found = list(wildcard._exceptions(cluster, domain, f"nobody.{domain}"))
    finally:
        peer.close()
    assert len(domain) == 251
    assert "www" not in {question.name.partition(".")[0] for question in peer.asked}
    assert found[0].startswith(f"not checked whether covered: www.{domain}")


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (Reception("here", "cluster ey04", ("mx.ey04.engineyard.com",)), "mail leads here already"),
        (Reception("elsewhere", "mailtrust", ("mx1.emailsrvr.com",)), "leads to mailtrust"),
        (Reception("nowhere", "no MX"), "publish: *.example.com. 300 IN MX 10 mx.ey04.engineyard.com."),
        (Reception("not checked", "no answer"), "(not checked): no answer"),
    ],
)  # fmt: skip
def test_what_the_wildcard_leads_to_decides_what_is_said(
    cluster: Env, monkeypatch: pytest.MonkeyPatch, there: Reception, said: str
) -> None:
    monkeypatch.setattr(reception, "of_domain", lambda _env, _name: there)
    peer = Peer(lambda question: answer({}, question))
    cluster._servers = (peer.address,)
    try:
        plan = catchall.add(cluster, "example.com", subdomains=True)
    finally:
        peer.close()
    assert said in " ".join(plan.notes)
    assert {step.kind for step in plan.steps} == {"directory"}
