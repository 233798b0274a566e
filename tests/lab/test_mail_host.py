"""The mail host: the directory decides, live; the rest is refused at RCPT; reading is for insiders."""

from __future__ import annotations

import imaplib
import poplib
import re
from collections.abc import Iterator

import pytest

from tests.lab.conftest import Lab

OUTSIDER = "someone@accept.example"
MX = "mx.ey04.engineyard.com"


@pytest.fixture(scope="module", autouse=True)
def directory(lab: Lab) -> Iterator[dict[str, str]]:
    """A domain with a mailbox, an alias, a catchall and a subdomain catchall; the passwords made."""
    passwords = {}
    for address in (
        "real@example.com",
        "o'brien@example.com",
        "real+own@example.com",
        "inner@deep.example.com",
    ):
        told = lab.json("mailbox", "add", address)
        passwords[address] = told["data"]["secrets"][0]["value"]
    for args in (
        ("alias", "add", "sales@example.com", "real@example.com"),
        ("alias", "add", "away@example.com", "you@accept.example"),
        ("catchall", "add", "example.com"),
        ("catchall", "add", "example.com", "--subdomains"),
        ("catchall", "add", "deep.example.com", "--to", "inner@deep.example.com", "--subdomains"),
    ):
        told = lab.json(*args)
        assert told["status"] == "ok", told
    yield passwords


def arrived(lab: Lab, mailbox: str, subject: str) -> list[dict[str, str]]:
    return [headers for headers in lab.mailbox(mailbox) if headers["subject"] == subject]


@pytest.mark.parametrize(
    ("recipient", "mailbox"),
    [
        ("real@example.com", "real@example.com"),
        ("REAL@Example.COM", "real@example.com"),
        ("o'brien@example.com", "o'brien@example.com"),
        ("real+own@example.com", "real+own@example.com"),
        ("real+other@example.com", "catchall@example.com"),
        ("sales@example.com", "real@example.com"),
        ("wombat@example.com", "catchall@example.com"),
        ("incoming@foo.example.com", "catchall@example.com"),
        ("a@b.c.example.com", "catchall@example.com"),
        ("any@very.deep.example.com", "inner@deep.example.com"),
        ("inner@deep.example.com", "inner@deep.example.com"),
        ("odd%$`|!#{}@example.com", "catchall@example.com"),
        ("a''b@example.com", "catchall@example.com"),
    ],
)
def test_where_mail_from_outside_arrives(lab: Lab, recipient: str, mailbox: str) -> None:
    """workstation -> gateway -> mail1's Exim -> LMTP -> Dovecot: the mailbox, the address kept.

    A mailbox and an alias win over a catchall, and the longest subdomain catchall wins.
    """
    subject = f"to {recipient} from outside"
    lab.send(recipient, host="workstation", server=MX, sender=OUTSIDER, subject=subject)
    found = lab.wait(f"it is in {mailbox}", lambda: arrived(lab, mailbox, subject))
    assert len(found) == 1
    assert found[0]["envelope-to"].lower() == recipient.lower()


def test_no_mailbox_is_told_of_another(lab: Lab) -> None:
    """workstation -> mail1, one message to two mailboxes: each sees its own address and no blind copy."""
    pair = ("real@example.com", "o'brien@example.com")
    lab.send(",".join(pair), host="workstation", server=MX, sender=OUTSIDER, subject="blind copy")
    for mailbox in pair:
        (headers,) = lab.wait(mailbox, lambda mailbox=mailbox: arrived(lab, mailbox, "blind copy"))
        assert headers["envelope-to"] == mailbox


def test_mail_for_a_full_mailbox_waits(lab: Lab, directory: dict[str, str]) -> None:
    """workstation -> mail1, 2 MB for a mailbox of 1 MB: kept in the queue, delivered when there is room."""
    assert lab.json("mailbox", "add", "small@example.com")["status"] == "ok"

    def quota(megabytes: int) -> None:
        change = f"UPDATE mailboxes SET quota_mb = {megabytes} WHERE address = 'small@example.com'"
        lab.exec("mail1", "sqlite3", "/var/lib/eymail/directory.db", change)

    quota(1)
    program = (
        "import smtplib\n"
        f"smtp = smtplib.SMTP('{MX}', timeout=20)\n"
        "text = 'Subject: large\\n\\n' + 'x' * 70 + '\\n'\n"
        f"smtp.sendmail('{OUTSIDER}', ['small@example.com'], text + ('x' * 70 + '\\n') * 30000)\n"
    )
    lab.exec("workstation", "python3", "-c", program)
    lab.wait("it waits", lambda: "small@example.com" in lab.exec("mail1", "exim4", "-bp"))
    said = "grep -h 'defer.*[Qq]uota' /var/log/exim4/mainlog"
    lab.wait("because of the quota", lambda: lab.exec("mail1", "sh", "-c", f"{said}; true"))
    assert lab.mailbox("small@example.com") == []
    quota(10)
    lab.exec("mail1", "exim4", "-qff")
    lab.wait("it arrived", lambda: arrived(lab, "small@example.com", "large"))


