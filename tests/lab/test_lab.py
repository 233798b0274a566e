"""The lab itself: it comes up once, tells the truth, hands commands on, and leaves nothing."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eymail.lab import podman, state
from tests.lab.conftest import EYMAIL, Lab, interruptible

SECOND = f"second-{os.getpid()}"


def eymail(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([EYMAIL, *args], capture_output=True, text=True, timeout=300, check=False)


def left_of(name: str) -> list[str]:
    """Containers, networks and files of a lab, as podman and the file system have them."""
    engine = podman.find()
    label = f"label=eymail.lab={name}"
    containers = engine.run("ps", "--all", "--filter", label, "--format", "{{.Names}}").split()
    networks = engine.run("network", "ls", "--quiet", "--filter", label).split()
    folder = state.state(name).folder
    return [*containers, *networks, *([str(folder)] if folder.exists() else [])]


@pytest.fixture
def second() -> Iterator[str]:
    """The name of another lab, taken down whatever becomes of it."""
    yield SECOND
    eymail("lab", "down", "--name", SECOND)


def test_a_lab_that_is_up_is_said_to_be(lab: Lab) -> None:
    """Up again: nothing is started anew, and the user is told."""
    engine = podman.find()
    before = podman.pids(engine, [f"eymail-{lab.name}-{host}" for host in lab.hosts])
    done = lab.command("up")
    assert done.returncode == 0
    assert "is up already" in done.stderr
    assert podman.pids(engine, list(before)) == before


def test_every_host_is_ready(lab: Lab) -> None:
    """Status as JSON: all 19 run; those with services answer, those without are not said to."""
    hosts = json.loads(lab.command("status", "--json").stdout)["data"]["hosts"]
    assert len(hosts) == 19
    assert {host["state"] for host in hosts} == {"running"}
    assert {host["name"] for host in hosts if host["ready"] != "yes"} == {"workstation", "mx-refuse"}


def test_status_names_a_host_that_fails_and_a_start_keeps_its_disk(lab: Lab) -> None:
    """relay2 loses power: status says so with exit code 3; it comes back as it was, its file still there."""
    lab.exec("relay2", "touch", "/var/spool/exim4/kept")
    lab.exec("relay2", "sh", "-c", "echo '# by hand' >> /etc/exim4/exim4.conf")
    lab.podman("kill", "relay2")
    try:
        status = lab.command("status")
        assert status.returncode == 3
        assert "relay2\t" + lab.inside("relay2") + "\t\texited\tno" in status.stdout
        assert "relay1\t" + lab.inside("relay1") + "\t\trunning\tyes" in status.stdout
    finally:
        lab.podman("start", "relay2")
    lab.wait("relay2 is back", lambda: lab.command("status").returncode == 0)
    assert lab.exec("relay2", "rm", "-v", "/var/spool/exim4/kept").startswith("removed")
    assert "# by hand" in lab.exec("relay2", "tail", "-1", "/etc/exim4/exim4.conf")
    lab.exec("relay2", "sed", "-i", "$d", "/etc/exim4/exim4.conf")


def test_without_the_gateway_services_are_not_checked(lab: Lab) -> None:
    """The gateway loses power: what can't be asked from there is called neither ready nor unready."""
    lab.podman("kill", "gateway")
    try:
        status = lab.command("status", "--json")
    finally:
        lab.podman("start", "gateway")
    assert status.returncode == 3
    hosts = json.loads(status.stdout)["data"]["hosts"]
    assert {host["ready"] for host in hosts} == {"not checked"}
    assert {host["name"] for host in hosts if host["state"] != "running"} == {"gateway"}
    lab.wait("the gateway is back", lambda: lab.command("status").returncode == 0)
    lab.send("you@accept.example", subject="through the gateway again")
    lab.wait("it translates addresses again", lambda: _subject_seen(lab, "through the gateway again"))


@pytest.mark.parametrize("code", [0, 1, 7, 42])
def test_exit_codes_are_handed_on(lab: Lab, code: int) -> None:
    """A command in a host, and one of the administrator's, end with their own code."""
    assert lab.command("exec", "slice1", "--", "sh", "-c", f"exit {code}").returncode == code
    assert lab.run("sh", "-c", f"exit {code}").returncode == code


