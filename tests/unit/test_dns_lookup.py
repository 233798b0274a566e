"""Look-ups against a name server that is right, wrong, slow, or hostile."""

from __future__ import annotations

import socket
import struct
import time

import dns.flags
import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eymail.dns.answers import Mx, NoAnswer, Why
from eymail.dns.lookup import Resolver
from eymail.dns.servers import Server
from eymail.errors import DnsError, InvalidInput, NotFound
from tests.unit.scripted_dns import Query, Reply, Script, answer, serving, zone

RECORDS = (
    'text.example 300 IN TXT "v=spf1 ip4:192.0.2." "1 -all"',
    "mail.example 60 IN MX 20 Second.example.",
    "mail.example 60 IN MX 10 first.example.",
    "null.example 60 IN MX 0 .",
    "www.example 300 IN CNAME mail.example.",
    "mail.example 60 IN A 192.0.2.7",
    "mail.example 60 IN AAAA 2001:db8::7",
    "mail.example 60 IN NS ns1.example.",
    "1.2.0.192.in-addr.arpa 60 IN PTR mail.example.",
    "mail.example 60 IN SOA ns1.example. root.example. 7 3600 600 86400 30",
)


def resolver(*servers: str, timeout: float = 5.0) -> Resolver:
    return Resolver(servers, timeout)


def test_every_kind_of_record() -> None:
    with serving(zone(*RECORDS)) as server:
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
    with serving(zone(*RECORDS)) as server:
        found = resolver(server.address).mx("www.example")
        assert found is not None
        assert (found.owner, found.ttl) == ("mail.example", 60)


def test_no_such_name_and_no_such_record_are_told_apart() -> None:
    with serving(zone(*RECORDS)) as server:
        with pytest.raises(NotFound, match=r"nosuch\.example does not exist"):
            resolver(server.address).txt("nosuch.example")
        assert resolver(server.address).txt("mail.example") is None


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTAUTH", "YXDOMAIN"])
def test_an_error_code_is_told_and_asked_once(rcode: str) -> None:
    with serving(lambda query, _tcp: [answer(query, rcode=rcode)]) as server:
        with pytest.raises(NoAnswer, match=rcode) as caught:
            resolver(server.address).txt("a.example")
        assert caught.value.hint
        assert caught.value.why == (rcode if rcode in ("SERVFAIL", "REFUSED") else Why.OTHER_CODE)
        assert len(server.queries) == 1


def test_edns_is_used_and_left_where_it_is_not_understood() -> None:
    def old(query: Query, _tcp: bool) -> list[Reply]:
        if query.edns < 0:
            return [answer(query, 'a.example 5 IN TXT "old"')]
        return [struct.pack("!HHHHHH", query.id, 0x8001, 0, 0, 0, 0)]

    with serving(old) as server:
        found = resolver(server.address).txt("a.example")
        assert found is not None and found.records == ("old",)
        assert [message.edns for message in server.messages] == [0, -1]
        assert server.messages[0].payload == 1232


def test_a_cut_answer_is_asked_for_by_tcp() -> None:
    def cut(query: Query, tcp: bool) -> list[Reply]:
        reply = answer(query, f'a.example 5 IN TXT "{"x" * 255}"') if tcp else answer(query)
        reply.flags |= 0 if tcp else dns.flags.TC
        return [reply]

    with serving(cut) as server:
        found = resolver(server.address).txt("a.example")
        assert found is not None and found.records == ("x" * 255,)
        assert [way for _, _, way in server.queries] == ["udp", "tcp"]


def test_a_lost_packet_is_asked_again() -> None:
    seen: list[Query] = []

    def lossy(query: Query, _tcp: bool) -> list[Reply]:
        seen.append(query)
        return [None] if len(seen) == 1 else [answer(query, 'a.example 5 IN TXT "late"')]

    with serving(lossy) as server:
        found = resolver(server.address, timeout=1.0).txt("a.example")
        assert found is not None and found.records == ("late",)


def test_silence_ends_at_the_deadline() -> None:
    with serving(lambda _query, _tcp: [None]) as server:
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match="did not answer in time") as caught:
            resolver(server.address, timeout=0.6).txt("a.example")
        assert 0.4 < time.monotonic() - begun < 1.5
        assert caught.value.why is Why.TIMEOUT
        assert len(server.queries) == 2


def test_a_silent_server_leaves_time_for_the_next() -> None:
    with serving(lambda _query, _tcp: [None]) as silent, serving(zone(*RECORDS)) as good:
        found = resolver(silent.address, good.address, timeout=1.0).mx("mail.example")
        assert found is not None and len(found.records) == 2


def test_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(NoAnswer, match="cannot be reached") as caught:
        resolver(address).txt("a.example")
    assert caught.value.why is Why.UNREACHABLE


def _another_id(query: Query) -> bytes:
    wire = answer(query, 'a.example 5 IN TXT "forged"').to_wire()
    return struct.pack("!H", query.id ^ 1) + wire[2:]


def _another_question(query: Query) -> bytes:
    other = dns.message.make_query("b.example", "TXT", id=query.id)
    return answer(other, 'b.example 5 IN TXT "forged"').to_wire()


def test_forged_packets_do_not_end_the_wait() -> None:
    def forged(query: Query, _tcp: bool) -> list[Reply]:
        good = answer(query, 'a.example 5 IN TXT "good"')
        return [b"", b"\x00", _another_id(query), _another_question(query), good]

    with serving(forged) as server:
        found = resolver(server.address).txt("a.example")
        assert found is not None and found.records == ("good",)
        assert len(server.queries) == 1


