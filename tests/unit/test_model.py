"""Domains and addresses from outside become canonical, or one clear error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.errors import InvalidInput
from eymail.model import Address, parse_domain


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("a-b.example", "a-b.example"),
    ],
)
def test_a_domain_is_canonical(text: str, domain: str) -> None:
    assert parse_domain(text) == domain


@pytest.mark.parametrize(
    "text",
    ["", ".", "com", "bad domain", "-a.example", "a-.example", "a..example", "_spf.example",
     "a" * 64 + ".example", "a." * 130 + "example", "$(id).example", "${run{id}}.example", "a\n.example",
     "a\0.example", "../etc/passwd", "example.com/", "ex ample.com", "\u202eexample.com"],
)  # fmt: skip
def test_what_is_no_domain(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a domain name"):
        parse_domain(text)


def test_service_labels_where_they_belong() -> None:
    assert parse_domain("_spf.ey04.engineyard.com", service_labels=True) == "_spf.ey04.engineyard.com"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Incoming@Example.com", Address("incoming", "example.com")),
        ("o'brien@example.com", Address("o'brien", "example.com")),
        ("a+tag@example.com", Address("a+tag", "example.com")),
    ],
)
def test_an_address_is_canonical(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "@", "a@", "@example.com", "a b@example.com", "a..b@example.com", ".a@example.com", "a.@example.com",
     "a@b@", "x" * 65 + "@example.com", '"a b"@example.com', "a\n@example.com", "../a@example.com",
     "a\0@example.com"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InvalidInput):
        Address.parse(text)


@given(st.text())
def test_whatever_the_text_there_is_one_clear_error(text: str) -> None:
    try:
        address = Address.parse(text)
    except InvalidInput as error:
        assert error.message
        assert error.message.isprintable()
    else:
        assert Address.parse(str(address)) == address
        assert str(address).isascii()


@given(st.text())
def test_a_canonical_domain_stays_as_it_is(text: str) -> None:
    try:
        domain = parse_domain(text)
    except InvalidInput:
        return
    assert parse_domain(domain) == domain
    assert set(domain) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
