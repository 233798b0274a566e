"""The inventory: what eymail.toml dedicates and what the directory assigns, put together."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from eymail.cluster.render import render
from eymail.config import Cluster
from eymail.directory.rows import step
from eymail.env import Env
from eymail.ops import inventory
from tests.unit.directories import applied, directory, plan, url
from tests.unit.test_cluster_ops import toml
from tests.unit.test_cluster_render import INVENTORY, SENDING

EXIM = "/etc/exim4/exim4.conf"


@pytest.fixture
def env(tmp_path: Path) -> Env:
    file = tmp_path / "eymail.toml"
    settings = toml({"url": url(tmp_path / "d" / "directory.db")})
    clusters = {**INVENTORY["clusters"], "ey05": {"zone": "ey05.example"}}
    file.write_text(f'default_cluster = "ey04"\ndirectory = {settings}\nclusters = {toml(clusters)}\n')
    return Env(str(file))


def assign(env: Env, address: str, domain: str, inside: dict[str, str], cluster: str = "ey04") -> None:
    of_address = {"source_address": address, "cluster": cluster}
    steps = (
        step("source_address", None, {"address": address, "cluster": cluster}),
        *(
            step("source_inside", None, {**of_address, "host": host, "inside": inside[host]})
            for host in inside
        ),
        step("source", None, {"sender_domain": domain, "source_address": address}),
    )
    applied(env, plan(f"assign {domain}", *steps))


def domains(cluster: Cluster) -> dict[str, tuple[str, ...]]:
    return {str(entry.address): entry.domains for entry in cluster.dedicated}


FILE = {"198.18.0.11": ("one.example", "two.example"), "198.18.0.12": ("three.example",)}
INSIDE = {name: f"10.44.0.{last}" for last, name in enumerate(SENDING, 131)}


def test_without_a_directory_the_file_is_all(env: Env, tmp_path: Path) -> None:
    assert inventory.cluster(env) == env.cluster
    assert not (tmp_path / "d").exists()


def test_what_was_assigned_stands_beside_what_the_file_dedicates(env: Env) -> None:
    assign(env, "198.18.0.9", "example.com", INSIDE)
    assign(env, "198.18.5.9", "example.org", {}, cluster="ey05")
    found = inventory.cluster(env)
    assert domains(found) == {**FILE, "198.18.0.9": ("example.com",)}
    assert found.dedicated[-1].inside == {name: IPv4Address(inside) for name, inside in INSIDE.items()}
    assert domains(inventory.cluster(env, "ey05")) == {"198.18.5.9": ("example.org",)}
    files = {(file.host, file.path): file.content for file in render(found, env.config.directory)}
    assert "{example.com}{10.44.0.131}" in files["relay1", EXIM]
    assert "snat to 198.18.0.9" in files["gateway", "/etc/nftables.conf"]


def test_an_address_of_the_file_may_get_a_further_domain(env: Env) -> None:
    assign(env, "198.18.0.12", "example.com", {})
    found = inventory.cluster(env)
    assert domains(found) == {**FILE, "198.18.0.12": ("three.example", "example.com")}
    assert found.dedicated[1].inside == env.cluster.dedicated[1].inside


def test_an_address_without_domains_is_none_of_the_cluster(env: Env, tmp_path: Path) -> None:
    assign(env, "198.18.0.9", "example.com", INSIDE)
    with directory(tmp_path / "d" / "directory.db") as opened:
        (row,) = opened.find("source")
    applied(env, plan("half a release", step("source", row, None)))
    assert inventory.cluster(env) == env.cluster
    assert [one.domains for one in inventory.assigned(env, "ey04")] == [()]
