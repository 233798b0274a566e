"""A host by SSH: commands, files and connections on relay1, by way of the gateway."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import pytest

from tests.lab.conftest import Lab

PROGRAM = """
import json, sys
from eymail.errors import EymailError
from eymail.hosts.ssh import SshHost
config, target, call = json.loads(sys.stdin.readline())
host = SshHost(target, target, config_file=config, timeout=5)
try:
    print(json.dumps(eval(call, {"host": host, "text": lambda b: b.decode()})))
except EymailError as error:
    print(json.dumps({"error": type(error).__name__, "message": error.message, "hint": error.hint}))
finally:
    host.close()
"""


def at(lab: Lab, call: str, target: str = "relay1") -> Any:
    """What a call on a host gives, made from the administrator's place."""
    asked = json.dumps([str(lab.folder / "ssh_config"), target, call])
    done = lab.run(sys.executable, "-c", PROGRAM, input=asked + "\n")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_command_gets_its_words_and_its_input_as_they_are(lab: Lab) -> None:
    """workstation -> gateway -> relay1: no word is ever shell text."""
    words = ["python3", "-c", "import sys; print(sys.argv[1:], sys.stdin.read())", "a b", "$(id)", "'", "*"]
    assert at(lab, f"text(host.run({words!r}, input=b'in').stdout)") == "['a b', '$(id)', \"'\", '*'] in\n"


def test_a_command_that_fails_says_why(lab: Lab) -> None:
    told = at(lab, "host.run(['cat', '/nonexistent'])")
    assert told["error"] == "HostError"
    assert "relay1" in told["message"]
    assert "No such file" in told["message"]


def test_a_command_that_never_ends_costs_its_timeout(lab: Lab) -> None:
    started = time.monotonic()
    told = at(lab, "host.run(['sleep', '60'], timeout=1)")
    assert told["error"] == "HostError"
    assert time.monotonic() - started < 15


def test_a_file_is_written_whole_and_only_over_what_was_read(lab: Lab) -> None:
    """Write, read back, refuse a stale write, find nothing beside the file."""
    path = "/root/eymail-test/file"
    lab.exec("relay1", "mkdir", "-p", "/root/eymail-test")
    assert at(lab, f"host.write({path!r}, b'one', before=None, mode=0o640)") is None
    assert at(lab, f"text(host.read({path!r}))") == "one"
    assert at(lab, f"host.write({path!r}, b'two', before=b'other')")["error"] == "StalePlan"
    assert at(lab, f"host.write({path!r}, b'two', before=None)")["error"] == "StalePlan"
    assert at(lab, f"host.write({path!r}, b'two', before=b'one', mode=0o640)") is None
    assert lab.exec("relay1", "cat", path) == "two"
    assert lab.exec("relay1", "stat", "-c", "%a", path) == "640\n"
    assert lab.exec("relay1", "ls", "-A", "/root/eymail-test") == "file\n"
    assert at(lab, "host.read('/nonexistent')")["error"] == "NotFound"


def test_a_slice_connects_onward(lab: Lab) -> None:
    """workstation -> slice1 -> mail1's IMAP, as a channel: the greeting."""
    call = f"text(host.connect({lab.inside('mail1')!r}, 143, 5).recv(4))"
    assert at(lab, call, "slice1") == "* OK"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nobody@relay1", "refuses every key"),
        ("198.18.255.254", "198.18.255.254"),
        ("-oProxyCommand=id", "is not an SSH target"),
        ("relay1 id", "is not an SSH target"),
    ],
)
def test_a_target_that_cannot_be_reached_is_named(lab: Lab, target: str, words: str) -> None:
    told = at(lab, "host.run(['true'])", target)
    assert words in told["message"]
    assert told["message"].count("\n") == 0