def test_one_outside_host_cannot_take_every_place(lab: Lab) -> None:
    """mx-later opens 40 connections to mail1: the last ones are turned away, and others are still served."""
    program = (
        "import socket\n"
        f"held = [socket.create_connection(('{MX}', 25), 10) for _ in range(40)]\n"
        "print([connection.recv(3).decode() for connection in held])\n"
    )
    greetings = lab.exec("mx-later", "python3", "-c", program)
    assert greetings.count("220") == 30
    assert greetings.count("421") == 10
    lab.send("real@example.com", host="workstation", server=MX, sender=OUTSIDER, subject="a place is left")


def test_a_slices_mail_arrives_too(lab: Lab) -> None:
    """slice1 -> smtp -> relay -> gateway (hairpin) -> mail1 -> catchall@example.com."""
    lab.send("reply@example.com", subject="from a slice")
    lab.wait("it is in the catchall", lambda: arrived(lab, "catchall@example.com", "from a slice"))


def test_an_alias_to_the_outside_leaves_as_a_slices_mail_does(lab: Lab) -> None:
    """workstation -> mail1, alias away@example.com -> smtp -> relay -> mx-accept, from the source address."""
    lab.send("away@example.com", host="workstation", server=MX, sender=OUTSIDER, subject="onward")
    seen = lab.wait("it is outside", lambda: [m for m in lab.seen("mx-accept") if "onward" in m["data"]])
    assert seen[0]["peer"] == lab.outside(10)


@pytest.mark.parametrize(
    "recipient",
    ["nobody@accept.example", "x@customer.example", "x@examplexcom", "x@com", "x@'OR'1'='1.example",
     "x@${run{/bin/true}}.example"],
)  # fmt: skip
def test_the_rest_is_refused_at_rcpt(lab: Lab, recipient: str) -> None:
    """workstation -> mail1: an address of no domain of ours gets 550 (or 501 when it is none) at RCPT."""
    mail = {"host": "workstation", "server": MX, "sender": OUTSIDER}
    told = lab.send(recipient, check=False, **mail)
    assert re.search(r"RCPT TO:.*\n<\*\* 5(50|01)", told), told


def test_an_unknown_address_without_a_catchall_is_refused(lab: Lab) -> None:
    """workstation -> mail1 for a domain that is known and has no catchall: 550 at RCPT, so no backscatter."""
    assert lab.json("domain", "add", "bare.example")["status"] == "ok"
    told = lab.send("x@bare.example", host="workstation", server=MX, sender=OUTSIDER, check=False)
    assert re.search(r"RCPT TO:.*\n<\*\* 550 no such address here", told), told
    told = lab.send("x@sub.bare.example", host="workstation", server=MX, sender=OUTSIDER, check=False)
    assert re.search(r"RCPT TO:.*\n<\*\* 550 relay not permitted", told), told


def test_a_sender_that_does_not_verify_is_refused(lab: Lab) -> None:
    """workstation -> mail1 with a sender whose domain does not exist: 550 at RCPT."""
    told = lab.send("real@example.com", host="workstation", server=MX, sender="x@nosuch.invalid", check=False)
    assert re.search(r"RCPT TO:.*\n<\*\* 550", told), told


def test_a_message_that_is_too_large_is_refused(lab: Lab) -> None:
    """workstation -> mail1 announces 60 MB: refused before a byte of it is sent."""
    text = f"EHLO x\\r\\nMAIL FROM:<{OUTSIDER}> SIZE=60000000\\r\\nQUIT\\r\\n"
    told = lab.exec("workstation", "sh", "-c", f"(sleep 0.3; printf '{text}') | nc -q 2 {MX} 25", check=False)
    assert "552 " in told or "554 SMTP synchronization error" in told, told


def test_a_host_on_the_block_list_is_refused(lab: Lab) -> None:
    """mx-reject, which is on the configured DNS block list -> mail1: 550 at RCPT; others are not."""
    told = lab.send("real@example.com", host="mx-reject", server=MX, sender=OUTSIDER, check=False)
    assert re.search(r"RCPT TO:.*\n<\*\* 550 .* is listed at blocked.example", told), told


