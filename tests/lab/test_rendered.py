"""What lies on the hosts is what eymail renders, and every daemon's own checker finds it right."""

from __future__ import annotations

import pytest

from eymail import config
from eymail.cluster.render import DNS, render
from tests.lab.conftest import Lab

CHECKERS = (
    ("relay1", ("exim4", "-bV")),
    ("deferred1", ("exim4", "-bV")),
    ("mail1", ("exim4", "-bV")),
    ("mail1", ("doveconf", "-n")),
    ("lb1", ("haproxy", "-c", "-q", "-f", "/etc/haproxy/haproxy.cfg")),
    ("gateway", ("nft", "--check", "--file", "/etc/nftables.conf")),
    ("gateway", ("sshd", "-t")),
    ("slice1", ("sshd", "-t")),
    ("relay1", ("sshd", "-t")),
)


@pytest.mark.parametrize(("host", "command"), CHECKERS)
def test_the_daemons_own_checker_is_content(lab: Lab, host: str, command: tuple[str, ...]) -> None:
    done = lab.command("exec", host, "--", *command)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr
    assert "arning" not in done.stderr


def test_the_hosts_hold_what_is_rendered(lab: Lab) -> None:
    """The lab has no configuration of its own for the cluster's hosts."""
    settings = config.read(lab.folder / "eymail.toml")
    files = [file for file in render(settings.cluster(), settings.directory) if file.host != DNS]
    assert len(files) > 20
    for file in files:
        assert lab.exec(file.host, "cat", file.path) == file.content, f"{file.host}:{file.path}"


def test_the_zones_are_zones(lab: Lab) -> None:
    settings = config.read(lab.folder / "eymail.toml")
    zones = [file for file in render(settings.cluster(), settings.directory) if file.host == DNS]
    assert len(zones) == 3
    for file in zones:
        origin = file.path.removeprefix("/zones/").removesuffix(".zone")
        lab.exec("ns1", "kzonecheck", "-o", origin, "-", input=file.content)


@pytest.mark.parametrize("server", ["ns1", "ns2", "resolver"])
def test_the_zone_has_what_a_cluster_needs(lab: Lab, server: str) -> None:
    """workstation -> each name server: smtp, _spf, MX, and pointers that lead back."""
    at = f"@{lab.hosts[server]['outside']}"

    def ask(*question: str) -> list[str]:
        return lab.exec("workstation", "kdig", "+short", at, *question).split("\n")[:-1]

    zone = "ey04.engineyard.com"
    assert ask(f"smtp.{zone}", "A") == [lab.inside("lb1")]
    assert ask(zone, "MX") == [f"10 mx.{zone}."]
    assert ask(f"mx.{zone}", "A") == [lab.outside(14)]
    spf = f'"v=spf1 ip4:{lab.outside(10)} ip4:{lab.outside(11)} ~all"'
    assert ask(f"_spf.{zone}", "TXT") == [spf]
    for address in (lab.outside(10), lab.outside(11), lab.inside("relay1"), lab.inside("mail1")):
        (name,) = ask("-x", address)
        assert ask(name, "A") == [address]
