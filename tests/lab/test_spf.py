"""SPF in the lab: the real zones by a real resolver, and what the outside really sees."""

from __future__ import annotations

import json

import pytest

from tests.lab.conftest import Lab

AT = "_spf.ey04.engineyard.com"


@pytest.mark.parametrize("domain", ["example.com", "customer.example"])
def test_a_domain_lets_the_cluster_send_by_an_include(lab: Lab, domain: str) -> None:
    """The domain's TXT, and the cluster's, which it includes, asked of the resolver."""
    data = lab.json("spf", domain)["data"]
    by = {(row["result"], row["by"][0]) for row in data["clusters"]}
    assert by == {("pass", f"{domain}: include:{AT}")}
    assert lab.outside(10) in [row["address"] for row in data["clusters"]]
    assert (data["lookups"], data["findings"], data["publish"]) == (1, [], "")


def test_another_providers_domain_does_not(lab: Lab) -> None:
    """people.example's TXT, and that of emailsrvr.com, which it includes."""
    data = lab.json("spf", "people.example")["data"]
    assert {row["result"] for row in data["clusters"]} == {"softfail"}
    assert data["publish"] == f"v=spf1 include:emailsrvr.com include:{AT} ~all"


def test_one_client(lab: Lab) -> None:
    """The customer's dedicated address, and an address of nobody's, against the customer's policy."""
    for address, result in ((lab.outside(11), "pass"), ("192.0.2.1", "fail")):
        data = lab.json("spf", "customer.example", "--ip", address, "--sender", "a@customer.example")["data"]
        assert data["result"] == result


def test_the_cluster_by_its_name(lab: Lab) -> None:
    """The published name's own policy, of each of the authoritative servers."""
    for server in ("ns1", "ns2"):
        done = lab.eymail("spf", "ey04", "--ip", lab.outside(10), "--server", lab.hosts[server]["outside"])
        assert done.stdout.startswith(f"pass\t{lab.outside(10)}\t")


def test_what_the_outside_sees(lab: Lab) -> None:
    """slice1 -> smtp -> a relay -> gateway -> the MX of accept.example, which says where it came from."""
    done = lab.eymail("spf", "ey04", "--observe", "--json")
    data = json.loads(done.stdout)["data"]
    assert done.returncode == 0, done.stderr
    assert data["observed"]["seen"] == lab.outside(10)
    assert data["observed"]["sender"] in [record["sender"] for record in lab.seen("mx-accept")]


def test_an_address_that_tells_nothing_is_not_checked(lab: Lab) -> None:
    """slice1 -> smtp -> a relay -> mailtrust, whose mailbox eymail does not read."""
    done = lab.eymail("spf", "ey04", "--observe", "--to", "joe@people.example", "--json")
    observed = json.loads(done.stdout)["data"]["observed"]
    assert observed["seen"] == "not checked"
    assert observed["recipient"] == "joe@people.example"


def test_a_source_address_that_is_not_published_is_code_3(lab: Lab) -> None:
    """As above, the mail still leaving by the source address, which ns1 no longer has in its zone."""
    zone, stamp = "ey04.engineyard.com", "300 TXT"
    with_it = f'"v=spf1 ip4:{lab.outside(10)} ip4:{lab.outside(11)} ~all"'
    without = f'"v=spf1 ip4:{lab.outside(11)} ~all"'

    def publish(record: str) -> None:
        for words in (["zone-begin", zone], ["zone-unset", zone, "_spf", "TXT"],
                      ["zone-set", zone, "_spf", *stamp.split(), record], ["zone-commit", zone]):  # fmt: skip
            lab.exec("ns1", "knotc", *words)

    def shown() -> str:
        return lab.exec("workstation", "kdig", f"@{lab.hosts['ns2']['outside']}", AT, "TXT", "+short").strip()

    publish(without)
    try:
        lab.wait("ns2 has the new record", lambda: shown() == without)
        done = lab.eymail("spf", "ey04", "--observe")
        assert done.returncode == 3
        assert f"{lab.outside(10)} was seen, which is not published" in done.stderr
        assert f"{lab.outside(10)} (cluster) is in the inventory and not published" in done.stderr
        assert done.stdout == f"{lab.outside(11)}\n"
    finally:
        publish(with_it)
        lab.wait("ns2 has the old record", lambda: shown() == with_it)


def test_the_customers_record_flat(lab: Lab) -> None:
    """customer.example's tree as the fewest networks, and the domain's own record beside it."""
    done = lab.eymail("spf", "customer.example", "--flatten")
    assert done.stdout == f'customer.example.\tTXT\t"v=spf1 ip4:{lab.outside(10)}/31 -all"\n'
    assert lab.eymail("spf", "customer.example", "--flatten", "--diff").returncode == 3
