"""Rendering: what each role gets, and that nothing in an inventory gets out of its place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.cluster.render import DNS, RenderedFile, render
from eymail.cluster.services import ADDRESSES_SCRIPT, SERVICES
from eymail.cluster.zones import spf_record
from eymail.config import Config, parse
from eymail.errors import ConfigError, EymailError

FILE = Path("eymail.toml")
INVENTORY: dict[str, Any] = {
    "clusters": {
        "ey04": {
            "network": "10.44.0.0/24",
            "source_address": "198.18.0.10",
            "name_servers": ["ns1.example.net"],
            "dedicated": [
                {
                    "address": "198.18.0.11",
                    "domains": ["one.example", "two.example"],
                    "inside": {"relay1": "10.44.0.111", "relay2": "10.44.0.112", "deferred1": "10.44.0.113"},
                },
                {
                    "address": "198.18.0.12",
                    "domains": ["three.example"],
                    "inside": {"relay1": "10.44.0.121", "relay2": "10.44.0.122", "deferred1": "10.44.0.123"},
                },
            ],
            "hosts": {
                "gateway": {"role": "gateway", "address": "10.44.0.2"},
                "lb1": {"role": "load-balancer", "address": "10.44.0.10"},
                "relay1": {"role": "relay", "address": "10.44.0.11"},
                "relay2": {"role": "relay", "address": "10.44.0.12"},
                "deferred1": {"role": "deferred", "address": "10.44.0.13"},
                "mail1": {"role": "mail", "address": "10.44.0.14", "public": "198.18.0.14"},
                "slice1": {"role": "slice", "address": "10.44.0.21", "public": "198.18.0.21"},
            },
        }
    }
}


def rendered(**changes: Any) -> dict[tuple[str, str], RenderedFile]:
    """Every file by host and path, with some of the cluster's keys changed; None takes a key away."""
    document = copy.deepcopy(INVENTORY)
    for key, value in changes.items():
        document["clusters"]["ey04"][key] = value
        if value is None:
            del document["clusters"]["ey04"][key]
    config: Config = parse(document, FILE)
    return {(file.host, file.path): file for file in render(config.cluster(), config.directory)}


EXIM = "/etc/exim4/exim4.conf"
SENDING = ("relay1", "relay2", "deferred1")


def test_every_role_gets_its_files() -> None:
    files = rendered()
    hosts = {host for host, _ in files}
    assert hosts == {*INVENTORY["clusters"]["ey04"]["hosts"], DNS}
    assert {host for host, path in files if path == EXIM} == {"relay1", "relay2", "deferred1", "mail1"}
    assert ("mail1", "/etc/dovecot/dovecot.conf") in files
    assert ("slice1", EXIM) not in files


def test_a_dedicated_address_is_bound_where_it_lies() -> None:
    files = rendered()
    relay1 = files["relay1", EXIM].content
    assert "match_domain{$sender_address_domain}{one.example : two.example}{10.44.0.111}" in relay1
    assert "match_domain{$sender_address_domain}{three.example}{10.44.0.121}" in relay1
    assert relay1.count("{") == relay1.count("}")
    assert "interface =" not in rendered(dedicated=[])["relay1", EXIM].content
    nft = files["gateway", "/etc/nftables.conf"].content
    assert "ip saddr { 10.44.0.111, 10.44.0.112, 10.44.0.113 } ip daddr != $inside snat to 198.18.0.11" in nft
    assert "ip saddr $inside ip daddr != $inside snat to 198.18.0.10" in nft


def test_only_the_relays_hand_over_to_the_deferred_host() -> None:
    deferred = rendered()["deferred1", EXIM].content
    (line,) = [line for line in deferred.splitlines() if line.startswith("hostlist relays")]
    of_relays = {f"10.44.0.{last}" for last in (11, 12, 111, 112, 121, 122)}
    assert set(line.partition(" = ")[2].split(" : ")) == of_relays