def test_too_many_recipients_a_minute_are_put_off(lab: Lab) -> None:
    """An outside host that asks for 400 recipients in a minute is told 4xx; other hosts go on."""
    program = (
        "import smtplib\n"
        f"smtp = smtplib.SMTP('{MX}', timeout=20)\n"
        f"smtp.ehlo(); smtp.mail('{OUTSIDER}')\n"
        "print([smtp.rcpt(f'r{n}@example.com')[0] for n in range(400)])\n"
    )
    codes = lab.exec("mx-hang", "python3", "-c", program)
    assert "451" in codes
    assert codes.startswith("[250")
    lab.send("real@example.com", host="workstation", server=MX, sender=OUTSIDER, subject="not put off")


def test_while_the_directory_is_away_nothing_is_lost(lab: Lab) -> None:
    """slice1 -> smtp -> relay -> mail1 without its directory: 4xx, kept by the cluster, delivered later."""
    lab.empty_queues()
    away = "mkdir away && mv directory.db* away"
    back = "rm -f directory.db* && mv away/* . && rmdir away"
    lab.exec("mail1", "sh", "-c", f"cd /var/lib/eymail && {away}")
    try:
        told = lab.send("real@example.com", host="workstation", server=MX, sender=OUTSIDER, check=False)
        assert re.search(r"<\*\* 451 the directory cannot be asked", told), told
        lab.send("real@example.com", subject="while away")
        lab.wait("deferred1 keeps it", lambda: "real@example.com" in lab.exec("deferred1", "exim4", "-bp"))
    finally:
        lab.exec("mail1", "sh", "-c", f"cd /var/lib/eymail && {back}")
    lab.exec("deferred1", "exim4", "-qff")
    lab.wait("it arrived", lambda: arrived(lab, "real@example.com", "while away"))


@pytest.mark.parametrize("port", [143, 993, 110, 995])
def test_mail_is_read_from_inside_only(lab: Lab, port: int) -> None:
    """workstation -> mail1 by its public and its inner address: closed. slice1 -> mail1: open."""
    assert not lab.reaches(lab.outside(14), port)
    assert not lab.reaches(lab.inside("mail1"), port)
    lab.exec("slice1", "nc", "-z", "-w", "2", "mail1", str(port))


def test_imap_and_pop3_know_the_password(lab: Lab, directory: dict[str, str]) -> None:
    """slice1 -> mail1 with TLS: logins by IMAP and POP3, of a name with a quote too; a wrong one fails."""
    program = (
        "import imaplib, poplib, ssl, sys\n"
        "user, password = sys.stdin.read().splitlines()\n"
        "c = ssl._create_unverified_context()\n"
        "print(imaplib.IMAP4_SSL('mail1', ssl_context=c).login(user, password)[0])\n"
        "p = poplib.POP3_SSL('mail1', context=c); p.user(user); print(p.pass_(password))\n"
    )
    for user in ("real@example.com", "o'brien@example.com"):
        out = lab.exec("slice1", "python3", "-c", program, input=f"{user}\n{directory[user]}\n")
        assert out.startswith("OK\nb'+OK")
    wrong = lab.command("exec", "slice1", "--", "python3", "-c", program, input="real@example.com\nwrong\n")
    assert imaplib.IMAP4.error.__name__ in wrong.stderr
    assert poplib.error_proto.__name__ not in wrong.stderr


def test_a_login_from_elsewhere_is_refused(lab: Lab, directory: dict[str, str]) -> None:
    """Dovecot asked as if by an outside client, were the port ever open: the right password is no use."""
    user = "real@example.com"
    for peer, code in ((lab.inside("slice1"), 0), (lab.outside(100), 77)):
        argv = ("doveadm", "auth", "test", "-x", f"rip={peer}", user, directory[user])
        assert lab.command("exec", "mail1", "--", *argv).returncode == code


def test_no_password_goes_in_the_clear(lab: Lab) -> None:
    """slice1 -> mail1, port 143 without TLS: LOGINDISABLED."""
    told = lab.exec("slice1", "sh", "-c", "echo a LOGOUT | nc -w 2 mail1 143")
    assert "LOGINDISABLED" in told


def test_the_mail_host_relays_for_nobody(lab: Lab) -> None:
    """slice1 -> mail1, port 25, for an outside address: refused; slices send through smtp."""
    told = lab.send("you@accept.example", server="mail1", check=False)
    assert re.search(r"RCPT TO:.*\n<\*\* 550 relay not permitted", told), told
