"""The configuration is read strictly, and says which key is wrong and which was meant."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from eymail.config import Config, Role, UpdateSettings, load, parse, read
from eymail.errors import ConfigError, NotFound

FILE = Path("eymail.toml")
INVENTORY = {
    "default_cluster": "ey04",
    "clusters": {
        "ey04": {
            "network": "10.44.0.0/24",
            "source_address": "198.18.0.10",
            "dedicated": [
                {
                    "address": "198.18.0.11",
                    "domains": ["Customer.Example"],
                    "inside": {"relay1": "10.44.0.111"},
                }
            ],
            "update": {"server": "198.18.0.54", "key_file": "/etc/eymail/tsig.key"},
            "hosts": {
                "relay1": {"role": "relay", "address": "10.44.0.11"},
                "slice1": {"role": "slice", "address": "10.44.0.21", "public": "198.18.0.21"},
            },
        }
    },
}


def changed(path: str, value: object) -> dict[str, object]:
    """The inventory with one key set; path is dotted, from the cluster down."""
    import copy

    document = copy.deepcopy(INVENTORY)
    table = document["clusters"]["ey04"]  # type: ignore[index]  # the literal above has it
    *parents, last = path.split(".")
    for name in parents:
        table = table[name]
    table[last] = value
    return document


def test_an_inventory_is_read() -> None:
    cluster = parse(INVENTORY, FILE).cluster()
    assert cluster.zone == "ey04.engineyard.com"
    assert cluster.spf_name == "_spf.ey04.engineyard.com"
    assert cluster.postmaster == "postmaster@ey04.engineyard.com"
    assert cluster.host("slice1").public == IPv4Address("198.18.0.21")
    assert [host.name for host in cluster.with_role(Role.RELAY)] == ["relay1"]
    assert cluster.dedicated[0].domains == ("customer.example",)
    assert cluster.update == UpdateSettings("198.18.0.54", "/etc/eymail/tsig.key")


def test_a_cluster_whose_dns_is_changed_by_others() -> None:
    document = changed("update", {})
    assert parse(document, FILE).cluster().update is None


@pytest.mark.parametrize("server", ["192.0.2.1:5353", "2001:db8::53", "[2001:db8::53]:53", "[2001:db8::53]"])
def test_a_primary_may_have_a_port(server: str) -> None:
    update = parse(changed("update.server", server), FILE).cluster().update
    assert update is not None
    assert update.server == server


@pytest.mark.parametrize(
    ("path", "value", "sentence", "hint"),
    [
        (
            "sorce_address",
            "198.18.0.10",
            "clusters.ey04.sorce_address is not a known setting",
            "source_address",
        ),
        ("hosts.relay1.rol", "relay", "clusters.ey04.hosts.relay1.rol is not a known", "role"),
        ("hosts.relay1.role", "realy", "clusters.ey04.hosts.relay1.role is wrong", ""),
        ("hosts.relay1.address", "10.44.0.300", "hosts.relay1.address is wrong", ""),
        ("hosts.relay1.address", "10.9.0.1", "is not in network 10.44.0.0/24", ""),
        ("hosts.relay1.address", 7, "hosts.relay1.address must be a string", ""),
        ("hosts", ["relay1"], "clusters.ey04.hosts must be a table", "[clusters.ey04.hosts]"),
        ("postmaster", "nobody", "postmaster is wrong: 'nobody' is not a mail address", "looks like"),
        ("update.server", "ns1", "clusters.ey04.update.server is wrong", ""),
        ("update.server", "192.0.2.1:0", "clusters.ey04.update.server is wrong", ""),
        ("update.key_file", "key", "clusters.ey04.update.key_file is wrong: an absolute path", ""),
        ("update", {"server": "192.0.2.1"}, "clusters.ey04.update.key_file is missing", ""),
        (
            "dedicated",
            {"address": "1.2.3.4"},
            "dedicated must be a list of tables",
            "[[clusters.ey04.dedicated]]",
        ),
    ],
)
def test_a_wrong_key_is_named(path: str, value: object, sentence: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(changed(path, value), FILE)
    assert sentence in caught.value.message
    assert caught.value.message.startswith("eymail.toml: ")
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["../etc", "a b", "Relay", "-x", "a" * 64, "re\x1blay", ""])
def test_a_host_name_is_one_label(name: str) -> None:
    with pytest.raises(ConfigError):
        parse(changed("hosts", {name: {"role": "relay", "address": "10.44.0.11"}}), FILE)


def test_a_file_that_is_missing_or_broken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        read(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[clusters\n")
    with pytest.raises(ConfigError, match="is not TOML"):
        read(broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        read(broken)


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EYMAIL_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("eymail.config.SYSTEM_FILE", tmp_path / "none")
    assert load() == Config()
    users = tmp_path / "eymail" / "eymail.toml"
    users.parent.mkdir()
    users.write_text('default_cluster = "users"')
    assert load().default_cluster == "users"
    named = tmp_path / "named.toml"
    named.write_text('default_cluster = "named"')
    monkeypatch.setenv("EYMAIL_CONFIG", str(named))
    assert load().default_cluster == "named"
    assert load(str(users)).default_cluster == "users"


def test_which_cluster_is_meant() -> None:
    config = parse(INVENTORY, FILE)
    assert config.cluster("ey04").name == "ey04"
    with pytest.raises(NotFound) as caught:
        config.cluster("ey4")
    assert caught.value.hint == "did you mean ey04?"
    with pytest.raises(NotFound, match="no configuration file"):
        Config().cluster("ey04")
    with pytest.raises(NotFound, match="no cluster was named"):
        Config().cluster()