def test_a_slice_forwards_to_mail_and_nothing_else() -> None:
    sshd = rendered()["slice1", "/etc/ssh/sshd_config.d/00-eymail.conf"].content
    (line,) = [line for line in sshd.splitlines() if line.startswith("PermitOpen")]
    ends = {end.rpartition(":")[0] for end in line.split()[1:]}
    mail = {"10.44.0.14", "mail1", "mail1.ey04.engineyard.com"}
    assert ends == mail | {"10.44.0.10", "smtp", "smtp.ey04.engineyard.com"}


def test_block_lists_stand_only_where_configured() -> None:
    assert "dnslists" not in rendered()["mail1", EXIM].content
    assert "dnslists      = zen.example" in rendered(block_lists=["zen.example"])["mail1", EXIM].content


def test_the_record_to_publish() -> None:
    record = "v=spf1 ip4:198.18.0.10 ip4:198.18.0.11 ip4:198.18.0.12 ~all"
    assert spf_record(parse(INVENTORY, FILE).cluster()) == record
    assert record in rendered()[DNS, "/zones/ey04.engineyard.com.zone"].content


ZONE = (DNS, "/zones/ey04.engineyard.com.zone")


def serial(files: dict[tuple[str, str], RenderedFile]) -> int:
    (line,) = [line for line in files[ZONE].content.splitlines() if " SOA " in line]
    return int(line.split()[4])


def test_the_same_inventory_gives_the_same_serial_and_another_does_not() -> None:
    assert serial(rendered()) == serial(rendered())
    assert serial(rendered()) != serial(rendered(source_address="198.18.0.9"))
    assert 0 < serial(rendered()) < 2**31


def test_a_long_record_is_written_in_several_strings() -> None:
    """RFC 1035 section 3.3: a character-string has at most 255 octets."""
    dedicated = [
        {
            "address": f"198.18.100.{100 + n}",
            "domains": [f"d{n}.example"],
            "inside": {name: f"10.44.0.{30 * place + n}" for place, name in enumerate(SENDING, 1)},
        }
        for n in range(20)
    ]  # fmt: skip
    (line,) = [
        line for line in rendered(dedicated=dedicated)[ZONE].content.splitlines() if line.startswith("_spf")
    ]
    strings = line.partition(" TXT ")[2].strip('"').split('" "')
    assert all(len(string) <= 255 for string in strings)
    assert "".join(strings).count("ip4:") == 21


def test_a_record_of_another_zone_is_only_told() -> None:
    lines = rendered(spf_name="_spf.elsewhere.example")[ZONE].content.splitlines()
    (line,) = [line for line in lines if "_spf.elsewhere.example" in line]
    assert line.startswith("; ")


@pytest.mark.parametrize("key", ["network", "source_address", "name_servers"])
def test_what_is_missing_is_named(key: str) -> None:
    with pytest.raises(ConfigError, match=f"has no {key}"):
        rendered(**{key: None})


@pytest.mark.parametrize("role", ["gateway", "load-balancer", "relay", "deferred", "mail", "slice"])
def test_a_role_that_nobody_has_is_named(role: str) -> None:
    hosts = INVENTORY["clusters"]["ey04"]["hosts"]
    without = {name: host for name, host in hosts.items() if host["role"] != role}
    with pytest.raises(ConfigError, match=f"has no host with role {role}"):
        rendered(hosts=without, dedicated=[])


