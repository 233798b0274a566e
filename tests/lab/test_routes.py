"""Where mail goes: what the directory says is what Exim does; what the DNS needs for it is said or done."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import Lab

MX = "mx.ey04.engineyard.com"
ZONE = "ey04.engineyard.com"


STRANGE = (
    "strange:\\n  driver = redirect\\n  data = :fail: not today\\n  allow_fail\\n  local_parts = joe\\n\\n"
)


def changed(lab: Lab, *args: str) -> dict[str, Any]:
    told = lab.json(*args)
    assert told["status"] == "ok", told
    data: dict[str, Any] = told["data"]
    return data


def verified(lab: Lab, address: str) -> dict[str, Any]:
    data: dict[str, Any] = lab.json("route", address, "--verify")["data"]
    return data


def test_whatever_the_directory_holds_exim_does(lab: Lab) -> None:
    """Random mailboxes, disabled ones, aliases and catchalls; each address is asked of the directory, of
    mail1's Exim (-bt), and of its port 25 (RCPT). The three agree, for legal and for hostile local parts.
    Then workstation -> gateway -> mail1 -> LMTP: a message to each, which arrives where it was said to.
    """
    program = str(Path(__file__).with_name("routes.py"))
    done = lab.run(sys.executable, program, "5", "6")
    assert done.returncode == 0, done.stderr
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["wrong"] for one in rounds] == [[]] * 6
    assert all(one["made"] >= 5 and one["asked"] > 50 for one in rounds), rounds
    kinds = {kind for one in rounds for kind in one["kinds"]}
    assert kinds == {"mailbox", "alias", "catchall", "subdomain catchall", "refused", "not ours"}
    assert 0 < sum(one["accepted"] for one in rounds) < sum(one["asked"] for one in rounds)
    ways: dict[str, list[str]] = rounds[-1]["mailboxes"]
    assert len(ways) > 10
    lab.exec("workstation", "python3", "-c", DELIVER, input=json.dumps(list(ways)))
    lab.wait("all is delivered", lambda: lab.queued("mail1") == 0)
    found = {box: received(lab, box) for box in {box for boxes in ways.values() for box in boxes}}
    assert found == {box: sorted(one for one in ways if box in ways[one]) for box in found}


DELIVER = f"""\
import json, smtplib, sys
for address in json.load(sys.stdin):
    with smtplib.SMTP({MX!r}, 25, timeout=20) as smtp:
        smtp.ehlo()
        for words in ("MAIL FROM:<someone@accept.example>", f"RCPT TO:<{{address}}>"):
            code, said = smtp.docmd(words)
            assert code == 250, (address, said)
        assert smtp.data("Subject: property\\n\\n")[0] == 250, address
"""


def received(lab: Lab, mailbox: str) -> list[str]:
    """The addresses that messages in a mailbox were sent to."""
    messages = [one for one in lab.mailbox(mailbox) if one["subject"] == "property"]
    return sorted(one["envelope-to"] for one in messages)


def test_disagreement_is_exit_code_3_and_silence_is_not_checked(lab: Lab) -> None:
    """mail1's Exim is given another router, behind eymail's back; then mail1's port 25 is closed."""
    changed(lab, "mailbox", "add", "joe@verify.example")
    found = verified(lab, "joe@verify.example")
    assert (found["verified"], [one["status"] for one in found["checks"]]) == ("ok", ["ok", "ok"])
    file = "/etc/exim4/exim4.conf"
    lab.exec("mail1", "cp", file, f"{file}.kept")
    try:
        lab.exec("mail1", "sed", "-i", f"s/^mailbox:$/{STRANGE}mailbox:/", file)
        told = lab.eymail("route", "joe@verify.example", "--verify")
        assert told.returncode == 3, told
        assert "exim -bt: differs: joe@verify.example undeliverable" in told.stderr
    finally:
        lab.exec("mail1", "mv", f"{file}.kept", file)
    lab.exec("mail1", "sh", "-c", "kill $(cat /run/exim4/exim.pid)")
    lab.wait("port 25 is closed", lambda: not lab.reaches(lab.outside(14), 25))
    try:
        told = lab.eymail("route", "joe@verify.example", "--verify", "--json")
        data = json.loads(told.stdout)["data"]
        assert told.returncode == 1
        assert [one["status"] for one in data["checks"]] == ["ok", "not checked"]
        assert data["verified"] == "not checked"
    finally:
        lab.exec("mail1", "service", "exim4", "start")
        lab.wait("it listens", lambda: verified(lab, "joe@verify.example")["verified"] == "ok")


