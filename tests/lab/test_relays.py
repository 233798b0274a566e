"""The relay pair behind the name smtp: whom it serves, whom it refuses, what it never loses."""

from __future__ import annotations

import re
import subprocess
from collections import Counter

import pytest

from tests.lab.conftest import EYMAIL, Lab

RELAYS = ("relay1", "relay2")


def log(lab: Lab, pattern: str) -> list[str]:
    """Lines of both relays' main logs that match."""
    lines = [
        line for relay in RELAYS for line in lab.exec(relay, "cat", "/var/log/exim4/mainlog").splitlines()
    ]
    return [line for line in lines if re.search(pattern, line)]


def test_a_slices_mail_reaches_the_outside_by_the_name_smtp(lab: Lab) -> None:
    """slice1 -> smtp (lb1) -> a relay -> gateway -> mx-accept, which sees the cluster's source address.

    The relay knows the slice's own address although the load balancer stands between, and speaks
    TLS to the outside, which offers it.
    """
    lab.send("you@accept.example", subject="plain way")
    seen = lab.wait(
        "the outside MX has it", lambda: [m for m in lab.seen("mx-accept") if "plain way" in m["data"]]
    )
    assert [message["peer"] for message in seen] == [lab.outside(10)]
    assert seen[0]["tls"] is True
    assert log(lab, rf"<= app@example.com .*\[{re.escape(lab.inside('slice1'))}\].*plain way")


def test_a_burst_over_one_connection_is_delivered_at_once(lab: Lab) -> None:
    """slice1 -> smtp, forty messages in one connection -> mx-accept: none waits for a queue runner."""
    program = (
        "import smtplib\n"
        "smtp = smtplib.SMTP('smtp', timeout=20)\n"
        "for number in range(40):\n"
        "    text = f'Subject: burst-{number}\\n\\nx'\n"
        "    smtp.sendmail('app@example.com', ['burst@accept.example'], text)\n"
    )
    lab.exec("slice1", "python3", "-c", program)
    lab.wait("all arrived", lambda: sum("Subject: burst-" in m["data"] for m in lab.seen("mx-accept")) == 40)
    assert not log(lab, "no immediate delivery")


def test_an_mx_that_points_inside_is_no_way_in(lab: Lab) -> None:
    """slice1 -> smtp -> relay, for a domain whose MX is an inner address: not tried, but bounced.

    The bounce reaches mx-accept; the inner host that the MX names never hears of the message.
    """
    records = (("inward", "MX", "10 inner"), ("inner", "A", lab.inside("mail1")))
    lab.exec("ns1", "knotc", "zone-begin", "accept.example")
    for name, kind, data in records:
        lab.exec("ns1", "knotc", "zone-set", "accept.example", name, "300", kind, data)
    lab.exec("ns1", "knotc", "zone-commit", "accept.example")
    question = ("kdig", "+short", f"@{lab.outside(55)}", "inner.accept.example", "A")
    lab.wait("ns2 has followed", lambda: lab.exec("workstation", *question).strip())
    lab.send("you@inward.accept.example", sender="inward@accept.example")
    lab.wait(
        "the bounce arrived",
        lambda: [m for m in lab.seen("mx-accept") if m["recipients"] == ["inward@accept.example"]],
    )
    assert "inward.accept.example" not in lab.exec("mail1", "cat", "/var/log/exim4/mainlog")


def test_every_host_of_the_cluster_may_send(lab: Lab) -> None:
    """slice2 and mail1 -> smtp -> a relay -> mx-accept."""
    for host in ("slice2", "mail1"):
        lab.send("you@accept.example", host=host, subject=f"from {host}")
        lab.wait(host, lambda host=host: [m for m in lab.seen("mx-accept") if f"from {host}" in m["data"]])


def test_a_stranger_is_refused_at_rcpt(lab: Lab) -> None:
    """An address of the inner network that is no host of the inventory -> smtp -> 550 at RCPT."""
    stranger = lab.inside("slice1").rsplit(".", 1)[0] + ".200"
    lab.exec("slice1", "ip", "address", "replace", f"{stranger}/24", "dev", "eth0")
    try:
        told = lab.exec(
            "slice1", "swaks", "--server", "smtp", "--local-interface", stranger, "--from", "app@example.com",
            "--to", "you@accept.example", check=False,
        )  # fmt: skip
    finally:
        lab.exec("slice1", "ip", "address", "del", f"{stranger}/24", "dev", "eth0")
    assert re.search(r"RCPT TO:.*\n<\*\* 550 this relay serves the hosts of cluster ey04 only", told)