def test_what_is_at_odds_is_named() -> None:
    cluster = INVENTORY["clusters"]["ey04"]
    hosts, (first, second) = cluster["hosts"], cluster["dedicated"]
    slice1 = {"role": "slice", "address": "10.44.0.30"}
    at_odds: list[tuple[dict[str, Any], str]] = [
        ({"hosts": {**hosts, "gate2": {"role": "gateway", "address": "10.44.0.3"}}}, "has 2 gateways"),
        ({"hosts": {**hosts, "slice2": hosts["slice1"]}}, "10.44.0.21 stands twice"),
        ({"hosts": {**hosts, "slice2": {**slice1, "public": "198.18.0.11"}}}, "198.18.0.11 stands twice"),
        ({"hosts": {**hosts, "smtp": slice1}}, "no host can be called smtp"),
        ({"hosts": {**hosts, "out-198-18-0-12": slice1}}, "no host can be called out-198-18-0-12"),
        ({"hosts": {**hosts, "mail1": {"role": "mail", "address": "10.44.0.14"}}}, "has no public address"),
        ({"source_address": "10.44.0.99"}, "is in the inner network"),
        ({"dedicated": [{**first, "domains": []}]}, "has no domains"),
        ({"dedicated": [first, {**second, "domains": ["one.example"]}]}, "two dedicated addresses"),
        ({"dedicated": [{**first, "inside": {"relay1": "10.44.0.111"}}]}, "no inner address on relay2"),
        ({"dedicated": [first, {**second, "inside": first["inside"]}]}, "10.44.0.111 stands twice"),
        ({"dedicated": [{**first, "inside": {**first["inside"], "relay1": "10.9.0.1"}}]}, "not in network"),
    ]  # fmt: skip
    for changes, sentence in at_odds:
        with pytest.raises(ConfigError, match=sentence):
            rendered(**changes)


def test_a_directory_elsewhere_is_refused_for_now() -> None:
    document = {**INVENTORY, "directory": {"url": "sqlite:////tmp/a b';--"}}
    config = parse(document, FILE)
    with pytest.raises(ConfigError, match="rendered for SQLite"):
        render(config.cluster(), config.directory)


HOSTILE = (
    "x\ny",
    "}${run{/bin/true}}",
    "a b",
    '"',
    "'",
    ";",
    "../..",
    "\x1b",
    "#",
    "$(id)",
    "\x00",
    "ü" * 90,
    "a%u@example.com",
    "$home@example.com",
    "#@example.com",
)


@given(
    st.sampled_from(
        [
            "size_limit",
            "tls_certificate",
            "tls_key",
            "spf_name",
            "zone",
            "postmaster",
            "network",
            "source_address",
        ]
    ),
    st.sampled_from(HOSTILE) | st.text(),
)
def test_nothing_in_a_setting_gets_out_of_its_place(key: str, value: str) -> None:
    """A hostile value is refused, or it stands in the files as one harmless word."""
    try:
        files = rendered(**{key: value})
    except EymailError:
        return
    lines = {path: len(file.content.splitlines()) for path, file in files.items()}
    plain = {path: len(file.content.splitlines()) for path, file in rendered().items()}
    assert [lines[path] for path in lines if path in plain] == [
        plain[path] for path in plain if path in lines
    ]
    assert not set(json.dumps(value)) & set("${}'; #%\n")


def test_a_dedicated_address_keeps_its_name_whatever_comes_or_goes_before_it() -> None:
    dedicated = INVENTORY["clusters"]["ey04"]["dedicated"]
    for entries in (dedicated, dedicated[1:], dedicated[::-1]):
        files = rendered(dedicated=entries)
        assert "\nout-198-18-0-12    A       198.18.0.12\n" in files[ZONE].content
        pointers = files[DNS, "/zones/0.18.198.in-addr.arpa.zone"].content
        assert "\n12.0.18.198.in-addr.arpa. PTR out-198-18-0-12.ey04.engineyard.com.\n" in pointers


def test_what_takes_a_file_up_is_known_and_addresses_come_first() -> None:
    files = rendered(dedicated=[])
    assert {file.service for file in files.values()} - {""} == set(SERVICES)
    for host in ("gateway", *SENDING):
        first = next(path for name, path in files if name == host)
        assert first == ADDRESSES_SCRIPT, "it stays when the last address goes, to take that one away"
    for host in SENDING:
        assert "wanted=''" in files[host, ADDRESSES_SCRIPT].content
