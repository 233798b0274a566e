"""Many questions at once: real sockets, servers that stall, lie, cut answers short, or are not there."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.dns.answers import Mx
from eymail.dns.many import AT_ONCE, Asker
from eymail.dns.question import TYPES, Question, Reply, Status, ask, askable, labels, packet
from tests.unit.dns_peer import Peer, framed, peer, rrset, zone
from tests.unit.dns_peer import Question as Asked

RECORDS = zone(
    rrset("a.example", "A", "192.0.2.2", "192.0.2.1"),
    rrset("a.example", "TXT", '"one " "two"', '"\\255"'),
    rrset("a.example", "MX", "20 B.example.", "10 a.example."),
    rrset("1.2.0.192.in-addr.arpa", "PTR", "A.example."),
    rrset("alias.example", "CNAME", "a.example."),
    exists=("empty.example",),
)


@pytest.fixture
def server() -> Iterator[Peer]:
    with peer(RECORDS) as started:
        yield started


def replies(asker: Asker, *questions: Question, seconds: float = 20) -> dict[Question, Reply]:
    """All replies, however many rounds they take."""
    for question in questions:
        asker.ask(question)
    found: dict[Question, Reply] = {}
    end = time.time() + seconds
    while len(found) < len(questions) and time.time() < end:
        found |= dict(asker.replies(end))
    return found


def one(server: Peer, name: str, kind: str = "A", timeout: float = 1.0, *others: str) -> Reply:
    with Asker([server.address, *others], timeout) as asker:
        return replies(asker, ask(name, kind))[ask(name, kind)]


def descriptors() -> int:
    """How many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_records_as_plain_values_in_one_order(server: Peer) -> None:
    assert one(server, "A.Example.").names == ("192.0.2.1", "192.0.2.2")
    assert one(server, "a.example", "TXT").texts == (b"one two", b"\xff")
    assert one(server, "a.example", "MX").records == (Mx(10, "a.example"), Mx(20, "b.example"))
    assert one(server, "1.2.0.192.in-addr.arpa", "PTR").names == ("A.example",)
    assert one(server, "alias.example").owner == "a.example"
    assert one(server, "a.example").ttl == 300


def test_no_name_and_no_records_are_void(server: Peer) -> None:
    assert one(server, "empty.example").status is Status.NOTHING
    assert one(server, "gone.example").status is Status.NO_NAME
    assert one(server, "gone.example").void and one(server, "empty.example").void


def test_hundreds_at_once_with_bounded_sockets() -> None:
    most = 0

    def script(question: Asked) -> Iterator[bytes]:
        nonlocal most
        most = max(most, descriptors())
        yield question.answer(rrset(question.name, "A", "192.0.2.1"))

    questions = [ask(f"n{n}.example", "A") for n in range(3 * AT_ONCE)]
    before = descriptors()
    with peer(script) as server, Asker([server.address], 10) as asker:
        found = replies(asker, *questions)
    assert {reply.names for reply in found.values()} == {("192.0.2.1",)}
    assert len(found) == 3 * AT_ONCE
    assert most - before <= AT_ONCE + 20
    assert descriptors() <= before


def test_an_answer_too_long_for_a_packet_comes_by_tcp(server: Peer) -> None:
    text = " ".join(f'"{"x" * 250}"' for _ in range(200))
    server.script = zone(rrset("long.example", "TXT", text))
    assert len(one(server, "long.example", "TXT").texts[0]) == 50_000
    assert [question.transport for question in server.asked] == ["udp", "tcp"]


def test_a_drip_by_tcp_ends_at_the_deadline(server: Peer) -> None:
    def script(question: Asked) -> Iterator[bytes | float]:
        if question.transport == "udp":
            yield question.answer(flags="QR RA TC")
        else:
            for byte in framed(question.answer(rrset("a.example", "A", "192.0.2.1"))):
                yield bytes([byte])
                yield 0.5

    server.script = script
    started = time.monotonic()
    reply = one(server, "a.example", "A", 1.0)
    assert reply.status is Status.FAILED
    assert time.monotonic() - started < 2


def test_a_server_that_says_nothing_is_asked_twice_then_given_up(server: Peer) -> None:
    server.script = lambda _question: []
    started = time.monotonic()
    reply = one(server, "a.example", "A", 1.0)
    assert 0.9 < time.monotonic() - started < 2
    assert "did not answer in time: A of a.example" in reply.problem
    assert len(server.asked) == 2


def test_the_second_server_is_asked_when_the_first_is_not_there(server: Peer) -> None:
    with Asker(["127.0.0.1:1", server.address], 5) as asker:
        started = time.monotonic()
        assert replies(asker, ask("a.example", "A"))[ask("a.example", "A")].names
        assert time.monotonic() - started < 1


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "NOTIMP"])
def test_a_server_that_refuses_is_not_asked_again(server: Peer, code: str) -> None:
    server.script = lambda question: [question.answer(code=code)]
    reply = one(server, "a.example")
    assert reply.status is Status.FAILED
    assert f"answered {code}" in reply.problem
    assert len(server.asked) == 1


