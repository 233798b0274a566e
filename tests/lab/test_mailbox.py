"""Mailboxes switched, given passwords and imported from outside; what Exim and Dovecot make of it at once."""

from __future__ import annotations

import csv
import io
import json
import time

import pytest

from eymail.directory import passwords
from tests.lab.conftest import Lab
from tests.lab.test_directory import at_rcpt, changed, login

OUTSIDER = "someone@accept.example"
MX = "mx.ey04.engineyard.com"


def test_a_disabled_mailbox_takes_neither_mail_nor_logins(lab: Lab) -> None:
    """Workstation -> gateway:25 -> mail1 Exim: 550 at RCPT while disabled; Dovecot refuses the login.

    Enabled again, both are taken. In a domain with a catchall the mail goes to the catchall instead.
    """
    address = "off@disabled.example"
    password = changed(lab, "mailbox", "add", address)["secrets"][0]["value"]
    assert at_rcpt(lab, address).startswith("<-  250")
    assert login(lab, address, password)
    entry = changed(lab, "mailbox", "disable", address)["id"]
    assert at_rcpt(lab, address).startswith("<** 550")
    assert not login(lab, address, password)
    changed(lab, "undo", str(entry))
    assert at_rcpt(lab, address).startswith("<-  250")
    assert login(lab, address, password)
    changed(lab, "mailbox", "disable", address)
    changed(lab, "catchall", "add", "disabled.example")
    assert at_rcpt(lab, address).startswith("<-  250")
    assert "catchall@disabled.example" in lab.exec("mail1", "exim4", "-bt", address)
    assert not login(lab, address, password)


@pytest.mark.parametrize("scheme", passwords.SCHEMES)
def test_dovecot_takes_a_password_of_every_scheme(lab: Lab, scheme: str) -> None:
    """Workstation: `mailbox password --scheme`; doveadm auth on mail1, which reads the hash live."""
    address = f"{scheme.lower()}@schemes.example"
    old = changed(lab, "mailbox", "add", address)["secrets"][0]["value"]
    args = ("mailbox", "password", address, "--password-stdin", "--scheme", scheme)
    changed(lab, *args, input="correct hörse battery\n")
    assert login(lab, address, "correct hörse battery")
    assert not login(lab, address, "correct horse battery")
    assert not login(lab, address, old)


def test_hashes_that_came_from_elsewhere(lab: Lab) -> None:
    """Each scheme that an import takes, made by Dovecot itself on mail1, imported outside, tried at mail1."""
    rows = []
    for scheme in ("BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "ARGON2ID", "SCRAM-SHA-256"):
        made = lab.exec("mail1", "doveadm", "pw", "-s", scheme, "-p", f"secret of {scheme}").strip()
        rows.append((f"{scheme.lower()}@hashes.example", made))
    text = io.StringIO()
    csv.writer(text).writerows([("address", "password"), *rows])
    told = lab.json("mailbox", "import", "-", input=text.getvalue())
    assert told["status"] == "ok", told
    for address, _ in rows:
        assert login(lab, address, f"secret of {address.partition('@')[0].upper()}"), address
        assert not login(lab, address, "secret of somebody")
    exported = lab.eymail("mailbox", "export", "--domain", "hashes.example", "--format", "jsonl").stdout
    found = [json.loads(line) for line in exported.splitlines()]
    assert sorted((one["address"], one["password"]) for one in found[1:]) == sorted(rows)


def test_show_tells_what_dovecot_knows(lab: Lab) -> None:
    """Two messages to mail1 by LMTP, a login by IMAP from slice1; `mailbox show` outside tells of them."""
    address = "shown@example.com"
    password = changed(lab, "mailbox", "add", address)["secrets"][0]["value"]
    fresh = lab.json("mailbox", "show", address)["data"]["mail"]
    assert (fresh["messages"], fresh["newest"], fresh["last_login"]) == (0, None, None), fresh
    began = time.time()
    for subject in ("one", "two"):
        lab.send(address, host="workstation", server=MX, sender=OUTSIDER, subject=subject)
    lab.wait("both", lambda: len(lab.mailbox(address)) == 2)
    url = f"imaps://{lab.inside('mail1')}/"
    program = (
        "import imaplib, ssl, sys; c = ssl._create_unverified_context();"
        "print(imaplib.IMAP4_SSL(sys.argv[1], ssl_context=c).login(*sys.argv[2:])[0])"
    )
    assert lab.exec("slice1", "python3", "-c", program, url[8:-1], address, password) == "OK\n"

    def shown() -> dict[str, object] | None:
        mail: dict[str, object] = lab.json("mailbox", "show", address)["data"]["mail"]
        return mail if mail["last_login"] else None

    mail = lab.wait("the login in the log", shown)
    assert mail["messages"] == 2
    assert isinstance(mail["bytes"], int) and mail["bytes"] > 500
    for moment in (mail["newest"], mail["last_login"]):
        at = time.mktime(time.strptime(str(moment)[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
        assert began - 5 < at < time.time() + 5
    assert not mail["not_checked"] and not mail["login_not_checked"]


def test_show_says_what_it_could_not_ask(lab: Lab) -> None:
    """Dovecot on mail1 is asked by doveadm; a disabled mailbox it does not look into."""
    address = "unasked@example.com"
    changed(lab, "mailbox", "add", address)
    changed(lab, "mailbox", "disable", address)
    told = lab.eymail("mailbox", "show", address)
    assert told.returncode == 0
    assert "messages\tnot checked: " in told.stdout


def test_ten_thousand_are_imported_through_ssh(lab: Lab) -> None:
    """Workstation -> gateway -> sshd of mail1 -> the agent -> SQLite; Exim looks one up after it."""
    made = passwords.hashed("correct horse battery")
    rows = "".join(f"user{number}@many{number % 50}.example,{made}\n" for number in range(10_000))
    began = time.monotonic()
    told = lab.json("mailbox", "import", "-", input=f"address,password\n{rows}")
    took = time.monotonic() - began
    assert told["status"] == "ok", told
    assert {one["kind"]: one["added"] for one in told["data"]["counts"]}["mailbox"] == 10_000
    assert took < 20, f"took {took:.1f} s"  # 2 s with the machine to itself
    assert at_rcpt(lab, "user9999@many49.example").startswith("<-  250")
    assert login(lab, "user9999@many49.example", "correct horse battery")
    entry = told["data"]["id"]
    changed(lab, "undo", str(entry), "--yes")
    assert at_rcpt(lab, "user9999@many49.example").startswith("<** 550")
