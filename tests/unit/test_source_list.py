"""``eymail source``: what is listed, and what is to be published, as a name server has it or does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import dns.rrset
import pytest

from eymail.env import Env
from eymail.errors import NotFound, Refused
from eymail.ops.source import dns, listing
from eymail.ops.source.spf import customer_verdict
from tests.unit.directories import url
from tests.unit.dns_peer import Script, peer, rrset, zone
from tests.unit.test_cluster_ops import toml
from tests.unit.test_cluster_render import INVENTORY
from tests.unit.test_ops_inventory import INSIDE
from tests.unit.test_ops_inventory import assign as assigned

SPF = "_spf.ey04.engineyard.com"
ADDRESS = IPv4Address("198.18.0.12")
NAME = "out-198-18-0-12.ey04.engineyard.com"
REVERSE = "12.0.18.198.in-addr.arpa"


@contextmanager
def asking(folder: Path, script: Script, timeout: float = 2.0) -> Iterator[Env]:
    """An Env whose inventory is that of the tests, and whose name server is the script."""
    file = folder / "eymail.toml"
    clusters = {**INVENTORY["clusters"], "bare": {"zone": "bare.example"}}
    settings = toml({"url": url(folder / "d" / "directory.db")})
    dns_settings = toml({"timeout": timeout})
    file.write_text(f"directory = {settings}\ndns = {dns_settings}\nclusters = {toml(clusters)}\n")
    with peer(script) as server:
        env = Env(str(file), "ey04", servers=(server.address,))
        try:
            yield env
        finally:
            env.close()


def ptr(last: int, name: str) -> dns.rrset.RRset:
    return rrset(f"{last}.0.18.198.in-addr.arpa", "PTR", f"{name}.")


RECORDS = (
    rrset(SPF, "TXT", '"v=spf1 ip4:198.18.0.10 ip4:198.18.0.11 -ip4:198.18.0.12 ~all"', '"something else"'),
    ptr(10, "out.ey04.engineyard.com"),
    rrset("out.ey04.engineyard.com", "A", "198.18.0.10"),
    ptr(11, "elsewhere.example"),
    rrset("elsewhere.example", "A", "198.51.100.1"),
)


def test_every_address_is_listed_with_what_the_dns_says_of_it(tmp_path: Path) -> None:
    with asking(tmp_path, zone(*RECORDS)) as env:
        assigned(env, "198.18.0.9", "example.com", INSIDE)
        listed = listing.of_clusters(env)
    two = "one.example, two.example"
    assert [tuple(row) for row in listed.view().rows] == [
        ("ey04", "198.18.0.10", "cluster", "eymail.toml", "yes", "out.ey04.engineyard.com", "yes"),
        ("ey04", "198.18.0.11", f"dedicated to {two}", "eymail.toml", "yes", "elsewhere.example", "no"),
        ("ey04", "198.18.0.12", "dedicated to three.example", "eymail.toml", "no", "none", "no"),
        ("ey04", "198.18.0.9", "dedicated to example.com", "change 1", "no", "none", "no"),
    ]  # fmt: skip
    assert listed.exit_code == 0


def test_an_address_of_both_has_both_origins(tmp_path: Path) -> None:
    with asking(tmp_path, zone(*RECORDS)) as env:
        assigned(env, "198.18.0.12", "example.com", {})
        (row,) = [one for one in listing.of_clusters(env, "ey04").sources if one.address == "198.18.0.12"]
    assert (row.domains, row.origin) == (("three.example", "example.com"), "eymail.toml, change 1")


def test_what_cannot_be_asked_is_not_checked_and_never_a_no(tmp_path: Path) -> None:
    """A name server that says nothing, and a directory that is none."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "directory.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    with asking(tmp_path, lambda _question: (), timeout=0.3) as env:
        listed = listing.of_clusters(env, "ey04")
    assert {(one.published, one.name, one.confirmed) for one in listed.sources} == {("not checked",) * 3}
    assert len(listed.sources) == 3
    assert listed.exit_code == 1
    messages = " ".join(failure.message for failure in listed.failures)
    assert "which addresses are assigned" in messages
    assert f"what {SPF} publishes" in messages


