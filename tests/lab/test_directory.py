"""What is changed from the administrator's workstation is what Exim and Dovecot go by at once.

The directory lies on mail1; eymail runs outside, reaches it through the gateway by SSH, and the
daemons look it up live. Every test changes something, asks the daemons, takes it back, asks again.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any, Protocol


class Lab(Protocol):
    """What these tests use of the fixture ``lab``."""

    def exec(self, host: str, *argv: str, check: bool = True, **options: Any) -> str: ...
    def run(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]: ...
    def eymail(self, *args: str, **options: Any) -> subprocess.CompletedProcess[str]: ...
    def json(self, *args: str, **options: Any) -> Any: ...
    def send(self, recipient: str, **options: Any) -> str: ...
    def mailbox(self, address: str) -> list[dict[str, str]]: ...
    def wait(self, what: str, found: Callable[[], Any], seconds: float = 30) -> Any: ...


def changed(lab: Lab, *args: str, **options: Any) -> dict[str, Any]:
    """The outcome of a change, which must be whole."""
    told = lab.json(*args, **options)
    assert told["status"] == "ok", told
    assert not told["data"]["failed"]
    data: dict[str, Any] = told["data"]
    return data


def routed(lab: Lab, address: str) -> str:
    """What Exim on mail1 says of an address."""
    return lab.exec("mail1", "exim4", "-bt", address, check=False)


def at_rcpt(lab: Lab, recipient: str) -> str:
    """The last answer that the workstation gets for a recipient, at the gateway's port 25."""
    probe = ("--server", "mx.ey04.engineyard.com", "--from", "someone@accept.example", "--to", recipient)
    said = lab.exec("workstation", "swaks", *probe, "--quit-after", "RCPT", check=False)
    answers = [line for line in said.splitlines() if line.startswith(("<-", "<*"))]
    return next(line for line in answers[::-1] if "221" not in line)


def login(lab: Lab, user: str, password: str) -> bool:
    """Whether Dovecot takes the login."""
    done = lab.exec("mail1", "doveadm", "auth", "test", user, password, check=False)
    return "auth succeeded" in done


def test_a_catchall_from_added_to_undone(lab: Lab) -> None:
    """Workstation: `eymail catchall add`. At once Exim takes wombat@, Dovecot takes the shown password.

    outside -> gateway:25 -> mail1 Exim (RCPT, look-up) -> Dovecot LMTP -> catchall@. Then `undo`:
    RCPT answers 550 or "relay not permitted", the login fails.
    """
    domain = "caught.example"
    assert at_rcpt(lab, f"wombat@{domain}").startswith("<** 550")
    outcome = changed(lab, "catchall", "add", domain)
    password = outcome["secrets"][0]["value"]
    assert f"catchall@{domain}" in routed(lab, f"wombat@{domain}")
    assert "router = mailbox" in routed(lab, f"wombat@{domain}")
    assert at_rcpt(lab, f"wombat@{domain}").startswith("<-  250")
    assert login(lab, f"catchall@{domain}", password)
    assert not login(lab, f"catchall@{domain}", password + "x")
    assert changed(lab, "catchall", "add", domain)["id"] is None

    lab.send(
        f"wombat@{domain}", host="workstation", server="mx.ey04.engineyard.com",
        sender="someone@accept.example", subject="to the wombat",
    )  # fmt: skip
    arrived = lab.wait("the message in the catchall", lambda: lab.mailbox(f"catchall@{domain}"))
    assert [one["subject"] for one in arrived] == ["to the wombat"]
    assert arrived[0]["envelope-to"] == f"wombat@{domain}"

    changed(lab, "undo", str(outcome["id"]))
    assert f"catchall@{domain}" not in routed(lab, f"wombat@{domain}")
    assert at_rcpt(lab, f"wombat@{domain}").startswith("<** 550")
    assert not login(lab, f"catchall@{domain}", password)


def test_mailboxes_and_aliases_win_and_the_longest_subdomain_catchall_wins(lab: Lab) -> None:
    """exim -bt on mail1 against `eymail route`, for every rule; then everything is removed again."""
    changed(lab, "catchall", "add", "rules.example", "--subdomains")
    changed(lab, "catchall", "add", "deep.rules.example", "--subdomains")
    changed(lab, "catchall", "add", "rules.example")
    changed(lab, "mailbox", "add", "o'brien@rules.example")
    changed(lab, "alias", "add", "team@rules.example", "o'brien@rules.example", "joe@accept.example")
    for address in (
        "o'brien@rules.example",
        "O'Brien@RULES.example",
        "team@rules.example",
        "anyone@rules.example",
        "anyone@foo.rules.example",
        "anyone@a.b.c.rules.example",
        "anyone@deep.rules.example",
        "anyone@x.deep.rules.example",
        "anyone@notrules.example",
        "${run{id}}@rules.example",
        "it's@foo.rules.example",
    ):
        data = lab.json("route", address)["data"]
        said = routed(lab, address)
        mailboxes = [one["address"] for one in data["destinations"] if one["kind"] == "mailbox"]
        for mailbox in mailboxes:
            assert mailbox in said.lower(), (address, said)
        assert said.count("transport = dovecot") == len(mailboxes), (address, said)
        assert all(one["host"] == "mail1" for one in data["destinations"] if one["kind"] == "mailbox")
        if data["kind"] == "not ours":
            assert "router = outward" in said
    refused = lab.eymail("domain", "remove", "rules.example")
    assert refused.returncode == 5, "a danger, and nobody to ask"
    for domain in ("rules.example", "deep.rules.example"):
        changed(lab, "domain", "remove", domain, "--yes")
    for address in ("o'brien@rules.example", "anyone@foo.rules.example"):
        assert "router = outward" in routed(lab, address), "ours no longer"


