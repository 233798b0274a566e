"""Look-ups against a name server that is right, wrong, slow, or hostile."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import dns.flags
import dns.message
import pytest
from dns.rrset import RRset
from hypothesis import given, settings
from hypothesis import strategies as st

from eymail.dns.answers import Mx, NoAnswer, Why
from eymail.dns.lookup import Resolver
from eymail.dns.servers import Server
from eymail.errors import DnsError, InvalidInput, NotFound
from tests.unit.dns_peer import Question, framed, peer, rrset, zone

RECORDS = (
    rrset("text.example", "TXT", '"v=spf1 ip4:192.0.2." "1 -all"'),
    rrset("mail.example", "MX", "20 Second.example.", "10 first.example.", ttl=60),
    rrset("null.example", "MX", "0 ."),
    rrset("www.example", "CNAME", "mail.example."),
    rrset("mail.example", "A", "192.0.2.7"),
    rrset("mail.example", "AAAA", "2001:db8::7"),
    rrset("mail.example", "NS", "ns1.example."),
    rrset("1.2.0.192.in-addr.arpa", "PTR", "mail.example."),
    rrset("mail.example", "SOA", "ns1.example. root.example. 7 3600 600 86400 30"),
)


def resolver(*servers: str, timeout: float = 5.0) -> Resolver:
    return Resolver(servers, timeout)


def records(address: str, timeout: float = 5.0) -> tuple[str, ...]:
    """The TXT of a.example."""
    found = resolver(address, timeout=timeout).txt("a.example")
    assert found is not None
    return found.records


def wrong(address: str, timeout: float = 5.0) -> NoAnswer:
    """The error that asking for the TXT of a.example ends in."""
    with pytest.raises(NoAnswer) as caught:
        resolver(address, timeout=timeout).txt("a.example")
    assert caught.value.hint
    return caught.value


def text(*strings: str) -> RRset:
    return rrset("a.example", "TXT", " ".join(f'"{one}"' for one in strings))


def header(question: Question, flags: int, *, questions: int = 1, records: int = 0) -> bytes:
    return struct.pack("!HHHHHH", question.message.id, flags, questions, records, 0, 0)


def test_every_kind_of_record() -> None:
    with peer(zone(*RECORDS)) as server:
        ask = resolver(server.address)
        text = ask.txt("text.example")
        assert text is not None and text.records == ("v=spf1 ip4:192.0.2.1 -all",)
        mx = ask.mx("mail.example")
        assert mx is not None and mx.records == (Mx(10, "first.example"), Mx(20, "second.example"))
        null = ask.mx("null.example")
        assert null is not None and null.records == (Mx(0, ""),)
        assert ask.addresses("mail.example") == ("192.0.2.7", "2001:db8::7")
        ns, ptr, soa = ask.ns("mail.example"), ask.ptr("192.0.2.1"), ask.soa("mail.example")
        assert ns is not None and ns.records == ("ns1.example",)
        assert ptr is not None and ptr.records == ("mail.example",)
        assert soa is not None and (soa.zone, soa.primary, soa.serial, soa.minimum) == (
            "mail.example", "ns1.example", 7, 30,
        )  # fmt: skip


def test_an_alias_is_followed_and_the_least_ttl_counts() -> None:
    with peer(zone(*RECORDS)) as server:
        found = resolver(server.address).mx("www.example")
        assert found is not None
        assert (found.owner, found.ttl) == ("mail.example", 60)


def test_no_such_name_and_no_such_record_are_told_apart() -> None:
    with peer(zone(*RECORDS)) as server:
        with pytest.raises(NotFound, match=r"nosuch\.example does not exist"):
            resolver(server.address).txt("nosuch.example")
        assert resolver(server.address).txt("mail.example") is None


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTAUTH", "YXDOMAIN"])
def test_an_error_code_is_told_and_asked_once(rcode: str) -> None:
    with peer(lambda question: [question.answer(code=rcode)]) as server:
        with pytest.raises(NoAnswer, match=rcode) as caught:
            resolver(server.address).txt("a.example")
        assert caught.value.hint
        assert caught.value.why == (rcode if rcode in ("SERVFAIL", "REFUSED") else Why.OTHER_CODE)
        assert len(server.asked) == 1


def test_edns_is_used_and_left_where_it_is_not_understood() -> None:
    def old(question: Question) -> list[bytes]:
        if question.message.edns < 0:
            return [question.answer(text("old"))]
        return [header(question, 0x8001, questions=0)]

    with peer(old) as server:
        assert records(server.address) == ("old",)
        assert [question.message.edns for question in server.asked] == [0, -1]
        assert server.asked[0].message.payload == 1232


def test_a_cut_answer_is_asked_for_by_tcp() -> None:
    long = text("x" * 255, "y" * 255)

    def cut(question: Question) -> list[bytes]:
        by_tcp = question.transport == "tcp"
        return [framed(question.answer(long)) if by_tcp else question.answer(flags="QR TC")]

    with peer(cut) as server:
        assert records(server.address) == ("x" * 255 + "y" * 255,)
        assert [question.transport for question in server.asked] == ["udp", "tcp"]


def test_a_lost_packet_is_asked_again() -> None:
    seen: list[Question] = []

    def lossy(question: Question) -> list[bytes]:
        seen.append(question)
        return [] if len(seen) == 1 else [question.answer(text("late"))]

    with peer(lossy) as server:
        assert records(server.address, timeout=1.0) == ("late",)


@pytest.mark.parametrize("cut", [b"", b"\x00", b"\x00\x20", b"\x00\x20half an answer"])
def test_a_tcp_connection_closed_in_the_middle(cut: bytes) -> None:
    def closing(question: Question) -> list[bytes]:
        return [cut] if question.transport == "tcp" else [question.answer(flags="QR TC")]

    with peer(closing) as server:
        assert wrong(server.address, timeout=1.0).why is Why.MALFORMED


def test_a_slow_drip_by_tcp_ends_at_the_deadline() -> None:
    def drip(question: Question) -> Iterator[bytes | float]:
        if question.transport == "udp":
            yield question.answer(flags="QR TC")
        for byte in framed(question.answer(text("x" * 200))):
            yield bytes([byte])
            yield 0.1

    with peer(drip) as server:
        begun = time.monotonic()
        assert wrong(server.address, timeout=0.6).why is Why.TIMEOUT
        assert time.monotonic() - begun < 2


def test_silence_ends_at_the_deadline() -> None:
    with peer(lambda _question: []) as server:
        begun = time.monotonic()
        error = wrong(server.address, timeout=0.6)
        assert 0.4 < time.monotonic() - begun < 2
        assert error.why is Why.TIMEOUT and "did not answer in time" in error.message
        assert len(server.asked) == 2


def test_a_silent_server_leaves_time_for_the_next() -> None:
    with peer(lambda _question: []) as silent, peer(zone(*RECORDS)) as good:
        found = resolver(silent.address, good.address, timeout=1.0).mx("mail.example")
        assert found is not None and len(found.records) == 2


def test_a_server_that_fails_leaves_the_question_to_the_next() -> None:
    with peer(lambda one: [one.answer(code="SERVFAIL")]) as broken, peer(zone(*RECORDS)) as good:
        found = resolver(broken.address, good.address).mx("mail.example")
        assert found is not None and len(found.records) == 2
        assert len(broken.asked) == 1


def test_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    error = wrong(address)
    assert error.why is Why.UNREACHABLE and "cannot be reached" in error.message


def another_question(question: Question) -> bytes:
    other = dns.message.make_query("b.example", "TXT", id=question.message.id)
    return Question(other.to_wire(), "udp").answer(rrset("b.example", "TXT", "forged"))


def test_forged_packets_do_not_end_the_wait() -> None:
    def forged(question: Question) -> list[bytes]:
        good = question.answer(text("good"))
        another_id = struct.pack("!H", question.message.id ^ 1) + question.answer(text("forged"))[2:]
        return [b"", b"\x00", another_id, another_question(question), good]

    with peer(forged) as server:
        assert records(server.address) == ("good",)
        assert len(server.asked) == 1


def loop(question: Question) -> bytes:
    """A record whose name is a pointer to itself."""
    asked = question.wire[12 : 12 + len("a.example") + 2 + 4]
    pointer = struct.pack("!H", 0xC000 | (12 + len(asked)))
    return header(question, 0x8180, records=1) + asked + pointer + struct.pack("!HHIHB", 16, 1, 5, 1, 0)


MALFORMED: dict[str, Callable[[Question], bytes]] = {
    "rubbish": lambda question: question.wire[:2] + b"\xff" * 40,
    "header alone": lambda question: header(question, 0x8180, records=9),
    "trailing bytes": lambda question: question.answer(text("x")) + b"!!",
    "cut off": lambda question: question.answer(text("x"))[:-3],
    "a name that points at itself": loop,
    "another question": another_question,
}


@pytest.mark.parametrize("reply", MALFORMED.values(), ids=MALFORMED)
def test_malformed(reply: Callable[[Question], bytes]) -> None:
    with peer(lambda question: [reply(question)]) as server:
        error = wrong(server.address, timeout=0.4)
        assert error.why is Why.MALFORMED
        assert "no well-formed answer" in error.message


@pytest.mark.parametrize("names", ["a", "ab", "abcdefghijklmnopqrstuvwxyz"])
def test_aliases_that_lead_round_and_round(names: str) -> None:
    around = zip(names, names[1:] + names[0], strict=True)
    aliases = [rrset(f"{one}.example", "CNAME", f"{other}.example.") for one, other in around]
    with peer(lambda question: [question.answer(*aliases)]) as server:
        assert wrong(server.address).why is Why.MALFORMED


def raw(question: Question, kind: int, rdata: bytes) -> bytes:
    """One record whose data are the bytes given."""
    asked = question.wire[12 : 12 + len("a.example") + 2 + 4]
    record = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 5, len(rdata)) + rdata
    return header(question, 0x8580, records=1) + asked + record


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=255), min_size=1, max_size=4))
def test_any_bytes_of_a_txt_become_printable_text(strings: list[bytes]) -> None:
    rdata = b"".join(bytes([len(one)]) + one for one in strings)
    with peer(lambda question: [raw(question, 16, rdata)]) as server:
        found = resolver(server.address).txt("a.example")
    assert found is not None and found.raw == (b"".join(strings),)
    assert all(record.isascii() and record.isprintable() for record in found.records)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=63), min_size=1, max_size=3))
def test_any_bytes_of_a_name_become_printable_text(labels: list[bytes]) -> None:
    target = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    with peer(lambda question: [raw(question, 15, b"\0\x0a" + target)]) as server:
        found = resolver(server.address).mx("a.example")
    assert found is not None
    (mx,) = found.records
    assert mx.target and mx.target.isascii() and mx.target.isprintable()


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_rubbish_never_ends_in_anything_but_a_dns_error(rubbish: bytes) -> None:
    with (
        peer(lambda question: [question.wire[:2] + rubbish]) as server,
        suppress(DnsError, NotFound),
    ):
        resolver(server.address, timeout=0.1).txt("a.example")


@pytest.mark.parametrize("name", ["a..example", "x" * 64 + ".example", ".".join(["x" * 60] * 5), "é" * 80])
def test_what_can_be_no_name(name: str) -> None:
    with peer(zone()) as server:
        with pytest.raises(InvalidInput):
            resolver(server.address).txt(name)
        assert server.asked == []


def test_an_authoritative_server_is_asked_without_recursion() -> None:
    with peer(zone(*RECORDS)) as server:
        found = resolver().mx_at(Server.parse(server.address), "mail.example")
        assert found is not None and found.ttl == 60
        assert not server.asked[0].message.flags & dns.flags.RD


def test_an_answer_without_authority_is_lame() -> None:
    with peer(zone(*RECORDS, flags="QR")) as server:
        with pytest.raises(NoAnswer, match="not authoritative") as caught:
            resolver().mx_at(Server.parse(server.address), "mail.example")
        assert caught.value.why is Why.LAME


@pytest.mark.parametrize("name", ["mail.example", "x.y.mail.example"])
def test_the_zone_of_a_name(name: str) -> None:
    with peer(zone(*RECORDS, exists=["x.y.mail.example"])) as server:
        told = resolver(server.address).zone(name)
        assert (told.name, told.servers) == ("mail.example", ("ns1.example",))


def test_no_zone_is_found() -> None:
    with peer(zone(*RECORDS)) as server, pytest.raises(DnsError, match="no name servers"):
        resolver(server.address).zone("text.example")


def test_a_referral_says_nothing_of_the_name() -> None:
    def sent_on(question: Question) -> list[bytes]:
        made = dns.message.make_response(question.message)
        made.authority.append(rrset("example", "NS", "ns1.example."))
        return [made.to_wire()]

    with peer(sent_on) as server:
        assert wrong(server.address).why is Why.REFERRAL


def test_no_data_is_no_referral() -> None:
    def no_data(question: Question) -> list[bytes]:
        made = dns.message.make_response(question.message)
        made.authority.append(rrset("example", "NS", "ns1.example."))
        made.authority.append(rrset("example", "SOA", "ns1.example. root.example. 7 3600 600 86400 30"))
        return [made.to_wire()]

    with peer(no_data) as server:
        assert resolver(server.address).txt("a.example") is None
