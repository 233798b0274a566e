"""Macros: the grammar, what they stand for, names that fit (RFC 7208 section 7)."""

from __future__ import annotations

import string
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.dns.question import askable
from eymail.dns.spf import macro
from eymail.dns.spf.client import Client
from eymail.dns.spf.macro import Macro, MacroError

CLIENT = Client.of(ip_address("192.0.2.3"), "strong-bad@email.example.com", "mx.example.org")
VALUES = {**CLIENT.values("email.example.com"), "p": "mx.example.org"}
OF_IPV6 = Client.of(ip_address("2001:db8::cb01"), "strong-bad@email.example.com", "").values(
    "email.example.com"
)


def expanded(text: str, values: dict[str, str] = VALUES) -> str:
    return macro.expand(macro.parse(text), values)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("%{L1r-}", "strong"),
        ("%%%_%-", "% %20"),
        ("%{h1}%{H}", "orgmx.example.org"),
        ("%{d99999999999999999999}", "email.example.com"),
    ],
)
def test_what_the_rfcs_table_says(text: str, wanted: str) -> None:
    assert expanded(text) == wanted


def test_an_ipv6_address_is_its_nibbles() -> None:
    wanted = "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6"
    assert expanded("%{ir}.%{v}", OF_IPV6) == wanted
    assert expanded("%{c}", OF_IPV6) == "2001:db8::cb01"


@pytest.mark.parametrize(
    "text",
    [
        "%",
        "%x",
        "%{",
        "%{}",
        "%{x}",
        "%{d",
        "%{d0}",
        "%{d00}",
        "%{dr2}",
        "%{d.!}",
        "a b",
        "a\x7f",
        "\xe9",
        "%(d)",
    ],
)
def test_what_is_no_macro_string(text: str) -> None:
    with pytest.raises(MacroError):
        macro.parse(text)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("example.com", True), ("example.com.", True), ("%{d}", True), ("x%{d}", True), ("%{d}.com", True),
        ("_spf.x-y.a-b", True), ("foo:bar/baz.example.com", True), (".com", True), ("%%", True),
        ("", False), ("com", False), ("com.", False), ("a.123", False), ("a.-b", False), ("a.b-", False),
        ("a..", False), ("%{d}x", False), ("a.b_c", False), ("%{c}.com", False), ("%{R}", False),
        ("a.%{t}", False),
    ],
)  # fmt: skip
def test_domain_specs(text: str, good: bool) -> None:
    """Section 7.1: a macro or a top label at the end; c, r and t in explanations only."""
    if good:
        assert macro.parse_domain_spec(text)
    else:
        with pytest.raises(MacroError):
            macro.parse_domain_spec(text)


def test_a_long_name_loses_labels_on_its_left() -> None:
    values = {**VALUES, "l": ".".join(["x" * 50] * 6)}
    name = macro.expand_domain(macro.parse_domain_spec("%{l}.example.com"), values)
    assert name == ".".join(["x" * 50] * 4) + ".example.com"
    assert len(name) <= 253


PLAIN = st.text(string.ascii_letters + string.digits + ".-_+,/=@", max_size=40)
MACROS = st.builds(
    lambda letter, keep, reverse, delimiters: f"%{{{letter}{keep or ''}{reverse}{delimiters}}}",
    st.sampled_from("slodiphvSLODIPHV"),
    st.integers(0, 130),
    st.sampled_from(["", "r", "R"]),
    st.text(".-+,/_=", max_size=3),
)
PIECES = st.one_of(
    MACROS, st.sampled_from(["%%", "%_", "%-"]), st.text("abcXYZ019.!#$&*:/", min_size=1, max_size=8)
)


@given(st.lists(PIECES, max_size=12), st.fixed_dictionaries(dict.fromkeys("slodiphv", PLAIN)))
def test_every_macro_string_is_the_sum_of_its_pieces(pieces: list[str], values: dict[str, str]) -> None:
    assert expanded("".join(pieces), values) == "".join(expanded(piece, values) for piece in pieces)


@given(MACROS, PLAIN)
def test_transformers_by_their_words(text: str, value: str) -> None:
    """Split at the delimiters, reverse, keep the right-hand parts, join with dots, escape."""
    (made,) = macro.parse(text)
    assert isinstance(made, Macro)
    parts = [""]
    for char in value:
        if char in made.delimiters:
            parts.append("")
        else:
            parts[-1] += char
    parts = parts[::-1] if made.reverse else parts
    wanted = ".".join(parts[len(parts) - made.keep :] if 0 < made.keep < len(parts) else parts)
    got = macro.expand(
        (Macro(made.letter, False, made.keep, made.reverse, made.delimiters),), {made.letter: value}
    )
    assert got == wanted


@given(st.text(max_size=60))
def test_any_text_is_a_macro_string_or_an_error(text: str) -> None:
    """And what is one has no character that a term cannot have."""
    try:
        parts = macro.parse(text)
    except MacroError:
        return
    assert all("!" <= char <= "~" for char in text)
    assert parts or not text


@given(st.text(max_size=300), st.text(max_size=300))
def test_upper_case_letters_leave_nothing_to_escape(local: str, helo: str) -> None:
    allowed = set(string.ascii_letters + string.digits + "-._~%")
    assert set(expanded("%{L}%{H}", {"l": local, "h": helo})) <= allowed


@given(st.text(max_size=400))
def test_an_expanded_name_fits_or_cannot_be_asked(local: str) -> None:
    name = macro.expand_domain(macro.parse_domain_spec("%{l}.example.com"), {"l": local})
    assert len(name) <= 253
    if askable(name):
        assert all(0 < len(label.encode()) <= 63 for label in name.split("."))
