"""The cluster's zones, as its name servers give them out."""

from __future__ import annotations

import pytest

from eymail import config
from eymail.cluster.render import DNS, RenderedFile, render
from tests.lab.conftest import Lab

ZONE = "ey04.engineyard.com"


def zones(lab: Lab) -> dict[str, RenderedFile]:
    settings = config.read(lab.folder / "eymail.toml")
    files = render(settings.cluster(), settings.directory)
    return {
        file.path.removeprefix("/zones/").removesuffix(".zone"): file for file in files if file.host == DNS
    }


def test_the_name_server_finds_no_fault_in_the_zones(lab: Lab) -> None:
    """What is rendered is what ns1 started with, beside the lab's own pointers, and Knot finds it good."""
    rendered = zones(lab)
    assert len(rendered) == 3
    for name, file in rendered.items():
        placed = f"/run/lab/files/var/lib/knot/zones/{name}.zone"
        assert lab.exec("ns1", "cat", placed).startswith(file.content)
        done = lab.command("exec", "ns1", "--", "knotc", "zone-check", name)
        assert (done.returncode, done.stderr) == (0, ""), done


@pytest.mark.parametrize("server", ["ns1", "ns2", "resolver"])
def test_the_zone_has_what_a_cluster_needs(lab: Lab, server: str) -> None:
    """workstation -> each name server: smtp, _spf, MX, hosts, and pointers that lead back."""
    at = f"@{lab.hosts[server]['outside']}"

    def ask(*question: str) -> list[str]:
        return lab.exec("workstation", "kdig", "+short", at, *question).split("\n")[:-1]

    assert ask(f"smtp.{ZONE}", "A") == [lab.inside("lb1")]
    assert ask(ZONE, "MX") == [f"10 mx.{ZONE}."]
    assert ask(f"mx.{ZONE}", "A") == [lab.outside(14)]
    spf = f'"v=spf1 ip4:{lab.outside(10)} ip4:{lab.outside(11)} ~all"'
    assert ask(f"_spf.{ZONE}", "TXT") == [spf]
    assert ask(f"slice1.{ZONE}", "A") == [lab.outside(21)]
    assert ask(f"mail1.{ZONE}", "A") == [lab.inside("mail1")]
    for address in (lab.outside(10), lab.outside(11), lab.inside("relay1"), lab.inside("mail1")):
        (name,) = ask("-x", address)
        assert ask(name, "A") == [address]


def test_a_slice_finds_the_relays_by_the_bare_name(lab: Lab) -> None:
    """slice1 -> resolver: smtp is the load balancer."""
    assert lab.exec("slice1", "getent", "hosts", "smtp").split()[0] == lab.inside("lb1")
