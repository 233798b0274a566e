"""One lab for the whole run, under a name of its own; every test asks its real daemons."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eymail.lab import podman, state

EYMAIL = str(Path(sys.executable).parent / "eymail")
SENDER = "app@example.com"


class Lab:
    """A lab that is up, and the ways to use it from a test."""

    def __init__(self, name: str) -> None:
        self.name = name
        told = self.command("status", "--json")
        self.hosts = {host["name"]: host for host in json.loads(told.stdout)["data"]["hosts"]}

    def command(self, verb: str, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """``eymail lab VERB --name ... ARGS`` as a process; ``input`` is text."""
        argv = [EYMAIL, "lab", verb, "--name", self.name, *args]
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, **options)

    def exec(self, host: str, *argv: str, check: bool = True, **options: Any) -> str:
        """Standard output of a command inside a host."""
        done = self.command("exec", host, "--", *argv, **options)
        assert not check or done.returncode == 0, f"{argv}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout

    def podman(self, verb: str, host: str) -> None:
        """A power cut, or its end: ``kill`` or ``start`` of a host."""
        podman.find().run(verb, f"eymail-{self.name}-{host}")

    @contextmanager
    def hanging(self, host: str) -> Iterator[None]:
        """A host that stands still: its kernel answers, none of its programs does.

        Not by ``podman pause``, which rootless needs cgroups of version 2.
        """
        self.exec(host, "sh", "-c", "kill -STOP -1")
        try:
            yield
        finally:
            self.exec(host, "sh", "-c", "kill -CONT -1")

    def in_network(self, host: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """A command in a host's network with more rights than the host's own root has."""
        engine, container = podman.find(), f"eymail-{self.name}-{host}"
        words = engine.inside_network_of(podman.pids(engine, [container])[container])
        return subprocess.run([*words, *argv], capture_output=True, text=True, timeout=60, check=False)

    @property
    def folder(self) -> Path:
        """Where the lab keeps its files."""
        return state.state(self.name).folder

    def run(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """A command of the administrator outside."""
        return self.command("run", "--", *argv, **options)

    def reaches(self, address: str, port: int) -> bool:
        """Does a TCP connection come about from the administrator's place, within a second?"""
        program = f"import socket; socket.create_connection(({address!r}, {port}), 1)"
        return self.run(sys.executable, "-c", program).returncode == 0

    def eymail(self, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """eymail as the administrator outside runs it."""
        return self.run("eymail", *args, **options)

    def json(self, *args: str, **options: Any) -> Any:
        """The envelope of ``eymail ARGS --json``."""
        done = self.eymail(*args, "--json", **options)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def inside(self, host: str) -> str:
        """A host's inner address."""
        return str(self.hosts[host]["inside"])

    def outside(self, last: int) -> str:
        """An address of the outside network by its last number."""
        return str(self.hosts["workstation"]["outside"]).rsplit(".", 1)[0] + f".{last}"

    def send(
        self, recipient: str, *, host: str = "slice1", server: str = "smtp", sender: str = SENDER,
        subject: str = "test", check: bool = True,
    ) -> str:  # fmt: skip
        """One message by swaks from a host of the lab; the dialogue."""
        mail = ("--server", server, "--from", sender, "--to", recipient, "--header", f"Subject: {subject}")
        return self.exec(host, "swaks", *mail, check=check)

    def seen(self, mx: str) -> list[dict[str, Any]]:
        """What a remote host recorded: peer, helo, tls, sender, recipients, answer, data."""
        text = self.exec(mx, "sh", "-c", "cat /var/lib/standin/messages.jsonl 2>/dev/null; true")
        return [json.loads(line) for line in text.splitlines()]

    def queued(self, host: str) -> int:
        """What Exim itself counts in its queue."""
        return int(self.exec(host, "exim4", "-bpc"))

    def empty_queues(self) -> None:
        """Remove every message from every queue, waiting for those that are being delivered."""
        purge = "exiqgrep -i -r . | xargs -r exim4 -Mrm >/dev/null 2>&1; exim4 -bpc"
        for host in ("relay1", "relay2", "deferred1", "mail1"):
            self.wait(f"{host} is empty", lambda host=host: self.exec(host, "sh", "-c", purge) == "0\n", 60)

    def mailbox(self, address: str) -> list[dict[str, str]]:
        """The headers of every message in a mailbox, as Dovecot has them, names in lower case."""
        out = self.exec("mail1", "doveadm", "-f", "json", "fetch", "-u", address, "hdr", "all", check=False)
        return [_headers(message["hdr"]) for message in (json.loads(out) if out.strip() else [])]

    def wait(self, what: str, found: Callable[[], Any], seconds: float = 30) -> Any:
        """Ask until there is an answer; fail with what was missing."""
        deadline = time.monotonic() + seconds
        while not (answer := found()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(0.1)
        return answer


def interruptible() -> None:
    """For a child that is to be interrupted: a background job of a shell starts with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _headers(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line and not line[0].isspace())
    return {name.lower(): value.strip() for name, _, value in pairs}


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A whole cluster, taken down at the end."""
    name = f"test-{os.getpid()}"
    up = subprocess.run([EYMAIL, "lab", "up", "--name", name], capture_output=True, text=True, check=False)
    assert up.returncode == 0, up.stderr
    try:
        yield Lab(name)
    finally:
        subprocess.run([EYMAIL, "lab", "down", "--name", name], capture_output=True, check=True)