def test_a_given_password_works_and_is_in_no_process_list_or_file(lab: Lab) -> None:
    """Workstation: the password on standard input -> SSH -> agent -> SQLite as a hash -> Dovecot."""
    password = "gül & <brown> fox's"
    changed(lab, "mailbox", "add", "given@password.example", "--password-stdin", input=password + "\n")
    assert login(lab, "given@password.example", password)
    found = lab.exec("mail1", "grep", "-rlaF", password, "/var/lib/eymail", check=False)
    assert found == ""
    changed(lab, "domain", "remove", "password.example", "--yes")
    assert not login(lab, "given@password.example", password)


def test_exim_can_write_beside_the_file_that_root_made(lab: Lab) -> None:
    """WAL needs its index writable for every reader; root's own look must not lock Exim's user out."""
    changed(lab, "domain", "add", "modes.example")
    listed = lab.exec("mail1", "stat", "-c", "%U:%G %a %n", "/var/lib/eymail", "/var/lib/eymail/directory.db")
    assert listed.splitlines() == [
        "Debian-exim:Debian-exim 2770 /var/lib/eymail",
        "Debian-exim:Debian-exim 660 /var/lib/eymail/directory.db",
    ]
    query = "SELECT count(*) FROM exim_domains WHERE domain = 'modes.example'"
    as_exim = ("setpriv", "--reuid=Debian-exim", "--regid=Debian-exim", "--clear-groups")
    assert lab.exec("mail1", *as_exim, "sqlite3", "/var/lib/eymail/directory.db", query).strip() == "1"
    changed(lab, "domain", "remove", "modes.example")


def test_look_ups_go_on_while_a_writer_holds_the_directory(lab: Lab) -> None:
    """A writer that holds the file for seconds: RCPT is answered at once; another change waits its turn."""
    changed(lab, "catchall", "add", "busy-writer.example")
    holder = (
        "import sqlite3, time; c = sqlite3.connect('/var/lib/eymail/directory.db', isolation_level=None); "
        "c.execute('BEGIN IMMEDIATE'); open('/tmp/held', 'w').close(); time.sleep(4); c.execute('ROLLBACK')"
    )
    lab.exec("mail1", "sh", "-c", f'rm -f /tmp/held; setsid python3 -c "{holder}" >/dev/null 2>&1 &')
    lab.wait("the writer", lambda: lab.exec("mail1", "sh", "-c", "test -e /tmp/held && echo held; true"))
    begun = time.monotonic()
    assert at_rcpt(lab, "x@busy-writer.example").startswith("<-  250")
    assert time.monotonic() - begun < 3
    changed(lab, "domain", "remove", "busy-writer.example", "--yes")
    assert time.monotonic() - begun > 1, "the change waited for the writer"


def test_the_history_tells_who_and_what_and_undo_refuses_a_moved_world(lab: Lab) -> None:
    """Two changes from the workstation; the first cannot be undone before the second."""
    first = changed(lab, "domain", "add", "moved.example")["id"]
    second = changed(lab, "mailbox", "add", "in@moved.example")["id"]
    refused = lab.json("undo", str(first))
    assert refused["status"] == "error"
    assert refused["errors"][0]["code"] == "stale-plan"
    assert f"since change {second} (mailbox add in@moved.example" in refused["errors"][0]["message"]
    entries = {one["id"]: one for one in lab.json("history")["data"]["entries"]}
    assert entries[second]["title"] == "mailbox add in@moved.example"
    assert entries[second]["state"] == "done"
    assert entries[second]["steps"][-1]["after"]["password"] == "***"
    assert "BLF-CRYPT" not in json.dumps(list(entries.values()))
    changed(lab, "undo", str(second))
    changed(lab, "undo", str(first))
    twice = lab.json("undo", str(first))
    assert twice["errors"][0]["code"] == "refused"


def test_an_administrator_cut_off_leaves_the_old_or_the_new(lab: Lab) -> None:
    """`eymail domain add` is cut off at many moments; mail1's agent ends with it and holds no lock."""
    for turn, signal in enumerate(("KILL", "INT", "HUP") * 2):
        domain = f"cut{turn}.example"
        after = f"{0.3 + 0.1 * turn:.1f}"
        lab.run("timeout", "--foreground", "-s", signal, after, "eymail", "domain", "add", domain)
        known = [one["name"] for one in lab.json("domain", "list")["data"]["domains"]]
        added = [one for one in _of(lab, f"domain add {domain}") if one["state"] == "done"]
        assert (domain in known) == bool(added), (turn, known, added)
    lab.wait("the agents' end", lambda: _agents(lab) == "0")
    changed(lab, "domain", "add", "not-locked.example")


def _agents(lab: Lab) -> str:
    return lab.exec("mail1", "pgrep", "-fc", "directory.db$", check=False).strip()


def _of(lab: Lab, title: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = lab.json("history", "--limit", "100")["data"]["entries"]
    return [one for one in entries if one["title"] == title]
