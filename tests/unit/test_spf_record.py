"""SPF records to the letter (RFC 7208 sections 4.5, 4.6, 5, 6, 12)."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.dns.spf.record import Outcome, parse, records


def faults(*terms: str) -> list[str]:
    return [fault.text for fault in parse(f"v=spf1 {' '.join(terms)}".encode()).faults]


def test_which_texts_are_records() -> None:
    found = records(
        [b"v=spf1", b"V=sPf1 -all", b"v=spf10", b"v=spf1\t-all", b" v=spf1 -all", b"spf1", b"v=spf1 \xff"]
    )
    assert found == (b"v=spf1", b"V=sPf1 -all", b"v=spf1 \xff")


GOOD = [
    "all", "-all", "~All", "?ALL", "+all", "include:_spf.example.com", "a", "A", "mx", "a/24", "mx//64",
    "a/0//0", "a/32//128", "a:example.com/24//64", "a:%{d}/8", "a:foo:bar/baz.example.com",
    "a:%{d/}.example.com", "ptr", "ptr:example.com", "ip4:192.0.2.1", "ip4:192.0.2.0/24", "ip4:0.0.0.0/0",
    "ip6:::1", "ip6:2001:db8::/32", "ip6:::ffff:192.0.2.1/100", "exists:%{i}.example.com",
    "redirect=_spf.%{d}", "exp=why.example.com", "unknown=", "un.kn-o_wn2=%{c}%{t}%{r}", "a=b",
    "include=x",
]  # fmt: skip
BAD = [
    "al", "all:", "all/8", "all:x.example", "-", "+", "include", "include:", "include:x",
    "include:x.example/24", "include/24", "a:", "a/", "a/33", "a/024", "a//129", "a/24/64", "a/24//",
    "a:/24", "a:x", "a:x.1", "mx:x.example/", "mx:x.example/a", "ptr:", "ptr/24", "ptr:x.example/24",
    "ip4", "ip4:", "ip4:192.0.2", "ip4:192.0.2.256", "ip4:192.0.2.1/33", "ip4:192.0.2.1/",
    "ip4:192.0.2.1/08", "ip4:01.2.3.4", "ip4:::1", "ip4/8", "ip6:192.0.2.1", "ip6:::1/129", "ip6:1:2",
    "ip6:fe80::1%eth0", "exists", "exists:", "exists:x.example/24", "redirect=", "exp=", "redirect=x",
    "exp=%{c}.example.com", "+redirect=x.example", "-odd=1", "1odd=1", "mxx", "a-b", "a.b", "v=%",
    "odd=%{x}", "a:%{c}.example", "\x01", "\xe9",
]  # fmt: skip


@pytest.mark.parametrize("term", GOOD)
def test_terms(term: str) -> None:
    assert faults(term) == []


@pytest.mark.parametrize("term", BAD)
def test_what_is_none(term: str) -> None:
    assert len(parse(b"v=spf1 " + term.encode("latin-1") + b" -all").faults) == 1


def test_all_faults_at_once() -> None:
    assert faults("mxx", "ip4:1", "a", "exp=x.example", "exp=y.example") == ["mxx", "ip4:1", "exp=y.example"]


def test_the_parts_of_terms() -> None:
    record = parse(b"v=spf1 ~A:x.example/24//64 ip4:192.0.2.77/24 redirect=y.example Exp=z.example")
    host, network = record.directives
    assert (host.name, host.outcome, host.prefixes) == ("a", Outcome.SOFTFAIL, (24, 64))
    assert network.network == ip_network("192.0.2.0/24")
    assert [one.name for one in record.modifiers] == ["redirect", "exp"]
    assert record.redirect is not None


def test_redirect_does_not_count_beside_all() -> None:
    assert parse(b"v=spf1 redirect=y.example ?all").redirect is None


@given(st.binary(max_size=200))
def test_any_bytes_are_terms_or_faults(rest: bytes) -> None:
    """Each word becomes one of the two; nothing is passed over."""
    record = parse(b"v=spf1 " + rest)
    words = [word for word in rest.split(b" ") if word]
    twice = sum("already" in fault.why for fault in record.faults)
    assert len(record.directives) + len(record.modifiers) + len(record.faults) - twice == len(words)
    assert record.text.isascii() and record.text.isprintable()


@given(st.lists(st.sampled_from(GOOD + BAD), max_size=8))
def test_a_fault_is_a_fault_wherever_it_stands(terms: list[str]) -> None:
    bad = [term for term in terms if term in BAD]
    again = [
        name
        for name in ("redirect", "exp")
        for _ in [t for t in terms if t in GOOD and t.startswith(f"{name}=")][1:]
    ]
    encoded = " ".join(terms).encode("latin-1")
    assert len(parse(b"v=spf1 " + encoded).faults) == len(bad) + len(again)