def test_input_and_output_are_handed_on(lab: Lab) -> None:
    """stdin to stdout through a host, and through the administrator's place; bytes stay as they are."""
    text = "äöü\n" * 2000
    assert lab.command("exec", "mail1", "--", "cat", input=text).stdout == text
    assert lab.run("cat", input=text).stdout == text


def test_words_are_no_shell(lab: Lab) -> None:
    """Arguments arrive as they were given, whatever a shell would make of them."""
    words = ["a b", "$(id)", "'", "*", "--help", "-x"]
    assert lab.exec("slice1", "printf", "%s|", *words) == "|".join(words) + "|"
    assert lab.run("printf", "%s|", *words).stdout == "|".join(words) + "|"


def test_signals_are_handed_on(lab: Lab) -> None:
    """SIGTERM to `eymail lab run` is SIGTERM to the command."""
    argv = [EYMAIL, "lab", "run", "--name", lab.name, "--", "sh", "-c"]
    program = "trap 'echo ended; exit 9' TERM; echo ready; while :; do sleep 0.1; done"
    process = subprocess.Popen([*argv, program], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.communicate(timeout=10)[0] == "ended\n"
    assert process.returncode == 9


def test_the_administrator_has_own_files_and_the_labs_network(lab: Lab, tmp_path: Path) -> None:
    """`lab run`: a file of this machine, the workstation's address, the lab's resolver, the lab's eymail."""
    mine = tmp_path / "mine"
    mine.write_text("here")
    assert lab.run("cat", str(mine)).stdout == "here"
    assert lab.outside(100) in lab.run("cat", "/proc/net/fib_trie").stdout
    assert f"nameserver {lab.outside(53)}" in lab.run("cat", "/etc/resolv.conf").stdout
    assert lab.run("sh", "-c", "command -v eymail").stdout.strip() == EYMAIL
    assert f"nameserver {lab.outside(53)}" not in Path("/etc/resolv.conf").read_text()


def test_env_is_for_a_shell(lab: Lab) -> None:
    """eval "$(eymail lab env)": the configuration is the lab's, and this eymail is found."""
    out = lab.command("env").stdout
    shell = f'eval {shlex.quote(out)}; echo "$EYMAIL_CONFIG"; command -v eymail'
    told = subprocess.run(["sh", "-c", shell], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert told.stdout.splitlines() == [str(lab.folder / "eymail.toml"), EYMAIL]


def test_the_administrator_logs_in_by_way_of_the_gateway(lab: Lab) -> None:
    """workstation -> ssh to the gateway -> relay1, with the host keys that the lab made known."""
    config = str(lab.folder / "ssh_config")
    for host in ("gateway", "lb1", "relay1", "deferred1", "mail1"):
        done = lab.run("ssh", "-F", config, host, "hostname; whoami")
        assert done.stdout.split() == [host, "root"], done.stderr
    assert lab.run("ssh", "-F", config, "slice1", "whoami").stdout == "deploy\n"


def test_the_resolver_knows_the_whole_internet_of_the_lab(lab: Lab) -> None:
    """slice1 -> gateway -> resolver -> root -> both name servers: names, PTRs, NXDOMAIN, SERVFAIL."""
    at = f"@{lab.outside(53)}"
    for name, kind, wanted in (
        ("smtp.ey04.engineyard.com", "A", lab.inside("lb1")),
        ("people.example", "MX", "10 mx1.emailsrvr.com."),
        ("any.name.example.com", "MX", "10 mx.ey04.engineyard.com."),
    ):
        out = lab.exec("slice1", "kdig", "+short", at, name, kind)
        assert wanted in out.splitlines()
    pointer = lab.exec("slice1", "kdig", "+short", at, "-x", lab.outside(10))
    assert pointer == "out.ey04.engineyard.com.\n"
    for name, answer in (("nosuch.invalid", "NXDOMAIN"), ("servfail.example", "SERVFAIL")):
        assert f"status: {answer}" in lab.exec("slice1", "kdig", at, name, "MX")
    for server in (54, 55):
        out = lab.exec("slice1", "kdig", f"@{lab.outside(server)}", "example.com", "MX")
        assert "flags: qr aa" in out.lower()


def test_two_labs_side_by_side(lab: Lab, second: str) -> None:
    """A second lab has other subnets and its own mail; taken down, it leaves nothing but the first."""
    up = eymail("lab", "up", "--name", second, "--json")
    assert up.returncode == 0, up.stderr
    hosts = {host["name"]: host for host in json.loads(up.stdout)["data"]["hosts"]}
    assert hosts["relay1"]["inside"] != lab.inside("relay1")
    other = Lab(second)
    other.send("you@accept.example", subject="in the second lab")
    other.wait("it arrived there", lambda: _subject_seen(other, "in the second lab"))
    assert not _subject_seen(lab, "in the second lab")
    assert left_of(second)
    down = eymail("lab", "down", "--name", second)
    assert down.returncode == 0
    assert left_of(second) == []
    assert lab.command("status").returncode == 0


def test_the_daemons_of_trixie_start(second: str) -> None:
    """Another release of Debian: its image is built, every service answers, a relay delivers.

    slice1 -> smtp -> relay (Exim 4.98) -> mailtrust, whose Dovecot 2.4 stores the message.
    """
    up = eymail("lab", "up", "--name", second, "--release", "trixie")
    assert up.returncode == 0, up.stderr
    assert "Dovecot" in up.stderr, "what is not as rendered is said"
    trixie = Lab(second)
    assert trixie.exec("relay1", "cat", "/etc/debian_version").startswith("13")
    trixie.send("you@people.example", subject="on trixie")
    fetch = ("doveadm", "fetch", "-u", "you@people.example", "hdr.subject", "all")
    stored = trixie.wait("it is stored", lambda: trixie.exec("mailtrust", *fetch, check=False))
    assert "on trixie" in stored


def _subject_seen(lab: Lab, subject: str) -> bool:
    return any(f"Subject: {subject}" in message["data"] for message in lab.seen("mx-accept"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_up_leaves_nothing(lab: Lab, second: str, how: signal.Signals) -> None:
    """The signal comes when some hosts run and others don't yet."""
    process = subprocess.Popen(
        [EYMAIL, "lab", "up", "--name", second],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    _wait_for_first_host(second)
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == "eymail: interrupted"
    assert left_of(second) == []


def test_anothers_lab_of_the_same_name_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    """The same name with another state folder: refused, and the lab that runs is whole."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    argv = [EYMAIL, "lab", "up", "--name", lab.name]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert f"a lab called {lab.name} is running already" in done.stderr
    assert lab.command("status").returncode == 0


def test_a_second_up_at_the_same_time_is_refused(lab: Lab, second: str) -> None:
    """Two starts of one lab at once: the first goes on, the other is told to wait."""
    first = subprocess.Popen([EYMAIL, "lab", "up", "--name", second], stdout=subprocess.DEVNULL)
    _wait_for_first_host(second)
    other = eymail("lab", "up", "--name", second)
    assert other.returncode == 1
    assert "being started or stopped" in other.stderr
    assert first.wait(120) == 0
    assert eymail("lab", "status", "--name", second).returncode == 0


def _wait_for_first_host(name: str) -> None:
    deadline = time.monotonic() + 60
    while not any(part.startswith(f"eymail-{name}-ns") for part in left_of(name)):
        assert time.monotonic() < deadline, "no host came up"


@pytest.mark.parametrize("verb", [["status"], ["env"], ["run", "true"], ["exec", "relay1", "true"]])
def test_a_lab_that_is_not_up(verb: list[str]) -> None:
    """One sentence, and how to bring it up; nothing is made by asking."""
    done = eymail("lab", verb[0], "--name", "nosuch", *verb[1:])
    assert done.returncode == 1
    assert done.stderr == "eymail: lab nosuch is not up\n  eymail lab up --name nosuch\n"
    assert left_of("nosuch") == []


def test_taking_down_what_is_not_there() -> None:
    """No error: the state that was asked for is the state that there is."""
    done = eymail("lab", "down", "--name", "nosuch")
    assert done.returncode == 0
    assert "nothing to remove" in done.stderr
    assert left_of("nosuch") == []


@pytest.mark.parametrize("name", ["", "a b", "../x", "A", "-a", "x" * 33])
def test_a_bad_name_is_refused(name: str) -> None:
    """A lab's name becomes part of paths and of podman's names."""
    assert eymail("lab", "up", f"--name={name}").returncode == 2


def test_unknown_hosts_and_commands(lab: Lab) -> None:
    """The nearest host that there is comes with the refusal; a missing command ends as in a shell."""
    done = lab.command("exec", "relay3", "--", "true")
    assert done.returncode == 1
    assert "no host 'relay3'" in done.stderr
    assert "did you mean relay" in done.stderr
    assert lab.run("/nonexistent/program").returncode == 127
