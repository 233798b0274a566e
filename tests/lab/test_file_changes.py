"""Files of a lab host changed by plan over SSH: the daemons' own checks, and what they do afterwards."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

import pytest

from tests.lab.conftest import Lab

EXIM, NFT = "/etc/exim4/exim4.conf", "/etc/nftables.conf"

_PROGRAM = """
import json, sys
from eymail.env import Env
from eymail.errors import EymailError
from eymail.hosts import files
from eymail.ops import change
from eymail.plan import Plan

env = Env()

def step(host, path, edit, service):
    row = files.read(env.host(host), [path])[path]
    before = None if row is None else {**row, "service": service}
    text = edit(row["content"] if row else "")
    new = {"mode": "0644", "owner": "root", "group": "root", "service": service}
    after = {**new, **(before or {}), "content": text}
    return files.step(host, path, before, None if text is None else after)

def apply(*steps):
    outcome = change.apply(env, Plan("change of files", steps))
    return {"id": outcome.id, "error": outcome.error.message if outcome.error else None}

try:
    answer = (lambda: CALL)()
except EymailError as error:
    answer = {"error": error.code, "message": error.message, "hint": error.hint}
env.close()
print(json.dumps(answer))
"""


def at(lab: Lab, call: str, setup: str = "", code: int = 0) -> Any:
    """What an expression gives in the administrator's place, or the error that it ends with."""
    program = _PROGRAM.replace("try:", f"{setup}\ntry:", 1).replace("CALL", call)
    done = lab.run(sys.executable, "-c", program)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if done.stdout else None


def unchanged(lab: Lab, host: str, *paths: str) -> str:
    """What lies there, with owner, mode and inode, and what else is in those folders."""
    folders = sorted({path.rpartition("/")[0] for path in paths})
    return lab.exec(host, "stat", "-c", "%n %i %U %G %a %Y", *paths) + lab.exec(host, "ls", "-A", *folders)


def test_a_file_is_taken_up_and_taken_back(lab: Lab) -> None:
    """eymail outside, by way of the gateway, changes relay1's Exim; a slice sends by it as before."""
    before = lab.exec("relay1", "sha256sum", EXIM)
    edit = "lambda text: text + '\\n# changed\\n'"
    made = at(lab, f"""apply(step("relay1", {EXIM!r}, {edit}, "exim"))""")
    assert made["error"] is None
    assert lab.exec("relay1", "tail", "-1", EXIM) == "# changed\n"
    lab.send("user@accept.example", server=lab.inside("lb1"))
    assert lab.eymail("undo", str(made["id"])).returncode == 0
    assert lab.exec("relay1", "sha256sum", EXIM) == before
    assert ".eymail-" not in lab.exec("relay1", "ls", "-A", "/etc/exim4")


def test_exims_own_check_refuses_it(lab: Lab) -> None:
    """A setting that Exim does not know: no file of the host is changed, the good one of the act neither."""
    seen = unchanged(lab, "relay1", EXIM)
    told = at(
        lab,
        f"""apply(step("relay1", "/etc/exim4/new", lambda text: "x", ""),
            step("relay1", {EXIM!r}, lambda text: "no_such_setting = 1\\n" + text, "exim"))""",
    )
    assert (told["error"], told["hint"]) == ("host", "nothing was changed there")
    assert "no_such_setting" in told["message"]
    assert unchanged(lab, "relay1", EXIM) == seen


def test_the_gateways_rules_are_checked_by_nft(lab: Lab) -> None:
    before, seen = lab.exec("gateway", "nft", "list", "ruleset"), unchanged(lab, "gateway", NFT)
    told = at(lab, f"""apply(step("gateway", {NFT!r}, lambda text: text + "\\nno rule\\n", "nftables"))""")
    assert told["error"] == "host"
    assert "syntax error" in told["message"]
    assert (lab.exec("gateway", "nft", "list", "ruleset"), unchanged(lab, "gateway", NFT)) == (before, seen)