def test_no_one_outside_reaches_a_relay(lab: Lab) -> None:
    """workstation -> relay1's and lb1's inner addresses: no way."""
    for host in ("relay1", "lb1"):
        done = lab.run("curl", "--silent", "--max-time", "3", f"smtp://{lab.inside(host)}/")
        assert done.returncode == 7, done


@pytest.mark.parametrize("sender", ["app@nosuch.invalid", "app@nothing.accept.example"])
def test_a_sender_that_does_not_verify_is_refused(lab: Lab, sender: str) -> None:
    """slice1 -> smtp with a sender whose domain cannot receive mail -> 550 at RCPT."""
    told = lab.send("you@accept.example", sender=sender, check=False)
    assert re.search(r"RCPT TO:.*\n<\*\* 550", told), told


def test_content_is_not_filtered(lab: Lab) -> None:
    """slice1 -> smtp -> mx-accept with the standard test text of spam filters (GTUBE): delivered as it is."""
    gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    mail = ("--server", "smtp", "--from", "app@example.com", "--to", "you@accept.example", "--body", gtube)
    lab.exec("slice1", "swaks", *mail)
    lab.wait("it arrived", lambda: [m for m in lab.seen("mx-accept") if gtube in m["data"]])


def test_a_slice_cannot_forge_a_first_cause(lab: Lab) -> None:
    """slice1 -> smtp -> mx-accept with the relays' own header: it does not go any further."""
    header = "X-Eymail-First-Cause: accept.example: forged"
    mail = ("--server", "smtp", "--from", "app@example.com", "--to", "you@accept.example")
    lab.exec("slice1", "swaks", *mail, "--header", header, "--header", "Subject: forgery")
    seen = lab.wait("it arrived", lambda: [m for m in lab.seen("mx-accept") if "forgery" in m["data"]])
    assert "First-Cause" not in seen[0]["data"]


def test_a_relay_killed_under_a_stream_loses_nothing_and_doubles_nothing(lab: Lab) -> None:
    """slice1 sends 120 numbered messages through smtp to mx-accept; relay1 loses its power in the middle.

    Every message that the slice was told is taken arrives once; relay1 comes back and empties its queue.
    """
    script = (
        "import smtplib, sys\n"
        "taken = 0\n"
        "for number in range(120):\n"
        "    for attempt in range(5):\n"
        "        try:\n"
        "            with smtplib.SMTP('smtp', timeout=20) as smtp:\n"
        "                text = f'Subject: stream-{number:03d}\\n\\nx'\n"
        "                smtp.sendmail('app@example.com', ['stream@accept.example'], text)\n"
        "            taken += 1\n"
        "            break\n"
        "        except (OSError, smtplib.SMTPException) as error:\n"
        "            print('retry', number, error, file=sys.stderr)\n"
        "    print(number, flush=True)\n"
        "print('taken', taken)\n"
    )
    argv = [EYMAIL, "lab", "exec", "--name", lab.name, "slice1", "--", "python3", "-c", script]
    stream = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert stream.stdout
    while stream.stdout.readline().strip() != "30":
        assert stream.poll() is None
    lab.podman("kill", "relay1")
    while stream.stdout.readline().strip() != "80":
        assert stream.poll() is None
    lab.podman("start", "relay1")
    out, complaints = stream.communicate(timeout=120)
    assert out.strip().endswith("taken 120"), complaints

    def numbers() -> Counter[str]:
        found = (re.search(r"stream-\d{3}", message["data"]) for message in lab.seen("mx-accept"))
        return Counter(match[0] for match in found if match)

    lab.wait("all of them arrived", lambda: len(numbers()) == 120, 90)
    lab.wait("relay1 is empty again", lambda: lab.queued("relay1") == 0, 90)
    assert set(numbers().values()) == {1}
