"""SPF records as text: what is one, what its terms are, what it says of an address by itself."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.dns import spf

HERE, INSIDE = ip_address("198.51.100.7"), "198.51.100.0/24"


@pytest.mark.parametrize(
    ("raw", "is_one"),
    [
        (b"v=spf1", True),
        (b"v=spf1 -all", True),
        (b"V=SPF1 -all", True),
        (b"v=spf10 -all", False),
        (b"v=spf1\t-all", False),
        (b" v=spf1 -all", False),
        (b"spf2.0/pra -all", False),
        (b"", False),
    ],
)
def test_which_txt_records_are_spf(raw: bytes, is_one: bool) -> None:
    """RFC 7208 section 4.5: the version, then the end or a space."""
    assert len(spf.records([b"something", raw])) == is_one


def test_terms_in_order_as_written() -> None:
    record = (
        "v=spf1  IP4:192.0.2.1 ~a/24 -mx:b.example/24//64 ?include:%{d}.c redirect=d.example exp=e.f foo=bar"
    )
    record += " !"
    found = [(term.text, term.qualifier, term.name, term.value, term.modifier) for term in spf.terms(record)]
    assert found == [
        ("IP4:192.0.2.1", "+", "ip4", "192.0.2.1", False),
        ("~a/24", "~", "a", "/24", False),
        ("-mx:b.example/24//64", "-", "mx", "b.example/24//64", False),
        ("?include:%{d}.c", "?", "include", "%{d}.c", False),
        ("redirect=d.example", "+", "redirect", "d.example", True),
        ("exp=e.f", "+", "exp", "e.f", True),
        ("foo=bar", "+", "foo", "bar", True),
        ("!", "+", "", "", False),
    ]
    assert spf.faults(spf.terms(record)) == ("!",)


@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)))
def test_any_words_are_kept_as_they_stand(words: list[str]) -> None:
    terms = spf.terms(" ".join((spf.VERSION, *words)))
    assert [term.text for term in terms] == words
    assert set(spf.faults(terms)) <= set(words)
    spf.verdict(terms, {}, HERE)


@pytest.mark.parametrize(
    ("term", "network"),
    [
        ("ip4:192.0.2.1", "192.0.2.1/32"),
        ("ip4:192.0.2.77/24", "192.0.2.0/24"),
        ("ip4:0.0.0.0/0", "0.0.0.0/0"),
        ("ip6:2001:DB8::1", "2001:db8::1/128"),
        ("ip6:2001:db8::/32", "2001:db8::/32"),
        ("ip4:192.0.2", None),
        ("ip4:192.0.2.1/33", None),
        ("ip4:192.0.2.1/024", None),
        ("ip4:192.0.2.1/255.255.255.0", None),
        ("ip4:192.0.2.1/", None),
        ("ip4:2001:db8::1", None),
        ("ip6:192.0.2.1", None),
        ("ip6:fe80::1%eth0", None),
        ("ip4", None),
        ("ip4=192.0.2.1", None),
        ("a:192.0.2.1", None),
    ],
)
def test_networks(term: str, network: str | None) -> None:
    """RFC 7208 section 5.6, to the letter."""
    (parsed,) = spf.terms(f"v=spf1 {term}")
    assert (str(parsed.network) if parsed.network else None) == network


def test_a_network_that_is_none_and_an_unknown_mechanism_void_the_record() -> None:
    terms = spf.terms(
        "v=spf1 ip4:192.0.2 ipv4:192.0.2.1 all a mx ptr exists:a.b include:c foo=bar redirect=d"
    )
    assert spf.faults(terms) == ("ip4:192.0.2", "ipv4:192.0.2.1")


@pytest.mark.parametrize(
    ("record", "named", "by"),
    [
        ("ip4:198.51.100.7 -all", "yes", "ip4:198.51.100.7"),
        (f"ip4:192.0.2.1 ip4:{INSIDE} -all", "yes", f"ip4:{INSIDE}"),
        ("ip4:198.51.100.8 -all", "no", "-all says fail"),
        ("ip4:198.51.100.8 ~all", "no", "~all says softfail"),
        ("ip4:198.51.100.8", "no", "named by no term"),
        ("ip4:198.51.100.8 all", "yes", "all"),
        (f"-ip4:{INSIDE} ip4:198.51.100.7", "no", f"-ip4:{INSIDE} says fail"),
        (f"ip4:198.51.100.7 -ip4:{INSIDE}", "yes", "ip4:198.51.100.7"),
        # What would have to be asked for, before the term that decides.
        ("a mx -all", "not checked", "not followed: a mx"),
        ("a mx ip4:198.51.100.7 -all", "yes", "ip4:198.51.100.7"),
        ("-a ip4:198.51.100.7 -all", "not checked", "not followed: -a"),
        ("-exists:%{i}.x -all", "no", "-all says fail"),
        ("ip4:198.51.100.7 a -all", "yes", "ip4:198.51.100.7"),
        ("exists:%{i}.x", "not checked", "not followed: exists:%{i}.x"),
        # Includes of one level: only a pass there matches here (section 5.2).
        ("include:in -all", "yes", "include:in"),
        ("~include:in -all", "no", "~include:in says softfail"),
        ("include:out -all", "no", "-all says fail"),
        ("include:deep -all", "not checked", "not followed: include:deep"),
        ("include:unknown -all", "not checked", "not followed: include:unknown"),
        # redirect decides when nothing matched, and all does always (section 6.1).
        ("redirect=in", "yes", "redirect=in: ip4:198.51.100.7"),
        ("redirect=out", "no", "redirect=out: -all says fail"),
        ("redirect=unknown", "not checked", "not followed: redirect=unknown"),
        ("redirect=in -all", "no", "-all says fail"),
        ("a redirect=in", "not checked", "not followed: a"),
    ],
)
def test_what_a_record_says_of_an_address(record: str, named: str, by: str) -> None:
    """ "yes" is for a pass alone, and nothing that was not looked at counts either way."""
    inner = {"in": "v=spf1 ip4:198.51.100.7 -all", "out": "v=spf1 -all", "deep": "v=spf1 include:in -all"}
    included = {
        f"{word}{name}": spf.terms(text) for name, text in inner.items() for word in ("include:", "redirect=")
    }
    included["~include:in"] = included["include:in"]
    assert spf.verdict(spf.terms(f"v=spf1 {record}"), included, HERE) == spf.Verdict(named, by)