MALFORMED = {
    "rubbish": lambda query: struct.pack("!H", query.id) + b"\xff" * 40,
    "header alone": lambda query: struct.pack("!HHHHHH", query.id, 0x8180, 1, 9, 0, 0),
    "trailing bytes": lambda query: answer(query, 'a.example 5 IN TXT "x"').to_wire() + b"!!",
    "a name that points at itself": lambda query: (
        struct.pack("!HHHHHH", query.id, 0x8180, 1, 1, 0, 0)
        + query.question[0].name.to_wire() + struct.pack("!HH", 16, 1)
        + b"\xc0\x1b" + struct.pack("!HHIH", 16, 1, 5, 1) + b"\x00"
    ),
    "another question": _another_question,
}  # fmt: skip


@pytest.mark.parametrize("reply", MALFORMED.values(), ids=MALFORMED)
def test_malformed(reply: object) -> None:
    assert callable(reply)
    with serving(lambda query, _tcp: [reply(query)]) as server:
        with pytest.raises(NoAnswer) as caught:
            resolver(server.address, timeout=0.4).txt("a.example")
        assert caught.value.why is Why.MALFORMED
        assert "no well-formed answer" in caught.value.message


@pytest.mark.parametrize("names", [("a", "a"), ("a", "b", "a"), tuple("abcdefghijklmnopqrstuvwxyz")])
def test_aliases_that_lead_nowhere(names: tuple[str, ...]) -> None:
    pairs = zip(names, (*names[1:], names[0]), strict=True)
    records = [f"{one}.example 5 IN CNAME {other}.example." for one, other in pairs]
    with serving(lambda query, _tcp: [answer(query, *records)]) as server, pytest.raises(DnsError):
        resolver(server.address).txt("a.example")


def _closes(_query: Query, tcp: bool) -> list[Reply]:
    return [b""] if tcp else []


def test_a_tcp_connection_that_tells_nothing() -> None:
    def cut(query: Query, tcp: bool) -> list[Reply]:
        reply = answer(query)
        reply.flags |= dns.flags.TC
        return [] if tcp else [reply]

    with serving(cut) as server, pytest.raises(NoAnswer) as caught:
        resolver(server.address, timeout=1.0).txt("a.example")
    assert caught.value.why is Why.MALFORMED


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=255), min_size=1, max_size=4))
def test_any_bytes_of_a_txt_become_printable_text(strings: list[bytes]) -> None:
    def hostile(query: Query, _tcp: bool) -> list[Reply]:
        rdata = b"".join(bytes([len(one)]) + one for one in strings)
        return [_raw(query, 16, rdata)]

    with serving(hostile) as server:
        found = resolver(server.address).txt("a.example")
    assert found is not None
    assert found.raw == (b"".join(strings),)
    assert all(record.isascii() and (not record or record.isprintable()) for record in found.records)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=63), min_size=1, max_size=3))
def test_any_bytes_of_a_name_become_printable_text(labels: list[bytes]) -> None:
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"

    with serving(lambda query, _tcp: [_raw(query, 15, struct.pack("!H", 10) + wire)]) as server:
        found = resolver(server.address).mx("a.example")
    assert found is not None
    (mx,) = found.records
    assert mx.target.isascii() and mx.target.isprintable() and mx.target


def _raw(query: Query, kind: int, rdata: bytes) -> bytes:
    """One record whose data are the bytes given."""
    head = struct.pack("!HHHHHH", query.id, 0x8580, 1, 1, 0, 0)
    asked = query.question[0]
    question = asked.name.to_wire() + struct.pack("!HH", asked.rdtype, 1)
    return head + question + b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 5, len(rdata)) + rdata


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_rubbish_never_ends_in_anything_but_a_dns_error(rubbish: bytes) -> None:
    with serving(lambda query, _tcp: [struct.pack("!H", query.id) + rubbish]) as server:
        try:
            resolver(server.address, timeout=0.1).txt("a.example")
        except (DnsError, NotFound):
            pass


@pytest.mark.parametrize("name", ["a..example", "x" * 64 + ".example", ".".join(["x" * 60] * 5), "é" * 80])
def test_what_can_be_no_name(name: str) -> None:
    with serving(zone()) as server:
        with pytest.raises(InvalidInput):
            resolver(server.address).txt(name)
        assert server.queries == []


def test_an_authoritative_server_is_asked_without_recursion() -> None:
    with serving(zone(*RECORDS)) as server:
        found = resolver().mx_at(Server.parse(server.address), "mail.example")
        assert found is not None and found.ttl == 60
        assert not server.messages[0].flags & dns.flags.RD


def test_an_answer_without_authority_is_lame() -> None:
    def lame(query: Query, _tcp: bool) -> list[Reply]:
        return [answer(query, "a.example 5 IN MX 1 b.example.", aa=False)]

    with serving(lame) as server, pytest.raises(NoAnswer, match="not authoritative") as caught:
        resolver().mx_at(Server.parse(server.address), "a.example")
    assert caught.value.why is Why.LAME


@pytest.mark.parametrize(
    ("name", "found"),
    [("mail.example", "mail.example"), ("x.y.mail.example", "mail.example"), ("text.example", None)],
)
def test_the_zone_of_a_name(name: str, found: str | None) -> None:
    script: Script = zone(*RECORDS, existing=("x.y.mail.example",))
    with serving(script) as server:
        if found is None:
            with pytest.raises(DnsError, match="no name servers"):
                resolver(server.address).zone(name)
        else:
            told = resolver(server.address).zone(name)
            assert (told.name, told.servers) == (found, ("ns1.example",))