def test_many_addresses_from_standard_input(lab: Lab) -> None:
    """Each is a line of its own, a bad one an error between the others."""
    told = lab.eymail("route", "-", "--verify", input="you@accept.example\nnonsense\nx@nosuch.example\n")
    assert [line.split("\t")[:2] for line in told.stdout.splitlines()] == [
        ["you@accept.example", "not ours"],
        ["x@nosuch.example", "not ours"],
    ]
    assert "'nonsense' is not a mail address" in told.stderr
    assert told.returncode == 1


HOSTILE = (
    "${run{/bin/touch /tmp/owned}}", "$(touch${IFS}/tmp/owned)", "`touch${IFS}/tmp/owned`", "|touch",
    "x'; DROP TABLE mailboxes; --", "x' OR '1'='1", "%n/../%d", "-C/etc/passwd", "--be", "a\nRCPT TO:<b",
    "x\r\nDATA", "\x00", "$sender_host_address", "${lookup{x}lsearch{/etc/passwd}}", "é", "a" * 65,
    "/etc/passwd", "../../x",
)  # fmt: skip


def test_hostile_names_are_arguments_and_no_more(lab: Lab) -> None:
    """As the address of every command: exit code 2, 5 or a result, no expansion, no query, no file."""
    before = changed(lab, "domain", "list")["domains"]
    for local in HOSTILE:
        if "\0" in local:
            continue  # no argument can hold it
        for words in (("mailbox", "add"), ("route", "--verify"), ("alias", "list")):
            told = lab.eymail(*words, "--", f"{local}@hostile.example")
            assert told.returncode in (0, 1, 2, 3), (words, local, told)
            assert "Traceback" not in told.stderr
            assert told.returncode != 3, (words, local, told.stdout)
        told = lab.eymail("domain", "add", "--yes", "--", local)
        assert told.returncode == 2, (local, told)
    lab.eymail("domain", "remove", "hostile.example", "--yes")
    assert changed(lab, "domain", "list")["domains"] == before
    assert lab.exec("mail1", "sh", "-c", "ls /tmp/owned 2>&1; true").startswith("ls: cannot access")


def test_hostile_names_at_rcpt(lab: Lab) -> None:
    """workstation -> mail1's port 25: refused, or taken by the catchall as they are; nothing is expanded."""
    changed(lab, "catchall", "add", "open.example")
    program = (
        "import json, smtplib, sys\n"
        "for local in json.load(sys.stdin):\n"
        f"    smtp = smtplib.SMTP('{MX}', 25, timeout=20)\n"
        "    smtp.ehlo()\n"
        "    assert smtp.docmd('MAIL FROM:<>')[0] == 250\n"
        "    smtp.sock.sendall(b'RCPT TO:<' + local.encode('utf-8') + b'@open.example>\\r\\n')\n"
        "    print(smtp.getreply()[0])\n"
    )
    lines = [local for local in HOSTILE if "\n" not in local]
    said = lab.exec("workstation", "python3", "-c", program, input=json.dumps(lines))
    assert set(said.split()) <= {"250", "501", "550"}, dict(zip(lines, said.split(), strict=True))
    assert lab.exec("mail1", "sh", "-c", "ls /tmp/owned 2>&1; true").startswith("ls: cannot access")
    assert changed(lab, "mailbox", "list", "open.example")["mailboxes"]
    assert lab.exec("mail1", "sh", "-c", "cat /var/log/exim4/paniclog 2>/dev/null; true") == ""


def test_the_wildcard_of_a_zone_of_ours_is_part_of_the_change(lab: Lab) -> None:
    """`catchall add app.ZONE --subdomains`: the directory's rows and the record in one change, and both back.

    Then mx-accept's side: workstation -> the MX that the DNS tells of -> mail1 -> catchall@app.ZONE.
    """
    domain = f"app.{ZONE}"
    outcome = changed(lab, "catchall", "add", domain, "--subdomains")
    assert [step["key"] for step in outcome["done"] if step["kind"] == "dns"] == [f"*.{domain} MX"]

    def resolved() -> str:
        server = f"@{lab.hosts['resolver']['outside']}"
        return lab.exec("workstation", "kdig", "+short", server, f"any.{domain}", "MX")

    lab.wait("the wildcard is known", lambda: resolved() == f"10 {MX}.\n")

    def again() -> bool:
        told = changed(lab, "catchall", "add", domain, "--subdomains")
        assert told["id"] is None
        return any("leads here already" in note for note in told["notes"])

    lab.wait("the secondary follows", again)
    assert verified(lab, f"x@foo.{domain}")["verified"] == "ok"
    changed(lab, "undo", str(outcome["id"]))
    lab.wait("it is gone", lambda: resolved() == "")


