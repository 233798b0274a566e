"""The gateway: everything leaves under the right address, and only what should comes in."""

from __future__ import annotations

import pytest

from tests.lab.conftest import Lab


def test_a_customers_mail_leaves_by_the_dedicated_address(lab: Lab) -> None:
    """slice1 -> smtp -> relay (from its second inner address) -> gateway -> mx-accept.

    Through both relays, so that neither gives the cluster's address away; the cluster's own mail beside it
    comes from the source address.
    """
    for number in range(4):
        lab.send("you@accept.example", sender="shop@customer.example", subject=f"customer {number}")
    for number in range(4):
        lab.send("you@accept.example", subject=f"cluster {number}")
    seen = lab.wait("all eight arrived", lambda: _all(lab))
    assert {m["peer"] for m in seen if "customer" in m["data"]} == {lab.outside(11)}
    assert {m["peer"] for m in seen if "Subject: cluster" in m["data"]} == {lab.outside(10)}
    assert len({m["helo"] for m in seen if "Subject: customer" in m["data"]}) == 2, "through both relays"


def _all(lab: Lab) -> list[dict[str, object]]:
    wanted = ("Subject: customer ", "Subject: cluster ")
    seen = [m for m in lab.seen("mx-accept") if any(word in m["data"] for word in wanted)]
    return seen if len(seen) == 8 else []


@pytest.mark.parametrize(
    ("host", "port"),
    [("gateway", 22), ("lb1", 25), ("relay1", 25), ("relay1", 22), ("deferred1", 25), ("mail1", 143),
     ("mail1", 110), ("mail1", 993), ("mail1", 25), ("slice1", 22)],
)  # fmt: skip
def test_inner_addresses_cannot_be_reached_from_outside(lab: Lab, host: str, port: int) -> None:
    """workstation -> an inner address: no route. Even led to the gateway by hand, it forwards nothing."""
    assert not lab.reaches(lab.inside(host), port)
    inner = lab.inside("gateway").rsplit(".", 1)[0] + ".0/24"
    lab.in_network("workstation", "ip", "route", "replace", inner, "via", lab.outside(10))
    forced = lab.reaches(lab.inside(host), port)
    lab.in_network("workstation", "ip", "route", "del", inner)
    assert not forced


@pytest.mark.parametrize(
    ("last", "port", "open_"),
    [(10, 22, True), (10, 25, False), (14, 25, True), (14, 22, False), (14, 143, False), (14, 110, False),
     (21, 22, True), (21, 25, False), (22, 22, True), (11, 22, False), (11, 25, False)],
)  # fmt: skip
def test_what_faces_outside_is_only_what_should(lab: Lab, last: int, port: int, open_: bool) -> None:
    """workstation -> the gateway's outside addresses: SSH of slices and gateway, port 25 of the mail host."""
    assert lab.reaches(lab.outside(last), port) is open_


@pytest.mark.parametrize(
    ("end", "permitted"),
    [("relay1:22", True), ("mail1.ey04.engineyard.com:22", True), ("relay1:25", False), ("mail1:143", False),
     ("127.0.0.1:22", False), ("mx.accept.example:25", False)],
)  # fmt: skip
def test_where_the_gateway_leads_an_administrator(lab: Lab, end: str, permitted: bool) -> None:
    """workstation -> ssh to the gateway -> SSH of an inner host by its name; no other port or host."""
    config = str(lab.folder / "ssh_config")
    done = lab.run("timeout", "3", "ssh", "-F", config, "-W", end, "gateway", input="")
    assert done.stdout.startswith("SSH-2.0") is permitted, done
    assert ("administratively prohibited" in done.stderr) is not permitted, done.stderr


def test_a_slice_cannot_go_round_the_relays(lab: Lab) -> None:
    """slice1 -> mx-accept directly, port 25: the gateway refuses; it would spoil the source address."""
    program = f"import socket; socket.create_connection(({lab.outside(61)!r}, 25), 3)"
    done = lab.command("exec", "slice1", "--", "python3", "-c", program)
    assert "No route to host" in done.stderr
