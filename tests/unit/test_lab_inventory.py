"""The lab's inventory and ssh configuration are what eymail and ssh read; its addresses are its own."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail import config
from eymail.cluster.render import render
from eymail.config import Role
from eymail.lab import outside
from eymail.lab.inventory import inventory, ssh_config
from eymail.lab.keys import Authority, ssh_key
from eymail.lab.topology import CLUSTER, Topology

numbers = st.integers(0, 255).map(Topology)


def read(topology: Topology, folder: Path) -> config.Config:
    path = folder / "eymail.toml"
    path.write_text(inventory(topology, folder))
    return config.read(path)


@pytest.mark.parametrize("number", [0, 1, 255])
def test_eymail_reads_the_inventory_and_renders_every_host(number: int, tmp_path: Path) -> None:
    topology = Topology(number)
    settings = read(topology, tmp_path)
    cluster = settings.cluster(CLUSTER)
    hosts = {host.name: host for host in topology.hosts() if host.inside}
    assert {entry.name: entry.address for entry in cluster.hosts} == {
        name: host.inside for name, host in hosts.items()
    }
    rendered = {file.host for file in render(cluster, settings.directory)} - {"dns"}
    assert rendered == set(hosts)
    assert cluster.with_role(Role.MAIL)[0].public == topology.public()["mail1"]


@given(numbers)
def test_no_address_is_given_twice_or_lies_elsewhere(topology: Topology) -> None:
    hosts = topology.hosts()
    inside = [host.inside for host in hosts if host.inside]
    public = [address for name, address in topology.public().items()]
    outside_ = [*(host.outside for host in hosts if host.outside), *public]
    for addresses, network in ((inside, topology.inside_network), (outside_, topology.outside_network)):
        assert len(set(addresses)) == len(addresses)
        assert all(address in network for address in addresses)
        assert network[1] not in addresses, "that is podman's own"


@given(numbers, numbers)
def test_two_labs_share_no_subnet(one: Topology, other: Topology) -> None:
    apart = not one.inside_network.overlaps(other.inside_network)
    assert apart == (one.number != other.number)


def test_every_delegation_of_the_root_is_a_zone(tmp_path: Path) -> None:
    topology = Topology(3)
    settings = read(topology, tmp_path)
    files = render(settings.cluster(CLUSTER), settings.directory)
    clusters = {Path(file.path).stem: file.content for file in files if file.host == "dns"}
    zones = outside.zones(topology, clusters)
    delegated = {line.split()[0] for line in zones["."].splitlines() if " NS " in line} - {"@"}
    assert delegated == {f"{name}." for name in zones if name != "."} | {"servfail.example."}
    assert "servfail.example" not in zones


def test_ssh_goes_by_way_of_the_gateway_to_inner_hosts_only(tmp_path: Path) -> None:
    blocks = ssh_config(Topology(0), tmp_path).split("Host ")[1:]
    jumps = {block.split()[0] for block in blocks if "ProxyJump gateway" in block}
    assert jumps == {"lb1", "relay1", "relay2", "deferred1", "mail1"}
    assert all("StrictHostKeyChecking yes" in block for block in blocks)


def test_keys_are_new_each_time() -> None:
    one, other = ssh_key(), ssh_key()
    assert one.public.startswith("ssh-ed25519 ")
    assert one.public != other.public
    assert one.private.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")


@pytest.mark.parametrize(
    ("name", "trusted"), [("mail1.test", True), ("mx.test", True), ("other.test", False)]
)
def test_a_certificate_holds_for_its_names_alone(name: str, trusted: bool, tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.issue("mail1.test", "mx.test")
    (tmp_path / "cert.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    client = ssl.create_default_context(cadata=authority.pem)
    if trusted:
        shake_hands(client, server, name)
    else:
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(client, server, name)


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """A TLS handshake in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(down, up, server_hostname=name),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert sides[0].version() == "TLSv1.3"
