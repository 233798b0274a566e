"""What eymail says of the DNS, against the lab's own servers: Knot, primary and secondary, and unbound."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.conftest import Lab

NAME_SERVERS = ("ns1", "ns2")


def record(lab: Lab, name: str, kind: str, server: str = "ns1") -> str:
    """What a name server itself says, asked by another program."""
    address = lab.hosts[server]["outside"]
    return lab.exec("workstation", "kdig", f"@{address}", name, kind, "+short", "+norec").strip()


def mx(lab: Lab, domain: str) -> dict[str, Any]:
    """``eymail mx show``: the exit code with the envelope."""
    done = lab.eymail("mx", "show", domain, "--json")
    return {"code": done.returncode, **json.loads(done.stdout)}


def by_server(found: dict[str, Any]) -> dict[str, list[tuple[int, str]]]:
    servers = found["data"]["servers"]
    return {
        one["server"].partition(".")[0]: [(mx["preference"], mx["target"]) for mx in one["records"]]
        for one in servers
    }


def test_the_clusters_source_addresses_one_a_line(lab: Lab) -> None:
    """The administrator outside asks the resolver, which asks ns1 or ns2, for the cluster's _spf TXT."""
    done = lab.eymail("spf", "ey04")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{lab.outside(10)}\n{lab.outside(11)}\n"
    assert record(lab, "_spf.ey04.engineyard.com", "TXT") == (
        f'"v=spf1 ip4:{lab.outside(10)} ip4:{lab.outside(11)} ~all"'
    )


def test_published_and_inventory_agree(lab: Lab) -> None:
    """The same look-up, beside the inventory that the gateway's rules are rendered from."""
    data = lab.json("spf", "ey04")["data"]
    assert {(one["address"], one["published"], one["inventory"]) for one in data["addresses"]} == {
        (lab.outside(10), True, "yes"),
        (lab.outside(11), True, "yes"),
    }
    assert data["disagreements"] == []


def test_the_authoritative_server_itself_can_be_asked(lab: Lab) -> None:
    """The administrator outside asks ns2, past the resolver."""
    done = lab.eymail("spf", "ey04", "--server", lab.hosts["ns2"]["outside"])
    assert done.stdout.splitlines() == [lab.outside(10), lab.outside(11)]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("spf", "nosuch.invalid"), "nosuch.invalid does not exist in the DNS"),
        (("mx", "show", "nosuch.invalid"), "nosuch.invalid does not exist in the DNS"),
        (("spf", "ey99"), "_spf.ey99.engineyard.com does not exist in the DNS"),
        (("spf", "servfail.example"), "SERVFAIL"),
        (("mx", "show", "servfail.example"), "SERVFAIL"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(lab: Lab, words: tuple[str, ...], sentence: str) -> None:
    """The resolver asks the root and, for servfail.example, servers that cannot load the zone."""
    done = lab.eymail(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("eymail: ") and sentence in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("domain", "provider", "records"),
    [
        ("example.com", "cluster", [(10, "mx.ey04.engineyard.com")]),
        ("anything.example.com", "cluster", [(10, "mx.ey04.engineyard.com")]),
        ("people.example", "mailtrust", [(10, "mx1.emailsrvr.com"), (20, "mx2.emailsrvr.com")]),
        ("accept.example", "other", [(10, "mx.accept.example")]),
    ],
)
def test_mx_on_every_server(lab: Lab, domain: str, provider: str, records: list[tuple[int, str]]) -> None:
    """The zone's servers from the resolver; then ns1 and ns2 are each asked for the domain's MX."""
    found = mx(lab, domain)
    assert (found["code"], found["status"]) == (0, "ok")
    assert by_server(found) == dict.fromkeys(NAME_SERVERS, records)
    assert found["data"]["provider"]["name"] == provider
    assert found["data"]["agree"] is True
    for server in NAME_SERVERS:
        told = record(lab, domain, "MX", server).splitlines()
        assert sorted(told) == [f"{preference} {target}." for preference, target in records]


def test_a_domain_without_mx(lab: Lab) -> None:
    """mx.accept.example has an address and no MX: its mail goes to that address."""
    found = mx(lab, "mx.accept.example")
    assert found["code"] == 0
    assert found["data"]["implicit"] == [lab.outside(61)]
    assert by_server(found) == {"ns1": [], "ns2": []}


@pytest.fixture
def ns2_hangs(lab: Lab) -> Iterator[None]:
    with lab.hanging("ns2"):
        yield


@pytest.mark.usefixtures("ns2_hangs")
def test_a_server_that_hangs_is_not_checked(lab: Lab) -> None:
    """ns1 answers; ns2 takes packets and says nothing, and the answer is partial, not wrong."""
    found = mx(lab, "example.com")
    assert (found["code"], found["status"]) == (1, "partial")
    status = {one["server"].partition(".")[0]: one["status"] for one in found["data"]["servers"]}
    assert status == {"ns1": "ok", "ns2": "not checked"}
    assert "did not answer in time" in found["errors"][0]["message"]
    assert found["data"]["provider"]["name"] == "cluster"


@pytest.fixture
def ns2_differs(lab: Lab) -> Iterator[None]:
    """The secondary's copy of people.example is changed, as if the primary's change had not reached it."""
    for words in (
        ("zone-begin", "people.example"),
        ("zone-unset", "people.example", "@", "MX"),
        ("zone-set", "people.example", "@", "300", "MX", "10", "mx.ey04.engineyard.com."),
        ("zone-commit", "people.example"),
    ):
        lab.exec("ns2", "knotc", *words)
    yield
    lab.exec("ns2", "knotc", "-b", "zone-retransfer", "people.example")
    lab.wait("ns2 has the primary's records", lambda: "mx1" in record(lab, "people.example", "MX", "ns2"))


@pytest.mark.usefixtures("ns2_differs")
def test_servers_that_do_not_agree(lab: Lab) -> None:
    """ns1 leads to mailtrust, ns2 to the cluster: an MX switch half way."""
    found = mx(lab, "people.example")
    assert found["data"]["agree"] is False
    assert found["data"]["provider"]["name"] == "several"
    assert {one["provider"]["name"] for one in found["data"]["servers"]} == {"mailtrust", "cluster"}
    assert any("do not agree" in remark for remark in found["data"]["remarks"])
