"""Tunnels: the cluster's mail from outside through a slice, and one sentence for each thing that is wrong."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import EYMAIL, Lab, interruptible

USER = "tunnel@example.com"


@pytest.fixture(scope="module")
def password(lab: Lab) -> str:
    """A mailbox with one message; its password."""
    told = lab.json("mailbox", "add", USER)
    lab.send(USER, sender=USER, subject="read me through a tunnel")
    lab.wait("the message is there", lambda: lab.mailbox(USER))
    return str(told["data"]["secrets"][0]["value"])


def checks(lab: Lab, *args: str, input: str = "") -> tuple[int, dict[str, dict[str, str]]]:
    """``eymail tunnel ... --test``: its exit code, and the checks by name."""
    done = lab.eymail("tunnel", *args, "--test", "--json", input=input)
    told = json.loads(done.stdout)
    return done.returncode, {check["name"]: check for check in told["data"]["checks"]}


def test_imap_through_a_slice_passes_every_check(lab: Lab, password: str) -> None:
    """workstation -> ssh to slice1 -> mail1, port 143: greeting, TLS that verifies, login, newest message."""
    code, found = checks(lab, "imap", "slice1", "--user", USER, "--password-stdin", input=password + "\n")
    assert code == 0
    assert {check["status"] for check in found.values()} == {"ok"}
    assert "certificate for mail1.ey04.engineyard.com" in found["tls"]["detail"]
    assert "1 messages" in found["inbox"]["detail"]
    assert "read me through a tunnel" in found["inbox"]["detail"]
    flags = lab.exec("mail1", "doveadm", "fetch", "-u", USER, "flags", "all")
    assert "Seen" not in flags, "nothing in the mailbox was changed"


def test_pop3_and_smtp_through_a_slice(lab: Lab, password: str) -> None:
    """POP3 at mail1, and the name smtp, whose relays offer no TLS inside: that is said, not passed."""
    code, found = checks(lab, "pop3", "slice2", "--user", USER, "--password-stdin", input=password + "\n")
    assert code == 0
    assert found["inbox"]["detail"].startswith("1 messages")
    code, found = checks(lab, "smtp", "slice1")
    assert code == 0
    assert found["noop"]["status"] == "ok"
    assert found["tls"] == {
        "name": "tls", "status": "not checked", "detail": "STARTTLS is not offered", "hint": ""
    }  # fmt: skip


def test_without_a_user_the_login_is_not_checked(lab: Lab) -> None:
    """What was not tried does not look passed."""
    code, found = checks(lab, "imap", "slice1")
    assert code == 0
    assert found["tls"]["status"] == "ok"
    for name in ("login", "folders", "inbox"):
        assert found[name]["status"] == "not checked"


def test_a_wrong_password(lab: Lab, password: str) -> None:
    """The login fails with exit code 3, the rest is not checked, the password is nowhere."""
    done = lab.eymail(
        "tunnel", "imap", "slice1", "--test", "--user", USER, "--password-stdin", input="wr0ng!\n"
    )
    assert done.returncode == 3
    assert re.search(r"(?m)^login\tfailed\tlogin as tunnel@example.com was refused", done.stdout)
    assert re.search(r"(?m)^inbox\tnot checked\tlogin failed", done.stdout)
    assert "wr0ng" not in done.stdout + done.stderr


def test_a_certificate_that_does_not_verify(lab: Lab, tmp_path: Path) -> None:
    """Without the lab's authority in the configuration, TLS fails and nobody logs in."""
    config = tmp_path / "eymail.toml"
    text = (lab.folder / "eymail.toml").read_text()
    config.write_text(re.sub(r"ca_file = .*", 'ca_file = ""', text))
    code, found = checks(lab, "imap", "slice1", "--config", str(config), "--user", USER, "--password-stdin")
    assert code == 3
    assert "certificate does not verify" in found["tls"]["detail"]
    assert found["login"]["status"] == "not checked"


def test_a_slice_that_stands_still(lab: Lab) -> None:
    """slice1's kernel takes the connection, its sshd says nothing: failed at ssh, within the deadline."""
    started = time.monotonic()
    with lab.hanging("slice1"):
        code, found = checks(lab, "imap", "slice1")
    assert time.monotonic() - started < 25
    assert code == 3
    assert found["ssh"]["status"] == "failed"
    assert "no SSH banner came in time" in found["ssh"]["detail"]
    assert {check["status"] for name, check in found.items() if name != "ssh"} == {"not checked"}


def test_a_mail_host_that_stands_still(lab: Lab) -> None:
    """slice1 reaches mail1, whose kernel takes the connection, but Dovecot says nothing: no greeting."""
    with lab.hanging("mail1"):
        code, found = checks(lab, "imap", "slice1")
    assert code == 3
    assert [found[name]["status"] for name in ("ssh", "tcp", "greeting", "login")] == [
        "ok", "ok", "failed", "not checked"
    ]  # fmt: skip
    assert "no answer" in found["greeting"]["detail"]


GREETING = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20) as client:
    print(client.recv(4).decode())
