"""``eymail spf``: what a cluster sends from, as published beside the inventory; a domain's record."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.dns_peer import Peer, Question, Script, peer, rrset, zone

INVENTORY = """
[clusters.ey04]
source_address = "198.51.100.10"
[[clusters.ey04.dedicated]]
address = "198.51.100.11"
domains = ["customer.example"]
inside = {}
"""
AT = "_spf.ey04.engineyard.com"


@pytest.fixture
def server() -> Iterator[Peer]:
    with peer(zone()) as started:
        yield started


@pytest.fixture
def inventory(tmp_path: Path) -> tuple[str, str]:
    file = tmp_path / "eymail.toml"
    file.write_text(INVENTORY)
    return "--config", str(file)


def eymail(server: Peer, *args: str, script: Script | None = None) -> subprocess.CompletedProcess[str]:
    """eymail as a process, with no configuration but what is given."""
    server.script = script or server.script
    env = {name: value for name, value in os.environ.items() if name != "EYMAIL_CONFIG"}
    env["XDG_CONFIG_HOME"] = "/nonexistent"
    argv = [sys.executable, "-m", "eymail", "spf", *args, "--server", server.address]
    return subprocess.run(argv, capture_output=True, text=True, env=env, timeout=60, check=False)


def data(server: Peer, *args: str, script: Script) -> dict[str, object]:
    told = eymail(server, *args, "--json", script=script)
    envelope = json.loads(told.stdout)
    assert envelope["status"] == "ok", told.stdout
    assert told.returncode == 0
    return dict(envelope["data"])


def published(record: str, name: str = AT) -> Script:
    return zone(rrset(name, "TXT", f'"{record}"', '"some other text"'))


def test_without_configuration_the_addresses_one_a_line(server: Peer) -> None:
    record = "v=spf1 ip4:198.51.100.10 ip4:198.51.100.16/28 ip6:2001:db8::1 ~all"
    told = eymail(server, "ey04", script=published(record))
    assert told.returncode == 0
    assert told.stdout == "198.51.100.10\n198.51.100.16/28\n2001:db8::1\n"
    assert told.stderr == ""
    assert {row["inventory"] for row in data(server, "ey04", script=published(record))["addresses"]} == {
        "not checked"
    }


def test_beside_the_inventory(server: Peer, inventory: tuple[str, str]) -> None:
    record = "v=spf1 ip4:198.51.100.10 ip4:198.51.100.11 ~all"
    found = data(server, *inventory, "ey04", script=published(record))
    assert found["addresses"] == [
        {"address": "198.51.100.10", "published": True, "inventory": "yes", "purpose": "cluster"},
        {
            "address": "198.51.100.11", "published": True, "inventory": "yes",
            "purpose": "dedicated to customer.example",
        },
    ]  # fmt: skip
    assert found["disagreements"] == []


def test_what_disagrees_is_said_and_the_published_printed(server: Peer, inventory: tuple[str, str]) -> None:
    record = "v=spf1 ip4:198.51.100.10 ip4:192.0.2.1 -ip4:192.0.2.2 include:more.example ~all"
    told = eymail(server, *inventory, "ey04", script=published(record))
    assert told.returncode == 0
    assert told.stdout == "198.51.100.10\n192.0.2.1\n"
    assert "192.0.2.1 is published and not in the inventory" in told.stderr
    assert (
        "198.51.100.11 (dedicated to customer.example) is in the inventory and not published" in told.stderr
    )
    assert "not checked: include:more.example" in told.stderr


def test_a_network_around_the_inventorys_addresses(server: Peer, inventory: tuple[str, str]) -> None:
    found = data(server, *inventory, "ey04", script=published("v=spf1 ip4:198.51.100.0/24 ~all"))
    (row,) = found["addresses"]
    assert (row["address"], row["inventory"]) == ("198.51.100.0/24", "partly")
    assert found["disagreements"] == [
        "198.51.100.0/24 is published, of which the inventory has 198.51.100.10, 198.51.100.11"
    ]


def test_a_word_that_is_no_term_is_named(server: Peer) -> None:
    found = data(server, "ey04", script=published("v=spf1 ip4:198.51.100.10 ip4:198.51.100 ~all"))
    assert found["disagreements"] == [
        "ip4:198.51.100 is no SPF term (ip4 wants an IPv4 address, or a network, after a colon), so receivers"
        " count the whole record as an error"
    ]


@pytest.mark.parametrize(
    "script", [zone(), zone(rrset(AT, "TXT", '"hello"')), zone(rrset(AT, "A", "192.0.2.1"))]
)
def test_no_record_is_code_1_with_the_record_to_publish(
    server: Peer, inventory: tuple[str, str], script: Script
) -> None:
    told = eymail(server, *inventory, "ey04", script=script)
    assert (told.returncode, told.stdout) == (1, "")
    assert f'publish: {AT}. TXT "v=spf1 ip4:198.51.100.10 ip4:198.51.100.11 ~all"' in told.stderr


def test_a_cluster_of_no_inventory_is_told_the_nearest(server: Peer, inventory: tuple[str, str]) -> None:
    told = eymail(server, *inventory, "ey4", script=zone())
    assert told.returncode == 1
    assert "did you mean ey04?" in told.stderr
    assert 'publish: _spf.ey4.engineyard.com. TXT "v=spf1 ip4:ADDRESS ~all"' in told.stderr


def test_two_records_count_as_an_error(server: Peer) -> None:
    told = eymail(server, "ey04", script=zone(rrset(AT, "TXT", '"v=spf1 -all"', '"v=spf1 ~all"')))
    assert (told.returncode, told.stdout) == (1, "")
    assert "2 SPF records" in told.stderr


def test_the_name_asked_for_is_a_setting(server: Peer, tmp_path: Path) -> None:
    file = tmp_path / "eymail.toml"
    file.write_text('[clusters.ey04]\nspf_name = "{cluster}.spf.example.net"\n')
    script = published("v=spf1 ip4:192.0.2.9 -all", "ey04.spf.example.net")
    told = eymail(server, "--config", str(file), "ey04", script=script)
    assert told.stdout == "192.0.2.9\n"


@pytest.mark.parametrize(
    ("target", "code", "sentence"),
    [
        ("nosuch.invalid", 1, "nosuch.invalid does not exist in the DNS"),
        ("ey99", 1, "_spf.ey99.engineyard.com does not exist in the DNS"),
        ("ey 04", 2, "'ey 04' is neither a cluster nor a domain"),
        ("", 2, "'' is neither a cluster nor a domain"),
        ("a..example", 2, "'a..example' is not a domain name"),
        ("\x1b[31m.example", 2, "is not a domain name"),
    ],
)
def test_bad_targets(server: Peer, target: str, code: int, sentence: str) -> None:
    told = eymail(server, target)
    assert (told.returncode, told.stdout) == (code, "")
    assert sentence in told.stderr
    assert "\x1b" not in told.stderr
    envelope = json.loads(eymail(server, target, "--json").stdout)
    assert envelope["status"] == "error" and sentence in envelope["errors"][0]["message"]


def test_a_name_server_that_cannot_be_asked_is_code_1(server: Peer) -> None:
    told = eymail(server, "ey04", script=lambda question: [question.answer(code="SERVFAIL")])
    assert (told.returncode, told.stdout) == (1, "")
    assert f"answered SERVFAIL: TXT of {AT}" in told.stderr


def test_a_wrong_server_is_code_2() -> None:
    argv = [sys.executable, "-m", "eymail", "spf", "ey04", "--server", "ns.example"]
    told = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 2
    assert "'ns.example' is not the address of a name server" in told.stderr


def test_hostile_text_in_a_record_does_not_reach_the_screen(server: Peer) -> None:
    told = eymail(server, "a.example", script=zone(rrset("a.example", "TXT", r'"v=spf1 \027]0;x\007 -all"')))
    assert told.returncode == 0
    assert "\x1b" not in told.stdout + told.stderr and "\x07" not in told.stdout + told.stderr
    assert r"\027]0;x\007" in told.stdout


DOMAIN = (
    rrset("a.example", "TXT", f'"v=spf1 a include:{AT} include:gone.example include:none.example ~all"'),
    rrset("customer.example", "TXT", f'"v=spf1 redirect={AT}"'),
    rrset("sound.example", "TXT", f'"v=spf1 include:{AT} -all"'),
    rrset("other.example", "TXT", '"v=spf1 ip4:192.0.2.0/24 -all"'),
    rrset(AT, "TXT", '"v=spf1 ip4:198.51.100.10 ~all"'),
    rrset("none.example", "A", "192.0.2.1"),
)


def test_a_domains_tree(server: Peer, inventory: tuple[str, str]) -> None:
    found = data(server, *inventory, "a.example", script=zone(*DOMAIN))
    terms = found["tree"]["terms"]  # type: ignore[index]
    assert [(term["term"], term["state"], term["detail"]) for term in terms] == [
        ("a", "warning", "a.example: no address"),
        (f"include:{AT}", "ok", ""),
        ("include:gone.example", "error", "gone.example does not exist"),
        ("include:none.example", "error", "none.example has no SPF record"),
        ("~all", "ok", ""),
    ]
    assert [term["term"] for term in terms[1]["policy"]["terms"]] == ["ip4:198.51.100.10", "~all"]
    assert (found["lookups"], found["voids"]) == (4, [3, 3])  # a, and the two includes
    assert found["publish"] == f"v=spf1 include:{AT} ~all"


def test_the_clusters_addresses_and_by_what_they_pass(server: Peer, inventory: tuple[str, str]) -> None:
    told = eymail(server, *inventory, "sound.example", script=zone(*DOMAIN))
    assert told.returncode == 0
    by = f"sound.example: include:{AT} > {AT}: ip4:198.51.100.10"
    assert f"cluster ey04\tsound.example\t198.51.100.10\tpass\t{by}" in told.stdout.splitlines()
    assert "look-ups: 1 of 10" in told.stderr


def test_a_domain_that_names_no_cluster_is_given_the_include(
    server: Peer, inventory: tuple[str, str]
) -> None:
    found = data(server, *inventory, "other.example", script=zone(*DOMAIN))
    assert found["clusters"][0]["result"] == "fail"  # type: ignore[index]
    assert found["publish"] == f"v=spf1 ip4:192.0.2.0/24 include:{AT} -all"


def test_a_customers_own_dedicated_address_is_asked_about(server: Peer, inventory: tuple[str, str]) -> None:
    found = data(server, *inventory, "customer.example", script=zone(*DOMAIN))
    clusters = found["clusters"]
    assert [(row["address"], row["result"]) for row in clusters] == [  # type: ignore[attr-defined]
        ("198.51.100.10", "pass"),
        ("198.51.100.11", "softfail"),
    ]


def test_an_include_that_cannot_be_asked_is_not_checked_and_partial(
    server: Peer, inventory: tuple[str, str]
) -> None:
    good = zone(*DOMAIN)

    def script(question: Question) -> Iterator[bytes]:
        return iter([question.answer(code="SERVFAIL")]) if question.name == AT else good(question)

    told = eymail(server, *inventory, "sound.example", "--json", script=script)
    envelope = json.loads(told.stdout)
    assert (told.returncode, envelope["status"]) == (1, "partial")
    assert envelope["data"]["clusters"][0]["result"] == "not checked"
    assert "SERVFAIL" in envelope["errors"][0]["message"]


def test_several_records_are_shown_and_let_nobody_pass(server: Peer, inventory: tuple[str, str]) -> None:
    records = '"v=spf1 ip4:198.51.100.10 -all"', '"v=spf1 -all"'
    found = data(server, *inventory, "a.example", script=zone(rrset("a.example", "TXT", *records)))
    tree = found["tree"]
    assert sorted(tree["records"]) == ["v=spf1 -all", "v=spf1 ip4:198.51.100.10 -all"]  # type: ignore[index]
    assert found["clusters"][0]["result"] == "permerror"  # type: ignore[index]
    assert found["publish"] == "v=spf1 ip4:198.51.100.10 -all"


TEN = " ".join(f"a:h{n}.example" for n in range(10))
HOSTS = tuple(rrset(f"h{n}.example", "A", "192.0.2.1") for n in range(10))


@pytest.mark.parametrize(
    ("record", "publish"),
    [
        (f"v=spf1 {TEN} -all", ""),  # the include would be one look-up too many
        ("v=spf1 +all", f"v=spf1 include:{AT} ~all"),
        ("v=spf1 -ip4:198.51.100.10 ~all", f"v=spf1 include:{AT} -ip4:198.51.100.10 ~all"),
        (f"v=spf1 include:{AT} redirect=x.example redirect=y.example -all", f"v=spf1 include:{AT} -all"),
        (f"v=spf1 include:{AT} -all", ""),
        (f"v=spf1 include:{AT} -all ip4:192.0.2.9", f"v=spf1 include:{AT} -all"),
    ],
)
def test_what_is_proposed_is_evaluated_first(
    server: Peer, inventory: tuple[str, str], record: str, publish: str
) -> None:
    records = (*DOMAIN, *HOSTS, rrset("d.example", "TXT", f'"{record}"'))
    found = data(server, *inventory, "d.example", script=zone(*records))
    assert found["publish"] == publish
    if TEN in record:
        assert "no better record is known" in str(found["findings"])


def test_an_alias_is_mended_where_it_leads(server: Peer, inventory: tuple[str, str]) -> None:
    records = (*DOMAIN, rrset("d.example", "CNAME", "other.example."))
    found = data(server, *inventory, "d.example", script=zone(*records))
    assert found["publish_at"] == "other.example"


def test_check_is_for_cron(server: Peer, inventory: tuple[str, str]) -> None:
    script = zone(*DOMAIN, rrset("both.example", "TXT", f'"v=spf1 include:{AT} ip4:198.51.100.11 -all"'))
    assert eymail(server, *inventory, "sound.example", "--check", script=script).returncode == 0
    assert eymail(server, *inventory, "other.example", "--check").returncode == 3
    assert eymail(server, *inventory, "a.example", "--check").returncode == 3
    assert eymail(server, *inventory, "ey04", "--check").returncode == 3  # .11 is not published
    assert eymail(server, *inventory, "ey04", "--check", "--flatten").returncode == 2


@pytest.mark.parametrize(
    ("text", "hint"),
    [("v=spf1; -all", "v=spf1; -all"), ("v=spf10 -all", "v=spf10"), ("hello", f"include:{AT} ~all")],
)
def test_a_near_miss_is_shown(server: Peer, inventory: tuple[str, str], text: str, hint: str) -> None:
    told = eymail(server, *inventory, "d.example", script=zone(rrset("d.example", "TXT", f'"{text}"')))
    assert told.returncode == 1
    assert "d.example has no SPF record" in told.stderr and hint in told.stderr


def test_a_tree_on_a_terminal(server: Peer) -> None:
    argv = [sys.executable, "-m", "eymail", "spf", "sound.example", "--server", server.address]
    server.script = zone(*DOMAIN)
    shown = on_a_terminal(argv)
    lines = [line.strip() for line in shown.splitlines()]
    assert lines[1:5] == [
        "sound.example", f"├── include:{AT}", "│   ├── ip4:198.51.100.10", "│   └── ~all",
    ]  # fmt: skip


def test_the_record_to_publish_is_one_line_on_a_terminal(server: Peer, inventory: tuple[str, str]) -> None:
    long = " ".join(f"ip4:192.0.2.{n}" for n in range(20))
    server.script = zone(*DOMAIN, rrset("d.example", "TXT", f'"v=spf1 " "{long[:200]}" "{long[200:]} +all"'))
    argv = [sys.executable, "-m", "eymail", "spf", "d.example", *inventory, "--server", server.address]
    shown = on_a_terminal(argv, columns=80)
    assert f'd.example. TXT "v=spf1 {long} include:{AT} ~all"' in shown.splitlines()


def on_a_terminal(argv: list[str], columns: int = 200) -> str:
    """What a program writes to a terminal, without its colours."""
    script = ["script", "-qec", f"stty cols {columns}; {shlex.join(argv)}", "/dev/null"]
    told = subprocess.run(script, capture_output=True, text=True, timeout=60, check=True)
    return re.sub(r"\x1b\[[0-9;]*m", "", told.stdout).replace("\r", "")
