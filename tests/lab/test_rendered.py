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
    *((host, ("sshd", "-t")) for host in ("lb1", "relay1", "deferred1", "mail1", "slice1")),
    *((host, ("sh", "-n", "/etc/network/if-up.d/eymail-addresses")) for host in ("gateway", "relay1")),
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
