"""Planning with source addresses: what is refused, what is free, and what becomes of SPF records."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.cluster.render import render
from eymail.config import Cluster, Config, DirectorySettings, parse
from eymail.errors import EymailError, InvalidInput, Refused
from eymail.hosts.neighbours import Neighbourhood
from eymail.ops import inventory
from eymail.ops.inventory import Assigned
from eymail.ops.source import check
from eymail.ops.source.spf import with_address, without_address
from tests.unit.test_cluster_render import FILE, INVENTORY, SENDING

CONFIG: Config = parse(INVENTORY, FILE)
CLUSTER: Cluster = CONFIG.cluster()


def ip(text: str) -> IPv4Address:
    return IPv4Address(text)


@pytest.mark.parametrize(
    "text", ["", "198.18.0", "::1", "2001:db8::1", "224.0.0.1", "127.0.0.1", "0.0.0.0", "169.254.1.1",
             "255.255.255.255", "240.0.0.1", "198.18.0.12/32", "198.018.0.12", "example.com", "1'; --"],
)  # fmt: skip
def test_what_mail_cannot_come_from(text: str) -> None:
    with pytest.raises(InvalidInput):
        check.parse_address(text)


@given(st.text())
def test_any_text_is_an_address_or_one_sentence(text: str) -> None:
    for parsing in (check.parse_address, lambda one: check.parse_inside([one])):
        try:
            parsing(text)
        except InvalidInput as error:
            assert error.hint


def test_inner_addresses_are_given_by_host() -> None:
    given_ = check.parse_inside(["relay1=10.44.0.77", "relay2=10.44.0.78"])
    assert given_ == {"relay1": ip("10.44.0.77"), "relay2": ip("10.44.0.78")}
    for wrong in (["relay1"], ["=10.44.0.77"], ["relay1=x"], ["relay1=10.44.0.77", "relay1=10.44.0.78"]):
        with pytest.raises(InvalidInput):
            check.parse_inside(wrong)


@pytest.mark.parametrize(
    ("address", "said"),
    [("10.44.0.200", "in the inner network"), ("198.18.0.10", "the source address of cluster ey04"),
     ("198.18.0.14", "the address of mail1"), ("198.18.9.10", "the source address of cluster ey09"),
     ("198.18.9.11", "dedicated in the inventory of cluster ey09")],
)  # fmt: skip
def test_an_address_that_is_somebodys_is_refused(address: str, said: str) -> None:
    other = {
        "source_address": "198.18.9.10",
        "dedicated": [{"address": "198.18.9.11", "domains": ["a.example"]}],
    }
    clusters = parse({"clusters": {**INVENTORY["clusters"], "ey09": other}}, FILE).clusters or {}
    with pytest.raises(Refused, match=said):
        check.check_address(clusters.values(), clusters["ey04"], ip(address))


def test_an_address_that_is_free_or_dedicated_here_is_none_of_that() -> None:
    for address in ("198.18.0.50", "198.18.0.11"):
        check.check_address([CLUSTER], CLUSTER, ip(address))


def test_a_domain_has_one_address() -> None:
    assigned = [Assigned(ip("198.18.0.50"), ("example.com",))]
    check.check_domain(CLUSTER, assigned, "example.com", ip("198.18.0.50"))
    with pytest.raises(Refused, match=r"leaves by 198\.18\.0\.50 already") as caught:
        check.check_domain(CLUSTER, assigned, "example.com", ip("198.18.0.51"))
    assert caught.value.hint.endswith("eymail source release example.com")
    with pytest.raises(Refused, match=r"leaves by 198\.18\.0\.11 already"):
        check.check_domain(CLUSTER, assigned, "one.example", ip("198.18.0.51"))


NEAR = IPv4Network("198.18.0.0/24")


def test_what_the_gateway_sees_of_an_address() -> None:
    around = Neighbourhood((NEAR,), frozenset(), frozenset({ip("198.18.0.61")}))
    for wrong in ("198.18.0.61", "198.18.0.0", "198.18.0.255"):
        with pytest.raises(Refused):
            tuple(check.check_outside(around, ip(wrong)))
    assert tuple(check.check_outside(around, ip("198.18.0.12"))) == ()
    (note,) = check.check_outside(around, ip("203.0.113.9"))
    assert "has to be routed there" in note


def test_free_inner_addresses_come_after_the_used_ones_and_then_from_below() -> None:
    used = frozenset(map(ip, ("10.0.0.1", "10.0.0.2", "10.0.0.4")))
    found = list(check.candidates(IPv4Network("10.0.0.0/29"), used))
    assert found == [ip("10.0.0.5"), ip("10.0.0.6"), ip("10.0.0.3")]


@given(st.integers(24, 31), st.sets(st.integers(0, 255)))
def test_candidates_are_free_host_addresses_each_once(length: int, lasts: set[int]) -> None:
    network = IPv4Network(f"10.0.0.0/{length}")
    used = frozenset(IPv4Address(int(network.network_address) + last) for last in lasts)
    found = list(check.candidates(network, used))
    hosts = set(network.hosts()) if length < 31 else set()
    assert len(found) == len(set(found))
    assert set(found) <= set(network) - used
    assert set(found) >= hosts - used - {max((one for one in used if one in network), default=ip("10.0.0.0"))}


def test_a_large_network_costs_no_more_than_a_small_one() -> None:
    used = frozenset({ip("10.0.0.9")})
    assert next(check.candidates(IPv4Network("10.0.0.0/8"), used)) == ip("10.0.0.10")


def test_an_inner_address_is_chosen_for_every_host_that_needs_one() -> None:
    free = [ip(f"10.44.0.{last}") for last in (131, 132, 133, 134)]
    given_ = {"relay2": ip("10.44.0.77")}
    chosen = check.choose(SENDING, given_, free, frozenset({ip("10.44.0.131")}))
    assert chosen == {"relay1": free[1], "relay2": ip("10.44.0.77"), "deferred1": free[2]}
    with pytest.raises(Refused, match="no inner address is free"):
        check.choose(SENDING, {}, free[:2], frozenset())
    with pytest.raises(Refused, match="another machine"):
        check.choose(SENDING, given_, free, frozenset(given_.values()))


@pytest.mark.parametrize(
    "given_", [{"slice1": "10.44.0.77"}, {"relay1": "10.9.0.1"}, {"relay1": "10.44.0.14"},
               {"relay1": "10.44.0.77", "relay2": "10.44.0.77"}, {"relay1": "10.44.0.255"},
               {"relay1": "10.44.0.0"}],
)  # fmt: skip
def test_given_inner_addresses_that_cannot_be(given_: dict[str, str]) -> None:
    used = check.used_inside(CLUSTER, ())
    with pytest.raises(Refused):
        wanted = {host: ip(address) for host, address in given_.items()}
        check.check_given(CLUSTER, SENDING, wanted, used)


def test_all_inner_addresses_count_as_used_also_those_that_are_claimed_and_not_in_use() -> None:
    claimed = Assigned(ip("198.18.0.50"), (), {"relay1": ip("10.44.0.99")})
    used = check.used_inside(CLUSTER, [claimed])
    assert {ip("10.44.0.99"), ip("10.44.0.111"), ip("10.44.0.21"), ip("10.44.0.2")} <= used
    assert check.missing_inside(CLUSTER, claimed) == ("relay2", "deferred1")
    assert check.missing_inside(CLUSTER, Assigned(ip("198.18.0.11"), ())) == ()


def test_the_order_of_assignments_changes_nothing() -> None:
    """Or what one change renders would be strange to the next."""
    hosts = (SENDING, SENDING[::-1])
    entries = [
        Assigned(
            ip(f"198.18.0.{last}"),
            domains,
            {h: ip(f"10.44.0.{200 + last + n}") for n, h in enumerate(SENDING)},
        )
        for last, domains in ((30, ("b.example", "a.example")), (20, ("c.example",)))
    ]
    turned = [
        Assigned(one.address, one.domains[::-1], {host: one.inside[host] for host in hosts[1]})
        for one in entries
    ]
    clusters = [inventory.extended(CLUSTER, some) for some in (entries, entries[::-1], turned)]
    files = [render(cluster, DirectorySettings()) for cluster in clusters]
    assert files[0] == files[1] == files[2]


RECORDS = (
    ("v=spf1 ~all", "v=spf1 ip4:198.18.0.12 ~all"),
    ("v=spf1", "v=spf1 ip4:198.18.0.12"),
    ("v=spf1 ip4:198.18.0.10 ~all", "v=spf1 ip4:198.18.0.10 ip4:198.18.0.12 ~all"),
    ("V=SPF1 +IP4:198.18.0.10 a -all", "V=SPF1 +IP4:198.18.0.10 ip4:198.18.0.12 a -all"),
    (
        "v=spf1 include:a.example redirect=b.example",
        "v=spf1 ip4:198.18.0.12 include:a.example redirect=b.example",
    ),
)


@pytest.mark.parametrize(("before", "after"), RECORDS)
def test_an_address_is_put_into_a_record_and_taken_out(before: str, after: str) -> None:
    assert with_address(before, ip("198.18.0.12")) == after
    assert without_address(after, ip("198.18.0.12")) == before


def test_what_a_record_covers_already_is_left_as_it_is() -> None:
    for record in ("v=spf1 ip4:198.18.0.0/24 -all", "v=spf1 ip4:198.18.0.12/32 ~all"):
        assert with_address(record, ip("198.18.0.12")) == record
    assert (
        without_address("v=spf1 ip4:198.18.0.0/24 -all", ip("198.18.0.12")) == "v=spf1 ip4:198.18.0.0/24 -all"
    )
    assert without_address("v=spf1 ip4:198.18.0.12/32 -all", ip("198.18.0.12")) == "v=spf1 -all"


terms = st.sampled_from(
    [
        "ip4:10.0.0.1",
        "ip4:192.0.2.0/24",
        "include:x.example",
        "a",
        "mx",
        "~all",
        "?all",
        "ip6:::1",
        "nonsense=",
    ]
)


@given(st.lists(terms))
def test_to_put_in_and_take_out_is_to_do_nothing(words: list[str]) -> None:
    record = " ".join(["v=spf1", *words])
    address = ip("198.18.0.12")
    assert without_address(with_address(record, address), address) == record
    assert set(with_address(record, address).split()) - set(record.split()) == {f"ip4:{address}"}


def test_errors_say_what_to_do() -> None:
    """Every refusal of a domain or an address has a hint."""
    around = Neighbourhood((), frozenset(), frozenset({ip("1.2.3.4")}))
    calls: list[Callable[[], object]] = [
        lambda: check.check_address([CLUSTER], CLUSTER, ip("198.18.0.10")),
        lambda: check.check_domain(CLUSTER, (), "one.example", ip("198.18.0.99")),
        lambda: tuple(check.check_outside(around, ip("1.2.3.4"))),
    ]
    for call in calls:
        with pytest.raises(EymailError) as caught:
            call()
        assert caught.value.hint