def test_the_wildcard_of_anothers_zone_is_a_line_to_publish(lab: Lab) -> None:
    """example.com has its wildcard; customer.example has none, and its zone is none of ours."""
    notes = changed(lab, "catchall", "add", "example.com", "--subdomains", "--dry-run")["notes"]
    assert any("leads here already" in note for note in notes), notes
    plan = changed(lab, "catchall", "add", "customer.example", "--subdomains", "--dry-run")
    assert f"publish: *.customer.example. 300 IN MX 10 {MX}." in plan["notes"]
    assert {step["kind"] for step in plan["steps"]} == {"directory"}
    notes = changed(lab, "catchall", "add", "accept.example", "--subdomains", "--dry-run")["notes"]
    assert any("not covered: mx.accept.example has records of its own (A)" in note for note in notes), notes


def test_a_domain_of_peoples_mail_is_asked_about_and_the_way_out_named(lab: Lab) -> None:
    """people.example's MX lead to mailtrust: adding it is refused where nobody can say yes."""
    told = lab.eymail("domain", "add", "people.example")
    assert told.returncode == 5
    assert "mail for people.example goes elsewhere, as its MX says: mailtrust" in told.stderr
    assert "eymail domain add app.people.example" in told.stderr
    assert changed(lab, "domain", "add", "example.com", "--dry-run")["dangers"] == []
    (note,) = changed(lab, "domain", "add", "bücher.example.", "--dry-run")["notes"]
    assert note.endswith(f"publish: xn--bcher-kva.example. 300 IN MX 10 {MX}.")


def test_a_domain_goes_and_its_mail_stays_until_purge(lab: Lab) -> None:
    """workstation -> mail1 -> joe@purge.example, removed, added again, purged."""
    changed(lab, "mailbox", "add", "joe@purge.example")
    lab.send("joe@purge.example", host="workstation", server=MX, sender="someone@accept.example")
    lab.wait("it arrived", lambda: lab.mailbox("joe@purge.example"))
    shown = changed(lab, "domain", "show", "purge.example")
    assert (shown["stored"]["messages"], shown["reception"]["status"]) == (1, "nowhere")
    notes = changed(lab, "domain", "remove", "purge.example", "--yes")["notes"]
    assert any("1 message" in note and "until --purge" in note for note in notes), notes
    notes = changed(lab, "mailbox", "add", "joe@purge.example")["notes"]
    assert any("mail of an earlier joe@purge.example lies there" in note for note in notes), notes
    told = lab.eymail("domain", "remove", "purge.example", "--purge")
    assert told.returncode == 5 and "cannot be brought back: 1 message" in told.stderr
    outcome = changed(lab, "domain", "remove", "purge.example", "--purge", "--yes")
    assert lab.exec("mail1", "ls", "/var/vmail").split().count("purge.example") == 0
    told = lab.eymail("undo", str(outcome["id"]), "--yes")
    assert told.returncode == 5 and "cannot be brought back" in told.stderr


def test_administrators_who_add_mailboxes_of_one_new_domain_at_once(lab: Lab) -> None:
    """Five processes, each by SSH to the directory on mail1: one makes the domain, all have their mailbox."""
    addresses = [f"box{number}@together.example" for number in range(5)]
    with ThreadPoolExecutor(5) as threads:
        ended = list(threads.map(lambda address: lab.eymail("mailbox", "add", address), addresses))
    assert [one.returncode for one in ended] == [0] * 5, ended
    assert [verified(lab, address)["kind"] for address in addresses] == ["mailbox"] * 5


@pytest.mark.parametrize("extra", [(), ("--plain",)])
def test_several_domains_at_once(lab: Lab, extra: tuple[str, ...]) -> None:
    """One change for all of them, one undo."""
    outcome = changed(lab, "domain", "add", "one.example", "two.example")
    told = lab.eymail("domain", "show", "one.example", "two.example", "three.example", *extra)
    assert "three.example is not known here" in told.stderr
    assert told.returncode == 1
    changed(lab, "undo", str(outcome["id"]))
    assert lab.eymail("domain", "show", "one.example").returncode == 1
