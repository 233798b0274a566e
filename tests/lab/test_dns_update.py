"""DNS records changed by plan at the lab's primary (Knot), seen at both name servers and the resolver."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import EYMAIL, Lab

ZONE = "ey04.engineyard.com"
NAME = f"change.{ZONE}"

_PROGRAM = """
import json, sys
from eymail.dns import rows
from eymail.env import Env
from eymail.errors import EymailError
from eymail.ops import change
from eymail.plan import Plan

ZONE, NAME = "ey04.engineyard.com", "change.ey04.engineyard.com"
env = Env()

def step(name, kind, before, after, zone=ZONE):
    row = lambda records: None if records is None else rows.row(kind, 300, records)
    return rows.step(zone, name, kind, row(before), row(after))

def apply(*steps, **options):
    return change.apply(env, Plan("change of DNS", steps, **options)).id

try:
    answer = (lambda: CALL)()
except EymailError as error:
    answer = {"error": error.code, "message": error.message, "hint": error.hint, "exit": error.exit_code}
env.close()
print(json.dumps(answer))
"""


def at(lab: Lab, call: str, setup: str = "", **options: Any) -> Any:
    """What an expression gives in the administrator's place, or the error that it ends with."""
    program = _PROGRAM.replace("try:", f"{setup}\ntry:", 1).replace("CALL", call)
    done = lab.run(sys.executable, "-c", program, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def records(lab: Lab, name: str, kind: str, server: str = "ns1") -> list[str]:
    """What a server says, asked by another program."""
    address = lab.hosts[server]["outside"]
    return sorted(lab.exec("workstation", "kdig", f"@{address}", name, kind, "+short").splitlines())


def everywhere(lab: Lab, name: str, kind: str, wanted: list[str]) -> None:
    """The primary has it at once, the secondary when it was notified, the resolver asks either."""
    assert records(lab, name, kind) == wanted
    for server in ("ns2", "resolver"):
        lab.wait(
            f"{wanted} at {server}", lambda server=server: records(lab, name, kind, server) == wanted, 10
        )


@pytest.fixture(autouse=True)
def clean(lab: Lab) -> Iterator[None]:
    """Each test ends with no record of its name."""
    yield
    remove = """[apply(step(NAME, kind, ns["records"].splitlines(), None)) for kind in ("TXT", "A")
        for ns in [change.name_server(env).read(ZONE, NAME, kind)] if ns]"""
    at(lab, remove)


def test_add_change_remove_and_undo(lab: Lab) -> None:
    """eymail outside signs a message to ns1; ns1 notifies ns2; unbound asks one of them."""
    made = at(lab, """apply(step(NAME, "TXT", None, ["one"]), step(NAME, "A", None, ["192.0.2.1"]))""")
    everywhere(lab, NAME, "TXT", ['"one"'])
    everywhere(lab, NAME, "A", ["192.0.2.1"])
    changed = at(lab, """apply(step(NAME, "TXT", ["one"], ["two", rows.txt('"; \\\\ ä')]))""")
    everywhere(lab, NAME, "TXT", ['"\\"; \\\\ \\195\\164"', '"two"'])
    gone = at(lab, """apply(step(NAME, "A", ["192.0.2.1"], None))""")
    everywhere(lab, NAME, "A", [])
    refused = lab.json("undo", str(made))
    assert refused["errors"][0]["code"] == "stale-plan"
    assert refused["errors"][0]["hint"].endswith(f"eymail undo {gone}"), "the newer change of the last step"
    for id in (gone, changed, made):
        shown = lab.eymail("undo", str(id))
        assert shown.returncode == 0, shown.stderr
    everywhere(lab, NAME, "TXT", [])
    everywhere(lab, NAME, "A", [])


def test_a_pointer_in_the_clusters_reverse_zone(lab: Lab) -> None:
    """The reverse zone of the outside addresses is the cluster's too."""
    labels = lab.outside(77).split(".")
    name = f"{'.'.join(reversed(labels))}.in-addr.arpa"
    zone = name.partition(".")[2]
    id = at(lab, f"""apply(step({name!r}, "PTR", None, ["out77.{ZONE}"], {zone!r}))""")
    everywhere(lab, name, "PTR", [f"out77.{ZONE}."])
    assert lab.eymail("undo", str(id)).returncode == 0
    everywhere(lab, name, "PTR", [])


@pytest.mark.parametrize("proved", ["pass", "DnsExecutor.prove = lambda *_: None"])
def test_a_stale_plan_changes_nothing(lab: Lab, proved: str) -> None:
    """Found by looking first, and by the server itself where it changes after that look."""
    at(lab, """apply(step(NAME, "TXT", None, ["one"]))""")
    setup = f"from eymail.dns.update import DnsExecutor\n{proved}"
    for before in ('["other"]', "None"):
        call = f"""apply(step(NAME, "A", None, ["192.0.2.1"]), step(NAME, "TXT", {before}, ["two"]))"""
        told = at(lab, call, setup)
        assert (told["error"], told["exit"]) == ("stale-plan", 5)
        assert f"{NAME} TXT" in told["message"]
    gone = at(lab, """apply(step(NAME, "A", ["192.0.2.1"], None))""", setup)
    assert gone["error"] == "stale-plan"
    assert records(lab, NAME, "TXT") == ['"one"']
    assert records(lab, NAME, "A") == []


def test_another_ttl_is_stale_too(lab: Lab) -> None:
    at(lab, """apply(step(NAME, "TXT", None, ["one"]))""")
    call = (
        """apply(rows.step(ZONE, NAME, "TXT", rows.row("TXT", 60, ["one"]), rows.row("TXT", 60, ["two"])))"""
    )
    assert at(lab, call)["error"] == "stale-plan"
    assert records(lab, NAME, "TXT") == ['"one"']


def test_a_name_with_other_records_gets_no_cname(lab: Lab) -> None:
    """Knot would answer NOERROR and leave it out."""
    told = at(lab, f"""apply(step("relay1.{ZONE}", "CNAME", None, ["a.example"]))""")
    assert (told["error"], records(lab, f"relay1.{ZONE}", "CNAME")) == ("stale-plan", [])


@pytest.fixture
def settings(lab: Lab) -> Iterator[Path]:
    """A copy of the administrator's configuration and key, to be spoilt."""
    folder = lab.folder / "spoilt"
    folder.mkdir()
    for name in ("eymail.toml", "tsig.key"):
        (folder / name).touch(0o600)
        (folder / name).write_text((lab.folder / name).read_text().replace(
            str(lab.folder / "tsig.key"), str(folder / "tsig.key")))  # fmt: skip
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def spoilt(lab: Lab, folder: Path, old: str, new: str, file: str = "tsig.key") -> Any:
    path = folder / file
    path.write_text(path.read_text().replace(old, new))
    return at(
        lab, """apply(step(NAME, "TXT", None, ["one"]))""", f"env = Env({str(folder / 'eymail.toml')!r})"
    )


def test_a_key_that_knot_does_not_know(lab: Lab, settings: Path) -> None:
    told = spoilt(lab, settings, 'key "eymail"', 'key "other"')
    assert (told["error"], "does not know the key 'other'" in told["message"]) == ("dns", True), told
    assert records(lab, NAME, "TXT") == []


def test_a_wrong_secret(lab: Lab, settings: Path) -> None:
    told = spoilt(lab, settings, 'secret "', 'secret "AAAA')
    assert (told["error"], "does not accept the signature" in told["message"]) == ("dns", True), told
    assert "secret the one" in told["hint"]
    assert records(lab, NAME, "TXT") == []


def test_the_secondary_changes_nothing(lab: Lab, settings: Path) -> None:
    told = spoilt(
        lab, settings, f'server = "{lab.outside(54)}"', f'server = "{lab.outside(55)}"', "eymail.toml"
    )
    assert told["error"] == "dns"
    assert "does not know the key" in told["message"]
    assert records(lab, NAME, "TXT") == []


def test_a_key_for_everybodys_eyes(lab: Lab, settings: Path) -> None:
    (settings / "tsig.key").chmod(0o644)
    told = spoilt(lab, settings, "x", "x")
    assert (told["error"], "can be read by everybody" in told["message"]) == ("config", True)


@pytest.mark.parametrize("zone", ["example.com", "engineyard.com"])
def test_the_key_has_no_rights_on_others_zones(lab: Lab, zone: str) -> None:
    told = at(lab, f"""apply(step("x.{zone}", "TXT", None, ["one"], {zone!r}))""")
    assert told["error"] == "dns", told
    assert records(lab, f"x.{zone}", "TXT") == []


_WRITER = """[append(sys.argv[1]) for _ in range(5)] and None"""
_APPEND = """
def append(letter):
    from eymail.errors import StalePlan
    primary = change.name_server(env)
    while True:
        before = primary.read(ZONE, NAME, "TXT")
        text = before["records"].strip('"')
        after = rows.row("TXT", 300, [rows.txt(text + letter)])
        try:
            return apply(rows.step(ZONE, NAME, "TXT", before, after))
        except StalePlan:
            pass
"""


def test_two_writers_lose_no_change(lab: Lab) -> None:
    """Each adds its letter to what it read, five times; a plan that is overtaken is made again."""
    at(lab, """apply(step(NAME, "TXT", None, ["-"]))""")
    program = _PROGRAM.replace("try:", f"{_APPEND}\ntry:", 1).replace("CALL", _WRITER)
    argv = [EYMAIL, "lab", "run", "--name", lab.name, "--", sys.executable, "-c", program]
    writers = [subprocess.Popen([*argv, letter], stdout=subprocess.DEVNULL) for letter in "ab"]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    assert sorted(records(lab, NAME, "TXT")[0]) == sorted('"-' + "ab" * 5 + '"')


@pytest.mark.parametrize(("method", "stands"), [("apply", False), ("mark", True)])
def test_killed_in_the_middle(lab: Lab, method: str, stands: bool) -> None:
    """The process dies before the message, or between it and the journal; undo asks ns1 which it was."""
    setup = f"""
import os, signal
from eymail.directory.journal import DirectoryJournal
from eymail.dns.update import DnsExecutor
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
{"DnsExecutor.apply" if method == "apply" else "DirectoryJournal.mark"} = die
"""
    program = _PROGRAM.replace("try:", f"{setup}\ntry:", 1)
    program = program.replace("CALL", """apply(step(NAME, "TXT", None, ["one"]))""")
    assert lab.run(sys.executable, "-c", program).returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
    assert records(lab, NAME, "TXT") == (['"one"'] if stands else [])
    newest = lab.json("history", "--limit", "1")["data"]["entries"][0]
    assert (newest["state"], newest["done"]) == ("running", 0)
    if not stands:
        told = lab.json("undo", str(newest["id"]))
        assert "nothing of change" in told["errors"][0]["message"]
        return
    asked = lab.eymail("undo", str(newest["id"]))
    assert asked.returncode == 5
    assert "nothing may still be making it" in asked.stderr
    assert lab.eymail("undo", str(newest["id"]), "--yes").returncode == 0
    everywhere(lab, NAME, "TXT", [])


_PROXY = """
import socket, threading
from dataclasses import replace
from eymail.config import UpdateSettings

here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
here.bind(("127.0.0.1", 0))
real = env.cluster.update
lost = []

def carry():
    while True:
        packet, peer = here.recvfrom(65535)
        changes = packet[2] >> 3 == 5 and packet[8:10] != bytes(2)
        if (lost and DROP == "all that follows") or (changes and DROP == "the message"):
            continue
        lost.extend([packet] if changes else [])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
            there.settimeout(5)
            there.sendto(packet, (real.server, 53))
            answer = there.recv(65535)
        if not changes:
            here.sendto(answer, peer)

threading.Thread(target=carry, daemon=True).start()
env.__dict__["config"] = replace(env.config, dns=replace(env.config.dns, timeout=1.0))
server = f"127.0.0.1:{here.getsockname()[1]}"
env.__dict__["cluster"] = replace(env.cluster, update=UpdateSettings(server, real.key_file))
"""


def lossy(lab: Lab, drop: str) -> Any:
    """A change by way of a path that loses the message, its answer, or everything from then on."""
    call = """change.apply(env, Plan("lossy", (step(NAME, "TXT", None, ["one"]),))).error.code"""
    call = call if drop == "all that follows" else """apply(step(NAME, "TXT", None, ["one"]))"""
    up = "import subprocess; subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)"
    return at(lab, call, f"{up}\nDROP = {drop!r}\n{_PROXY}")


def test_a_lost_answer(lab: Lab) -> None:
    """Knot has done it and says so when it is asked, with a signature, what stands."""
    assert isinstance(lossy(lab, "the answer"), int)
    everywhere(lab, NAME, "TXT", ['"one"'])


def test_a_lost_message(lab: Lab) -> None:
    told = lossy(lab, "the message")
    assert told["error"] == "dns"
    assert told["message"].endswith("did not answer in time; nothing was changed")
    assert records(lab, NAME, "TXT") == []


def test_a_lost_path_is_doubt_and_undo_settles_it(lab: Lab) -> None:
    """ns1 does it and nothing comes through any more, so nobody knows; when it does again, undo asks."""
    assert lossy(lab, "all that follows") == "in-doubt"
    newest = lab.json("history", "--limit", "1")["data"]["entries"][0]
    assert newest["state"] == "running"
    assert "not known" in newest["error"]
    assert records(lab, NAME, "TXT") == ['"one"']
    assert lab.eymail("undo", str(newest["id"])).returncode == 0
    everywhere(lab, NAME, "TXT", [])


def test_a_power_cut_of_the_primary_keeps_what_was_changed(lab: Lab) -> None:
    """After more changes than Knot's journal keeps one by one."""
    at(lab, """apply(step(NAME, "TXT", None, ["0"]))""")
    at(lab, """[apply(step(NAME, "TXT", [str(one)], [str(one + 1)])) for one in range(25)]""")
    lab.podman("kill", "ns1")
    told = at(lab, """apply(step(NAME, "TXT", ["25"], ["26"]))""")
    assert told["error"] == "dns"
    lab.podman("start", "ns1")
    lab.wait("ns1 answers", lambda: records(lab, ZONE, "NS"), 20)
    everywhere(lab, NAME, "TXT", ['"25"'])