def test_a_server_too_old_for_edns(server: Peer) -> None:
    def script(question: Asked) -> Iterator[bytes]:
        if question.message.edns >= 0:
            plain = question.message
            plain.use_edns(False)
            yield question.answer(code="FORMERR")
        else:
            yield question.answer(rrset("a.example", "A", "192.0.2.1"))

    server.script = script
    assert one(server, "a.example").names == ("192.0.2.1",)


def test_packets_that_are_no_answer_never_end_the_wait(server: Peer) -> None:
    def script(question: Asked) -> Iterator[bytes | float]:
        wrong = bytearray(question.answer(rrset("a.example", "A", "192.0.2.66")))
        wrong[0] ^= 1
        other = question.answer(rrset("a.example", "A", "192.0.2.66")).replace(b"\x01a\x07", b"\x01b\x07")
        yield from (b"", b"x", os.urandom(40), bytes(wrong), other, question.wire)
        yield 0.1
        yield question.answer(rrset("a.example", "A", "192.0.2.1"))

    server.script = script
    assert one(server, "a.example").names == ("192.0.2.1",)


def test_lies_alone_are_told_as_such(server: Peer) -> None:
    server.script = lambda _question: [b"\0" * 30]
    assert "no well-formed answer" in one(server, "a.example").problem


def test_an_alias_without_its_target_is_followed(server: Peer) -> None:
    def script(question: Asked) -> Iterator[bytes]:
        number = int(question.name[1:].partition(".")[0])
        if number < 5:
            yield question.answer(rrset(question.name, "CNAME", f"n{number + 1}.example."))
        else:
            yield question.answer(rrset(question.name, "A", "192.0.2.1"))

    server.script = script
    reply = one(server, "n1.example")
    assert (reply.names, reply.owner) == (("192.0.2.1",), "n5.example")


def test_aliases_without_end_end(server: Peer) -> None:
    def script(question: Asked) -> Iterator[bytes]:
        number = int(question.name[1:].partition(".")[0])
        yield question.answer(rrset(question.name, "CNAME", f"n{number + 1}.example."))

    server.script = script
    assert one(server, "n1.example").status is Status.NOTHING
    assert len(server.asked) < 12


def test_what_came_too_late_is_no_ones_answer(server: Peer) -> None:
    """The first try's answer by TCP arrives after the second try was begun."""
    tries = 0

    def script(question: Asked) -> Iterator[bytes | float]:
        nonlocal tries
        if question.transport == "udp":
            tries += 1
            if tries == 1:
                yield question.answer(flags="QR RA TC")
            else:
                yield 0.3
                yield question.answer(rrset("a.example", "A", "192.0.2.1"))
        else:
            yield 0.6
            yield framed(question.answer(rrset("a.example", "A", "192.0.2.66")))

    server.script = script
    assert one(server, "a.example", "A", 1.0).names == ("192.0.2.1",)


def test_nothing_out_is_nothing_to_wait_for(server: Peer) -> None:
    with Asker([server.address], 5) as asker:
        started = time.monotonic()
        assert asker.replies(time.time() + 5) == []
        assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("name", "good"),
    [("a.example", True), ("x" * 63 + ".example", True), ("x" * 64 + ".example", False), ("", False),
     ("a..example", False), (".example", False), ("é.example", True), ("é" * 32 + ".example", False),
     (".".join(["x" * 49] * 5) + ".xyz", True), (".".join(["x" * 49] * 5) + ".wxyz", False)],
)  # fmt: skip
def test_what_can_be_a_name(name: str, good: bool) -> None:
    assert askable(name) is good


def test_a_question_that_has_to_wait_has_its_whole_time_then() -> None:
    """Twice as many as fly at once; the first half is never answered."""
    questions = [ask(f"n{n}.example", "A") for n in range(2 * AT_ONCE)]
    silent = {question.name for question in questions[:AT_ONCE]}

    def script(question: Asked) -> Iterator[bytes]:
        if question.name not in silent:
            yield question.answer(rrset(question.name, "A", "192.0.2.1"))

    with peer(script) as server, Asker([server.address], 0.6) as asker:
        found = replies(asker, *questions)
    assert [bool(found[question].names) for question in questions] == [False] * AT_ONCE + [True] * AT_ONCE


@given(
    st.integers(0, 65535),
    st.text("abcXYZ019-_/*\xe9", min_size=1, max_size=250).filter(askable),
    st.sampled_from(sorted(TYPES)),
    st.sampled_from([0, 1232]),
)
def test_questions_are_those_that_dnspython_makes(id: int, name: str, kind: str, payload: int) -> None:
    edns: dict[str, Any] = {"use_edns": 0, "payload": payload} if payload else {}
    wanted = dns.message.make_query(dns.name.Name(labels(name)), kind, id=id, **edns)
    assert packet(id, labels(name), kind, payload) == wanted.to_wire()


def test_a_text_without_any_string_is_passed_over_and_the_rest_counts(server: Peer) -> None:
    """RDLENGTH 0, which dnspython takes for an error of the whole answer."""
    empty = b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 300, 0)

    def script(question: Asked) -> Iterator[bytes]:
        wire = question.answer(rrset("a.example", "TXT", '"kept"'))
        option = wire.rfind(b"\0\0\x29")
        more = wire[:option] + empty + wire[option:]
        yield more[:6] + b"\0\x02" + more[8:]

    server.script = script
    assert one(server, "a.example", "TXT").texts == (b"kept",)