def test_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    with asking(tmp_path, zone(*RECORDS)) as env, pytest.raises(NotFound):
        listing.of_clusters(env, "ey99")


def test_lines_to_publish_where_others_change_the_zones(tmp_path: Path) -> None:
    with asking(tmp_path, zone(*RECORDS)) as env:
        found = dns.publish(env, env.cluster, ADDRESS)
    record = "v=spf1 ip4:198.18.0.10 ip4:198.18.0.11 ip4:198.18.0.12 -ip4:198.18.0.12 ~all"
    assert found.steps == ()
    assert found.record_waits
    assert found.record == record
    assert found.lines == (
        f'publish: {SPF}. 300 IN TXT "{record}"',
        f'take away: {SPF}. IN TXT "v=spf1 ip4:198.18.0.10 ip4:198.18.0.11 -ip4:198.18.0.12 ~all"',
        f"publish: {NAME}. 300 IN A 198.18.0.12",
        f"publish: {REVERSE}. 300 IN PTR {NAME}.",
    )


def test_what_is_published_already_needs_no_line(tmp_path: Path) -> None:
    record = '"v=spf1 ip4:198.18.0.0/24 ~all"'
    good = (rrset(SPF, "TXT", record), rrset(NAME, "A", "198.18.0.12"), ptr(12, NAME))
    with asking(tmp_path, zone(*good)) as env:
        found = dns.publish(env, env.cluster, ADDRESS)
        gone = dns.withdraw(env, env.cluster, ADDRESS)
    assert (found.lines, found.steps, found.record_waits) == ((), (), False)
    assert gone.lines == (f"take away: {NAME}. IN A 198.18.0.12", f"take away: {REVERSE}. IN PTR {NAME}.")


def test_a_pointer_to_another_name_stays_when_an_address_is_released(tmp_path: Path) -> None:
    with asking(tmp_path, zone(ptr(12, "mail.customer.example"))) as env:
        assert dns.withdraw(env, env.cluster, ADDRESS).lines == ()


def test_without_any_record_the_whole_one_is_published(tmp_path: Path) -> None:
    with asking(tmp_path, zone(exists=[SPF])) as env:
        found = dns.publish(env, env.cluster, ADDRESS)
    assert found.record == "v=spf1 ip4:198.18.0.10 ip4:198.18.0.11 ip4:198.18.0.12 ~all"


def test_of_two_records_none_is_changed(tmp_path: Path) -> None:
    two = rrset(SPF, "TXT", '"v=spf1 a -all"', '"v=spf1 mx -all"')
    with asking(tmp_path, zone(two)) as env, pytest.raises(Refused, match="2 SPF records"):
        dns.publish(env, env.cluster, ADDRESS)


@pytest.mark.parametrize(
    ("record", "result"),
    [(f"v=spf1 include:{SPF} -all", "pass"), (f"v=spf1 redirect={SPF.upper()}", "pass"),
     ("v=spf1 ip4:198.18.0.12 -all", "pass"), ("v=spf1 a -all", "fail")],
)  # fmt: skip
def test_the_customers_record_is_judged_by_what_the_cluster_will_publish(
    tmp_path: Path, record: str, result: str
) -> None:
    """The name server still has the record without the address."""
    old = rrset(SPF, "TXT", '"v=spf1 ip4:198.18.0.10 -all"')
    with asking(tmp_path, zone(old, rrset("example.com", "TXT", f'"{record}"'))) as env:
        new = "v=spf1 ip4:198.18.0.10 ip4:198.18.0.12 -all"
        assert customer_verdict(env, "example.com", ADDRESS, SPF, new).result == result