"""


def test_a_tunnel_outlives_its_slices_power_cut(lab: Lab, tunnel: tuple[subprocess.Popen[str], int]) -> None:
    """slice1 goes without a word and comes back; the next connection through the same port is greeted."""
    port = str(tunnel[1])
    assert lab.run(sys.executable, "-c", GREETING, port).stdout == "* OK\n"
    lab.podman("kill", "slice1")
    lab.podman("start", "slice1")
    lab.wait(
        "the tunnel works again", lambda: lab.run(sys.executable, "-c", GREETING, port).stdout == "* OK\n"
    )


@pytest.fixture
def tunnel(lab: Lab) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """An open tunnel to IMAP, and its port."""
    argv = [EYMAIL, "lab", "run", "--name", lab.name, "--", "eymail", "tunnel", "imap", "slice1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, preexec_fn=interruptible) as process:
        assert process.stdout
        host, port = process.stdout.readline().split("\t")
        assert host == "127.0.0.1"
        yield process, int(port)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr
        assert "Traceback" not in process.stderr.read()


CLIENT = """
import imaplib, ssl, sys
user, password, port, authority = sys.stdin.read().splitlines()
context = ssl.create_default_context(cafile=authority)
context.check_hostname = False
connections = [imaplib.IMAP4("127.0.0.1", int(port)) for _ in range(20)]
for imap in connections:
    imap.starttls(context)
    imap.login(user, password)
imap = connections[-1]
imap.append("INBOX", None, None, b"Subject: big\\r\\n\\r\\n" + b"x" * 5_000_000)
imap.select("INBOX")
print(len(imap.fetch("2", "(RFC822)")[1][0][1]))
print(imap.store("2", "+FLAGS", "(\\\\Deleted)")[0], imap.expunge()[0])
for imap in connections:
    imap.logout()
"""


def test_an_ordinary_client_works_through_it(
    lab: Lab, password: str, tunnel: tuple[subprocess.Popen[str], int]
) -> None:
    """workstation's client -> the tunnel's port -> slice1 -> mail1: 20 connections, 5 MB up and down."""
    lines = (USER, password, str(tunnel[1]), str(lab.folder / "ca.pem"))
    done = lab.run(sys.executable, "-c", CLIENT, input="\n".join(lines) + "\n")
    assert done.stdout == "5000016\nOK OK\n", done.stderr


def test_it_listens_on_loopback_only(lab: Lab, tunnel: tuple[subprocess.Popen[str], int]) -> None:
    """Nobody else on the outside network gets at the port."""
    program = f"import socket; socket.create_connection(({lab.outside(100)!r}, {tunnel[1]}), 1)"
    assert lab.command("exec", "mx-accept", "--", "python3", "-c", program).returncode != 0


def test_a_port_that_is_taken(lab: Lab) -> None:
    """One sentence, and nothing is opened."""
    program = (
        "import socket, subprocess, sys\n"
        "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\n"
        "argv = ['eymail', 'tunnel', 'imap', 'slice1', '--local-port', str(s.getsockname()[1])]\n"
        "sys.exit(subprocess.run(argv).returncode)\n"
    )
    done = lab.run(sys.executable, "-c", program)
    assert done.returncode == 1
    assert re.search(r"local port \d+ cannot be had: Address already in use", done.stderr)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("slice9",), "the name is not known"),
        (("relay1",), "relay1 does not forward to"),
        (("nobody@slice1",), "nobody@"),
        (("-oProxyCommand=touch /tmp/owned",), "No such option"),
    ],
)
def test_a_way_that_does_not_work(lab: Lab, args: tuple[str, ...], sentence: str) -> None:
    """An unknown slice, one that forwards nothing, a wrong user, an option as a host: one sentence."""
    done = lab.eymail("tunnel", "imap", *args)
    assert done.returncode in (1, 2)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def changed_known_hosts(lab: Lab, folder: Path, change: str) -> str:
    """A configuration whose known_hosts has lost, or has another, key of slice1."""
    known = (lab.folder / "known_hosts").read_text().splitlines()
    other = next(line for line in known if line.startswith("slice2")).partition(" ")[2]
    lines = [line for line in known if not line.startswith("slice1")]
    lines += [f"slice1.ey04.engineyard.com {other}"] if change == "changed" else []
    (folder / "known_hosts").write_text("\n".join(["garbage", "@cert-authority", *lines]) + "\n")
    ssh_config = (lab.folder / "ssh_config").read_text()
    ssh_config = ssh_config.replace(str(lab.folder / "known_hosts"), str(folder / "known_hosts"))
    (folder / "ssh_config").write_text(ssh_config)
    config = (lab.folder / "eymail.toml").read_text()
    config = config.replace(str(lab.folder / "ssh_config"), str(folder / "ssh_config"))
    (folder / "eymail.toml").write_text(config)
    return str(folder / "eymail.toml")


@pytest.mark.parametrize("change", ["unknown", "changed"])
def test_a_host_key_that_is_not_the_known_one(lab: Lab, tmp_path: Path, change: str) -> None:
    """Refused before anything is sent, with the fingerprint: both of them when the key has changed."""
    config = changed_known_hosts(lab, tmp_path, change)
    done = lab.eymail("tunnel", "imap", "slice1", "--config", config, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["errors"][0]["code"] == "host-key"
    words = told["errors"][0]["message"] + told["errors"][0]["hint"]
    assert len(set(re.findall(r"SHA256:[A-Za-z0-9+/]{43}", words))) == (2 if change == "changed" else 1), (
        words
    )