def test_what_does_not_load_is_put_back_and_loaded_again(lab: Lab) -> None:
    """The check passes, taking it up fails: by a service of the test's, with the gateway's real rules."""
    before, seen = lab.exec("gateway", "nft", "list", "ruleset"), unchanged(lab, "gateway", NFT)
    setup = """
from eymail.cluster import services
load = "nft -f /etc/nftables.conf && ! grep -q 'fails here' /etc/nftables.conf"
services.SERVICES["nftables"] = services.Service(("true",), ("sh", "-c", load))"""
    edit = r"""lambda text: text + "\nadd table inet fails # fails here\n" """
    told = at(lab, f"""apply(step("gateway", {NFT!r}, {edit}, "nftables"))""", setup)
    assert told["error"] == "host"
    assert "taking it up: sh ended with code 1" in told["message"]
    assert lab.exec("gateway", "nft", "list", "ruleset") == before
    assert unchanged(lab, "gateway", NFT) == seen


def test_an_exim_that_cannot_listen_is_put_back_and_listens_again(lab: Lab) -> None:
    """An address of nobody's passes Exim's check and cannot be bound: with the old file it serves a slice."""
    seen = unchanged(lab, "relay1", EXIM)
    edit = 'lambda text: "local_interfaces = 203.0.113.7\\n" + text'
    told = at(lab, f"""apply(step("relay1", {EXIM!r}, {edit}, "exim"))""")
    assert told["error"] == "host"
    assert "Exim did not come back" in told["message"]
    assert unchanged(lab, "relay1", EXIM) == seen
    lab.send("user@accept.example", server=lab.inside("lb1"))
    ear = lab.exec("relay1", "sh", "-c", "grep -c ':0019 .* 0A ' /proc/net/tcp")
    assert ear == "1\n"


def test_changed_since_it_was_planned(lab: Lab) -> None:
    lab.exec("relay2", "sh", "-c", "echo old > /etc/eymail-test")
    setup = """planned = step("relay2", "/etc/eymail-test", lambda text: "new\\n", "")
env.host("relay2").run(["sh", "-c", "echo mine > /etc/eymail-test"])"""
    told = at(lab, "apply(planned)", setup)
    assert told["error"] == "stale-plan"
    assert "/etc/eymail-test on relay2 is no longer as it was" in told["message"]
    assert lab.exec("relay2", "cat", "/etc/eymail-test") == "mine\n"
    gone = at(lab, """apply(step("relay2", "/etc/eymail-test", lambda text: None, ""))""")
    assert lab.exec("relay2", "ls", "/etc/eymail-test", check=False) == ""
    assert lab.eymail("undo", str(gone["id"])).returncode == 0
    assert lab.exec("relay2", "cat", "/etc/eymail-test") == "mine\n"
    lab.exec("relay2", "rm", "/etc/eymail-test")


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.15])
def test_the_administrator_dies_in_the_act_and_the_host_ends_it(lab: Lab, seconds: float) -> None:
    """SIGKILL of eymail while relay1 is at work: the act goes on there, whole; undo finds it done, or not."""
    setup = f"""
import os, signal, threading
from eymail.hosts.ssh import SshHost
real = SshHost.run
def run(self, argv, **options):
    if b'"put"' in options.get("input", b""):
        threading.Timer({seconds}, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    return real(self, argv, **options)
SshHost.run = run
"""
    before = lab.exec("relay1", "sha256sum", EXIM)
    edit = "lambda text: text + '# changed\\n'"
    new = """step("relay1", "/etc/exim4/new", lambda text: "1\\n", "")"""
    at(lab, f"""apply({new}, step("relay1", {EXIM!r}, {edit}, "exim"))""", setup, -signal.SIGKILL)
    busy = "flock -n /etc/exim4 true && ! ls /etc/exim4/.eymail-* >/dev/null 2>&1 && echo free; true"
    lab.wait("the act's end", lambda: lab.exec("relay1", "sh", "-c", busy) == "free\n")
    made = (
        lab.exec("relay1", "sha256sum", EXIM) != before,
        "new\n" in lab.exec("relay1", "ls", "/etc/exim4"),
    )
    assert made in ((True, True), (False, False)), "all files or none"
    newest = lab.json("history", "--limit", "1")["data"]["entries"][0]
    assert (newest["state"], newest["done"]) == ("running", 0)
    undone = lab.eymail("undo", str(newest["id"]), "--yes")
    assert undone.returncode == (0 if made[0] else 5), undone.stderr
    assert lab.exec("relay1", "sha256sum", EXIM) == before
    assert "new" not in lab.exec("relay1", "ls", "/etc/exim4").split()
