"""A name server that stalls, lies or sends rubbish costs no more than the deadline, and is told of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eymail.dns.answers import NoAnswer, Why
from eymail.dns.lookup import Resolver
from eymail.dns.servers import Server
from eymail.errors import DnsError, NotFound
from tests.unit.dns_peer import Peer, Question, framed, peer, rrset, zone

SHORT = 0.4
GOOD = zone(rrset("a.example", "TXT", '"x"'))


def resolver(*peers: Peer, timeout: float = 5.0) -> Resolver:
    return Resolver([one.address for one in peers], timeout)


def why(look_up: Callable[[], object]) -> Why:
    """How a look-up fails: within the deadline, with a sentence and a hint."""
    start = time.monotonic()
    with pytest.raises(NoAnswer) as caught:
        look_up()
    assert time.monotonic() - start < SHORT + 1
    assert caught.value.message.isprintable()
    assert caught.value.hint
    return caught.value.why


@pytest.mark.parametrize(
    "stray",
    [
        lambda question: b"",
        lambda question: b"rubbish",
        lambda question: question.wire,
        lambda question: bytes([question.wire[0] ^ 1]) + question.answer()[1:],
        lambda question: question.answer().replace(b"\x01a\x07example", b"\x01b\x07example"),
        lambda question: question.answer(flags="QR TC").replace(b"\x01a\x07example", b"\x01b\x07example"),
        lambda question: question.answer(rrset("a.example", "TXT", '"forged"'))[:-3],
    ],
    ids=["empty", "rubbish", "query sent back", "another id", "another question", "another, cut", "short"],
)
def test_a_packet_that_is_no_answer_is_passed_over(stray: Callable[[Question], bytes]) -> None:
    """And told of when no answer comes after it."""
    with peer(lambda question: [stray(question), *GOOD(question)]) as server:
        answer = resolver(server).txt("a.example")
        assert answer and answer.records == ("x",)
        assert len(server.asked) == 1
    with peer(lambda question: [stray(question)]) as server:
        assert why(lambda: resolver(server, timeout=SHORT).txt("a.example")) is Why.MALFORMED


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (lambda question: [], Why.MALFORMED),
        (lambda question: [b"\xff"], Why.MALFORMED),
        (lambda question: [framed(b"rubbish")], Why.MALFORMED),
        (lambda question: [b"\xff\xff", *(part for _ in range(40) for part in (b"x", 0.05))], Why.TIMEOUT),
        (lambda question: [2.0], Why.TIMEOUT),
    ],
    ids=["nothing", "closed in the middle", "rubbish", "slow drip", "silence"],
)
def test_a_bad_answer_by_tcp_costs_no_more_than_the_deadline(
    reply: Callable[[Question], Iterable[bytes | float]], reason: Why
) -> None:
    def script(question: Question) -> Iterable[bytes | float]:
        return [question.answer(flags="QR TC")] if question.transport == "udp" else reply(question)

    with peer(script) as server:
        assert why(lambda: resolver(server, timeout=SHORT).txt("a.example")) is reason


def test_a_record_of_64_kb_comes_by_tcp() -> None:
    text = " ".join(f'"{"x" * 250}"' for _ in range(250))
    with peer(zone(rrset("a.example", "TXT", text))) as server:
        answer = resolver(server).txt("a.example")
        assert [question.transport for question in server.asked] == ["udp", "tcp"]
    assert answer and answer.raw == (b"x" * 62500,)


def test_of_several_servers_the_error_that_tells_most_is_told() -> None:
    with peer(lambda question: [question.answer(code="REFUSED")]) as bad, peer(lambda _question: []) as mute:
        assert why(lambda: resolver(bad, mute, timeout=SHORT).txt("a.example")) is Why.REFUSED
        assert (len(bad.asked), len(mute.asked)) == (1, 2)


def test_a_broken_server_does_not_hide_the_next() -> None:
    for broken in (lambda question: [question.answer(code="SERVFAIL")], lambda _question: [b"rubbish"]):
        with peer(broken) as bad, peer(GOOD) as server:
            answer = resolver(bad, server, timeout=1).txt("a.example")
            assert answer and answer.records == ("x",)


def test_a_name_that_does_not_exist_and_has_records_does_not_exist() -> None:
    record = rrset("a.example", "TXT", '"x"')
    with peer(lambda question: [question.answer(record, code="NXDOMAIN")]) as server, pytest.raises(NotFound):
        resolver(server).txt("a.example")


def test_an_alias_that_lives_shorter_than_its_target_sets_the_ttl() -> None:
    records = rrset("a.example", "CNAME", "b.example.", ttl=30), rrset("b.example", "TXT", '"x"', ttl=300)
    with peer(zone(*records)) as server:
        answer = resolver(server).txt("a.example")
    assert answer and (answer.owner, answer.ttl) == ("b.example", 30)


def test_records_of_another_name_are_not_taken() -> None:
    forged = rrset("b.example", "TXT", '"forged"')
    lie = peer(lambda question: [question.answer(forged)])
    with lie as server, pytest.raises(DnsError, match="about something else"):
        resolver(server).txt("a.example")


def test_an_alias_does_not_give_its_targets_zone_as_its_own() -> None:
    records = (
        rrset("example.com", "NS", "ns.example.net."),
        rrset("www.example.com", "CNAME", "example.org."),
        rrset("example.org", "NS", "ns.example.org."),
    )
    with peer(zone(*records)) as server:
        found = resolver(server).zone("www.example.com")
    assert (found.name, found.servers) == ("example.com", ("ns.example.net",))


def test_a_parent_wrongly_denied_does_not_hide_the_zone() -> None:
    good = zone(rrset("example.com", "NS", "ns.example.net."), exists=["a.b.example.com"])

    def script(question: Question) -> Iterable[bytes]:
        return [question.answer(code="NXDOMAIN")] if question.name == "b.example.com" else good(question)

    with peer(script) as server:
        assert resolver(server).zone("a.b.example.com").name == "example.com"


def test_an_authoritative_server_that_is_silent_is_asked_once_more() -> None:
    with peer(lambda _question: []) as server:
        at = Server("127.0.0.1", server.port)
        assert why(lambda: Resolver((), SHORT).mx_at(at, "a.example")) is Why.TIMEOUT
        assert len(server.asked) == 2


@pytest.fixture
def mangling() -> Iterator[Peer]:
    with peer(lambda _question: []) as server:
        yield server


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(0, 200), at=st.integers(2, 150), junk=st.binary(min_size=1, max_size=8), tcp=st.booleans()
)
def test_no_mangled_answer_ends_in_anything_but_an_answer_or_a_told_error(
    mangling: Peer, cut: int, at: int, junk: bytes, tcp: bool
) -> None:
    """A well-formed answer with bytes overwritten or cut off; by UDP the real one comes after it."""
    records = (
        rrset("a.example", "MX", "10 b.a.example.", "20 c.example."),
        rrset("a.example", "TXT", '"x" "y"'),
    )

    def script(question: Question) -> Iterable[bytes | float]:
        wire = question.answer(*records)
        mangled = (wire[:at] + junk + wire[at + len(junk) :])[: len(wire) - cut if cut < 100 else None]
        if question.transport == "tcp":
            return [framed(mangled)]
        return [question.answer(flags="QR TC")] if tcp else [mangled, question.answer(*records)]

    mangling.script = script
    for look_up in (resolver(mangling).mx, resolver(mangling).txt):
        with suppress(DnsError, NotFound):
            look_up("a.example")
