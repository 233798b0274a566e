"""The grammar of a -H file: what an own writer wrote is read back; nothing hostile breaks the reader."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.exim.spool_file import Malformed, parse, recipient
from tests.unit.exim_spool import HEADERS, RecipientLine, Written

NASTY = st.sampled_from(
    [
        b"",
        b"XX\n",
        b"\n\nXX\n1\nx@y\n\n",
        b"-aclm 0 3\nfoo",
        b"0\n",
        b"YN x@y\n",
        b"\0\x1b[2J",
        b"-frozen 1\n",
    ]
)
VALUE = st.one_of(NASTY, st.binary(max_size=200))
OPTION = st.sampled_from(
    [
        b"-local", b"--helo_name a b", b"--(sqlite)sender_x 'y'", b"-deliver_firsttime",
        b"-unknown_of_4.99 -aclm 0 9",
        b"-tls_peercert " + b"A" * 5000, b"-active_hostname x", b"-allow_unqualified_sender", b"---",
    ]
)  # fmt: skip
LOCAL = st.one_of(
    st.from_regex(rb"[a-z0-9.+_-]{1,20}", fullmatch=True),
    st.sampled_from([b'"x #3"', b'"a b, 1,2"', b'"\x1b[31m"', b"<odd>", b"\xc3\xbc"]),
)
ADDRESS = st.builds(
    lambda local, domain: local + b"@" + domain, LOCAL, st.from_regex(rb"[a-z]{1,9}\.example", fullmatch=True)
)
BEHIND = st.one_of(
    st.sampled_from([b"", b" 0", b" 12", b" 1,2,3", b" 0,-1,0"[:0]]),
    st.builds(lambda orcpt, errors, parent: RecipientLine.with_dsn(b"", orcpt, errors, parent).behind,
              st.one_of(st.just(b""), st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b" "))),
              st.one_of(st.just(b""), ADDRESS), st.integers(-1, 9)),
)  # fmt: skip
HEADER = st.tuples(
    st.sampled_from([" ", "*", "P", "F", "T", "I"]),
    st.binary(max_size=1200).map(lambda raw: b"X: " + raw.replace(b"\0", b"") + b"\n"),
)
WRITTEN = st.builds(
    Written,
    id=st.sampled_from([b"1rKDq4-000Ayz-2b", b"1rKDq4-00000000Ayz-0H2b", b"1rKDqH-H00000-HH"]),
    login=st.sampled_from([b"root", b"login with spaces", b"3 4"]),
    uid=st.integers(-2, 70000),
    gid=st.integers(-2, 70000),
    sender=st.one_of(st.just(b""), ADDRESS, st.just(b"<inner>@x")),
    received=st.integers(0, 2**33),
    options=st.lists(OPTION, max_size=6),
    variables=st.lists(
        st.tuples(st.sampled_from([b"-aclm", b"--aclm", b"--(mysql)aclm", b"-aclc", b"--aclc"]),
                  st.from_regex(rb"[a-z0-9_]{1,12}", fullmatch=True), VALUE),
        max_size=4,
    ),
    delivered=st.lists(ADDRESS, max_size=9),
    recipients=st.lists(st.builds(RecipientLine, ADDRESS, BEHIND), max_size=9),
    headers=st.lists(HEADER, max_size=9),
)  # fmt: skip


@given(WRITTEN)
def test_what_was_written_is_read_back(written: Written) -> None:
    read = parse(written.header_file(), written.id + b"-H")
    assert read.sender == written.sender
    assert read.received == written.received
    assert read.delivered == set(written.delivered)
    assert read.recipients == [line.address for line in written.recipients]
    assert read.header_size == written.size(b"") - 1
    assert read.variables == {name: value for what, name, value in written.variables if what.endswith(b"m")}
    assert not read.frozen


@given(WRITTEN, st.data())
def test_a_file_cut_short_is_malformed_or_ends_between_headers(written: Written, data: st.DataObject) -> None:
    whole = written.header_file()
    start_of_headers = len(whole) - sum(len(text) + 5 for _, text in written.headers)
    cut = data.draw(st.integers(0, start_of_headers - 1))
    with pytest.raises(Malformed):
        parse(whole[:cut], written.id + b"-H")


@given(st.binary(max_size=400))
def test_random_bytes_are_malformed_and_nothing_worse(raw: bytes) -> None:
    for data in (raw, b"1rKDq4-000Ayz-2b-H\n" + raw, b"1rKDq4-000Ayz-2b-H\nroot 0 0\n<>\n1 0\n" + raw):
        with pytest.raises(Malformed):
            parse(data, b"1rKDq4-000Ayz-2b-H")


@given(WRITTEN, st.data())
def test_one_changed_byte_breaks_nothing(written: Written, data: st.DataObject) -> None:
    whole = bytearray(written.header_file())
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Malformed):
        parse(bytes(whole), written.id + b"-H")


def test_frozen_counts_as_an_option_not_inside_a_value() -> None:
    inside = Written(variables=[(b"-aclm", b"0", b"\n-frozen 1\n")])
    assert not parse(inside.header_file(), inside.id + b"-H").frozen
    for options in ([b"-frozen 1700000000"], [b"-helo_name x", b"-frozen 1700000000", b"-local"]):
        written = Written(options=options)
        assert parse(written.header_file(), written.id + b"-H").frozen


@pytest.mark.parametrize(
    ("line", "address"),
    [
        (b"joe@x.example", b"joe@x.example"),
        (b"joe@x.example 3", b"joe@x.example"),
        (b"joe@x.example 1,2,3", b"joe@x.example"),
        (b'"x #3"@d', b'"x #3"@d'),
        (b'"x #3"@d  0,0 err@y 5,-1#3', b'"x #3"@d'),
        (b"joe@x.example rfc822;joe@x.example 20,1  0,-1#3", b"joe@x.example"),
        (b"joe@x.example err@y 5,-1#1", b"joe@x.example"),
        (b"joe@host9", b"joe@host9"),
    ],
)
def test_a_recipient_is_read_from_the_right(line: bytes, address: bytes) -> None:
    assert recipient(line) == address


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole + b"\0",
        lambda whole: whole + b"junk",
        lambda whole: whole[:-1],
        lambda whole: whole.replace(b"wombat", b"womb\0t"),
        lambda whole: b"x" + whole,
        lambda whole: whole.replace(b"\n1\nann", b"\n16385\nann"),
        lambda whole: whole.replace(b"\n1\nann", b"\n2\nann"),
        lambda whole: b"",
    ],
)
def test_damage_is_told(damage) -> None:  # type: ignore[no-untyped-def]  # a lambda in a table
    written = Written(headers=HEADERS)
    with pytest.raises(Malformed):
        parse(damage(written.header_file()), written.id + b"-H")
