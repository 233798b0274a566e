"""Slices: their sshd forwards to the mail host and to smtp, and to nothing else; no MTA runs there."""

from __future__ import annotations

import pytest

from tests.lab.conftest import Lab


@pytest.mark.parametrize(
    ("host", "port", "permitted"),
    [("mail1", 143, True), ("mail1", 110, True), ("mail1", 993, True), ("lb1", 25, True),
     ("mail1", 22, False), ("mail1", 25, False), ("relay1", 25, False), ("deferred1", 22, False),
     ("gateway", 22, False)],
)  # fmt: skip
def test_where_a_slice_forwards_to(lab: Lab, host: str, port: int, permitted: bool) -> None:
    """workstation -> ssh to slice1 -> host:port, as OpenSSH's own client asks for it (-W)."""
    config = str(lab.folder / "ssh_config")
    end = f"{lab.inside(host)}:{port}"
    done = lab.run("timeout", "3", "ssh", "-F", config, "-W", end, "slice1", input="")
    assert ("administratively prohibited" in done.stderr) is not permitted, done.stderr


@pytest.mark.parametrize(("name", "port"), [("mail1", 143), ("mail1.ey04.engineyard.com", 110), ("smtp", 25)])
def test_forwarding_by_name(lab: Lab, name: str, port: int) -> None:
    """workstation -> ssh to slice1 -> the service by its name, which the slice resolves; it greets."""
    config = str(lab.folder / "ssh_config")
    done = lab.run("timeout", "3", "ssh", "-F", config, "-W", f"{name}:{port}", "slice1", input="")
    assert done.stdout.startswith(("* OK", "+OK", "220 ")), done


def test_no_mta_runs_on_a_slice(lab: Lab) -> None:
    """Nothing listens on port 25 of a slice."""
    for host in ("slice1", "slice2"):
        assert ":25 " not in lab.exec(host, "ss", "-ltn")


def test_a_password_is_no_way_in(lab: Lab) -> None:
    """workstation -> ssh to slice1 without the key: only keys are offered as a method."""
    config = str(lab.folder / "ssh_config")
    options = ("-o", "PubkeyAuthentication=no", "-o", "BatchMode=yes")
    done = lab.run("ssh", "-F", config, *options, "slice1", "true")
    assert "Permission denied (publickey)" in done.stderr
