"""Which name server is meant, and what the machine's own configuration names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.dns.lookup import Resolver
from eymail.dns.servers import Server, of_this_machine
from eymail.errors import DnsError, InvalidInput


@pytest.mark.parametrize(
    ("text", "address", "port", "shown"),
    [
        ("192.0.2.53", "192.0.2.53", 53, "192.0.2.53"),
        ("192.0.2.53:5353", "192.0.2.53", 5353, "192.0.2.53:5353"),
        ("2001:db8::53", "2001:db8::53", 53, "2001:db8::53"),
        ("[2001:db8::53]", "2001:db8::53", 53, "2001:db8::53"),
        ("[2001:DB8:0::53]:5353", "2001:db8::53", 5353, "[2001:db8::53]:5353"),
        ("192.0.2.53:53", "192.0.2.53", 53, "192.0.2.53"),
        ("192.0.2.53:65535", "192.0.2.53", 65535, "192.0.2.53:65535"),
    ],
)
def test_address_and_port(text: str, address: str, port: int, shown: str) -> None:
    server = Server.parse(text)
    assert (server.address, server.port, str(server)) == (address, port, shown)
    assert Server.parse(str(server)) == server


@pytest.mark.parametrize(
    "text",
    [
        "", "ns.example.com", "192.0.2", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:65536", "192.0.2.53:x",
        "192.0.2.53:٥٣", "[192.0.2.53", "2001:db8::53]:53", "[[2001:db8::53]]", "192.0.2.53 ",
        "192.0.2.53:53:53",
        "\x1b[31m",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Resolver((text,), 5)
    assert "is not the address of a name server" in caught.value.message
    assert "\x1b" not in caught.value.message
    assert "192.0.2.53" in caught.value.hint


@given(st.text())
def test_any_text_is_a_server_or_refused(text: str) -> None:
    try:
        server = Server.parse(text)
    except InvalidInput:
        return
    assert Server.parse(str(server)) == server


def test_the_machines_own(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_bytes(
        b"# \xff\nsearch example.com\nnameserver 192.0.2.1\n\nnameserver\t2001:db8::1 extra\nnameserver\n"
    )
    assert of_this_machine(file) == (Server("192.0.2.1"), Server("2001:db8::1"))


def test_no_server_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    with pytest.raises(DnsError, match="No such file") as caught:
        of_this_machine(file)
    assert "--server" in caught.value.hint
    file.write_text("search example.com\n")
    with pytest.raises(DnsError, match="names no name server"):
        of_this_machine(file)
