"""The main job, told and proved on a cluster of its own: `make demo`.

Each command is printed with its real output, and what it should have brought about is
asked of the other end: the mailbox, the outside host, the queue. What is missing ends
the demo with exit code 1. Whatever ends it, the lab is taken down.
"""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from eymail import config
from eymail.config import Cluster

LAB = "demo"
EYMAIL = str(Path(sys.executable).parent / "eymail")
DEAD = ("busy.example", "later.example", "refused.example", "noroute.example", "servfail.example")
CATCHALL = "catchall@example.com"


class Missing(Exception):
    """Something that the demo promised did not happen."""


def say(text: str) -> None:
    print(f"\n# {text}", flush=True)


def shown(argv: list[str], input: str | None = None, code: int = 0) -> str:
    """Run a command, print it and its output, and insist on its exit code."""
    print(f"$ {shlex.join(argv)}", flush=True)
    done = subprocess.run(_real(argv), input=input, capture_output=True, text=True, check=False, timeout=120)
    print(done.stdout + done.stderr, end="", flush=True)
    if done.returncode != code:
        raise Missing(f"exit code {done.returncode} instead of {code}: {shlex.join(argv)}")
    return done.stdout


def quiet(argv: list[str]) -> str:
    """Run a command that asks the other end; its output is not part of the story."""
    done = subprocess.run(_real(argv), capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise Missing(f"exit code {done.returncode}: {shlex.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def _real(argv: list[str]) -> list[str]:
    """The administrator's commands run outside the cluster, ``lab`` ones on this machine."""
    if argv[:2] == ["eymail", "lab"]:
        verb, rest = argv[2], argv[3:]
        return [EYMAIL, "lab", verb, "--name", LAB, *rest]
    return [EYMAIL, "lab", "run", "--name", LAB, "--", *argv]


def inside(host: str, *argv: str) -> list[str]:
    return ["eymail", "lab", "exec", host, "--", *argv]


def wait(what: str, found: Callable[[], bool], seconds: float = 20) -> None:
    """Ask until it is so, or say what is missing."""
    deadline = time.monotonic() + seconds
    while not found():
        if time.monotonic() > deadline:
            raise Missing(what)
        time.sleep(0.1)


def insist(what: str, true: bool) -> None:
    if not true:
        raise Missing(what)


def send(host: str, server: str, sender: str, recipient: str, subject: str) -> None:
    """One message by SMTP from a host of the lab."""
    mail = ["--server", server, "--from", sender, "--to", recipient, "--header", f"Subject: {subject}"]
    shown(inside(host, "swaks", "--silent", "2", *mail))


def delivered(mailbox: str) -> Iterator[tuple[str, str]]:
    """Envelope-To and subject of every message in a mailbox, asked of Dovecot."""
    text = quiet(inside("mail1", "doveadm", "-f", "json", "fetch", "-u", mailbox, "hdr", "all"))
    for message in json.loads(text):
        headers = dict(re.findall(r"(?m)^([\w-]+): *(.*?)\r?$", message["hdr"]))
        yield headers.get("Envelope-to", headers.get("Envelope-To", "")), headers.get("Subject", "")


def seen_from(subject: str) -> list[str]:
    """The client addresses from which the outside MX got messages with this subject."""
    lines = quiet(inside("mx-accept", "sh", "-c", "cat /var/lib/standin/messages.jsonl || true")).splitlines()
    records = [json.loads(line) for line in lines]
    return [record["peer"] for record in records if f"Subject: {subject}" in record.get("data", "")]


def source_address(cluster: Cluster) -> None:
    say("Which address does our mail come from?")
    out = shown(["eymail", "spf", "ey04"])
    insist("the cluster's source address is published", str(cluster.source_address) in out.split())
    seen = json.loads(quiet(["eymail", "spf", "ey04", "--observe", "--json"]))["data"]["observed"]["seen"]
    insist("and the outside sees it", seen == str(cluster.source_address))
    print(f"a message through the cluster was seen to come from {seen}")
    for address, result in ((cluster.source_address, "pass"), ("192.0.2.1", "fail")):
        shown(["eymail", "spf", "example.com", "--ip", str(address), "--expect", result])


def catchalls() -> str:
    """Sets the catchalls up; the made password of the mailbox."""
    say("Every address of example.com, and of its subdomains, to one mailbox")
    shown(["eymail", "mailbox", "add", "real@example.com"])
    out = shown(["eymail", "catchall", "add", "example.com"])
    shown(["eymail", "catchall", "add", "example.com", "--subdomains"])
    shown(["eymail", "route", "noreply@wombat.example.com"])
    rows = [line.split("\t") for line in out.splitlines()]
    return next(row[-1] for row in rows if row[0] == "shown once")


def incoming() -> None:
    say("Mail from outside: whatever the address, it arrives in the catchall; a real mailbox keeps its own")
    recipients = ("wombat@example.com", "incoming@foo.example.com", "noreply@wombat.example.com")
    for recipient in (*recipients, "real@example.com"):
        send("workstation", "mx.ey04.engineyard.com", "someone@accept.example", recipient, f"to {recipient}")
    wait("three messages in the catchall", lambda: len(list(delivered(CATCHALL))) == 3)
    insist("each with the address it was sent to", {to for to, _ in delivered(CATCHALL)} == set(recipients))
    own = [("real@example.com", "to real@example.com")]
    wait("the real mailbox has its own and nothing else", lambda: list(delivered("real@example.com")) == own)
    for mailbox in (CATCHALL, "real@example.com"):
        for envelope_to, subject in sorted(delivered(mailbox)):
            print(f"{mailbox} has: {subject!r}, envelope-to {envelope_to}")


def outgoing(cluster: Cluster) -> None:
    say("A slice's mail leaves by the cluster's source address, a customer's by its own")
    send("slice1", "smtp", "app@example.com", "you@accept.example", "from the cluster")
    send("slice1", "smtp", "shop@customer.example", "you@accept.example", "from the customer")
    expected = {
        "from the cluster": str(cluster.source_address),
        "from the customer": str(cluster.dedicated[0].address),
    }
    for subject, address in expected.items():
        wait(f"the outside MX got the mail {subject}", partial(_arrived, subject))
        insist(f"{subject}: seen from {address}", seen_from(subject) == [address])
        print(f"mx-accept saw {subject!r} come from {address}")


def _arrived(subject: str) -> bool:
    return bool(seen_from(subject))


def dedicated(cluster: Cluster) -> None:
    say("A customer gets a source address of its own: one command, proved from outside, and taken back")
    address = cluster.dedicated[0].address + 1
    out = shown(["eymail", "source", "assign", "example.com", str(address)])
    insist("the outside saw the new address", f"seen {address}: proved" in out)
    shown(["eymail", "undo", change("source assign")])
    subject = "from the cluster again"
    send("slice1", "smtp", "app@example.com", "you@accept.example", subject)
    wait("the outside MX got it", partial(_arrived, subject))
    insist("from the cluster's address", seen_from(subject) == [str(cluster.source_address)])


def stuck() -> None:
    say("Mail to dead hosts goes to the deferred host; the relays stay empty")
    for domain in DEAD:
        send("slice1", "smtp", "app@example.com", f"you@{domain}", f"to {domain}")
    wait("all of it on the deferred host", lambda: queued("deferred1") == len(DEAD), 60)
    for relay in ("relay1", "relay2"):
        insist(f"{relay}'s queue is empty", queued(relay) == 0)
        print(f"{relay} has 0 messages in its queue")
    out = shown(["eymail", "queue", "summary"])
    insist("each dead domain is named", all(domain in out for domain in DEAD))


def queued(host: str) -> int:
    """What the daemon itself counts in its queue."""
    return int(quiet(inside(host, "exim4", "-bpc")))


def tunnelled(cluster: Cluster, password: str) -> None:
    say("IMAP from outside: no way in; through a slice: all of it works")
    address = cluster.host("mail1").address
    curl = ("curl", "--silent", "--show-error", "--max-time", "5", f"imap://{address}/")
    shown(inside("workstation", *curl), code=7)
    test = ["eymail", "tunnel", "imap", "slice1", "--test", "--user", CATCHALL, "--password-stdin"]
    out = shown(test, input=password + "\n")
    insist("the login passed", "login\tok" in out)


def change(words: str) -> str:
    """The newest change whose title has these words."""
    entries = json.loads(quiet(["eymail", "history", "--json"]))["data"]["entries"]
    return next(str(entry["id"]) for entry in entries if words in entry["title"])


def undone() -> None:
    say("What was changed, and one change taken back")
    shown(["eymail", "history"])
    shown(["eymail", "undo", change("--subdomains"), "--yes"])
    recipient = "incoming@foo.example.com"
    probe = ["--server", "mx.ey04.engineyard.com", "--from", "someone@accept.example", "--to", recipient]
    shown(inside("workstation", "swaks", "--silent", "2", "--quit-after", "RCPT", *probe), code=24)
    print(f"mail to {recipient} is refused again")


@contextmanager
def lab() -> Iterator[Cluster]:
    """A cluster for the time of the demo, whatever ends it."""
    try:
        shown(["eymail", "lab", "up"])
        yield config.read(Path(_environment()["EYMAIL_CONFIG"])).cluster()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        shown(["eymail", "lab", "down"])


def _environment() -> dict[str, str]:
    exports = quiet(["eymail", "lab", "env"])
    words = (word for line in exports.splitlines() for word in shlex.split(line) if "=" in word)
    return dict(word.split("=", 1) for word in words)


def story() -> None:
    """Every scene, in the guide's order."""
    with lab() as cluster:
        source_address(cluster)
        password = catchalls()
        incoming()
        outgoing(cluster)
        dedicated(cluster)
        stuck()
        tunnelled(cluster, password)
        undone()


def main() -> int:
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        story()
    except Missing as missing:
        print(f"\nmissing: {missing}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\nEverything shown was checked. {time.monotonic() - started:.0f} s in all.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
