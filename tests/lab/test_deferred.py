"""The deferred host: what a relay cannot deliver at once waits there, with the cause that stopped it."""

from __future__ import annotations

import re

import pytest

from tests.lab.conftest import Lab

CAUSES = {
    "busy.example": "451 4.7.1 Greylisted",
    "refused.example": "Connection refused",
    "noroute.example": "Network is unreachable",
    "servfail.example": "host lookup did not complete",
    "hang.example": "Connection timed out",
}


@pytest.fixture(autouse=True)
def empty(lab: Lab) -> None:
    """Every test starts with empty queues and no memory of failed hosts."""
    lab.empty_queues()
    for host in ("relay1", "relay2", "deferred1"):
        lab.exec(host, "sh", "-c", "rm -f /var/spool/exim4/db/retry*")


@pytest.mark.parametrize("domain", [*CAUSES, "later.example"])
def test_what_cannot_be_delivered_at_once_moves_to_the_deferred_host(lab: Lab, domain: str) -> None:
    """slice1 -> smtp -> relay, which tries the remote host in vain -> deferred1; the relays stay empty.

    The first cause stands in the deferred host's log, in the message's variables and not in its headers.
    4xx after DATA is the exception: Exim tells of no event there, so the cause shows at the next attempt.
    """
    lab.send(f"you@{domain}", subject=f"stuck at {domain}")
    lab.wait("deferred1 has it", lambda: lab.queued("deferred1") == 1, 40)
    assert lab.queued("relay1") + lab.queued("relay2") == 0
    message = re.search(r"\S{6}-\S{6}-\S{2}", lab.exec("deferred1", "exim4", "-bp"))
    assert message
    if domain in CAUSES:
        log = lab.exec("deferred1", "grep", f"{message[0]} first cause: {domain}: ", "/var/log/exim4/mainlog")
        assert CAUSES[domain] in log
        assert CAUSES[domain] in lab.exec("deferred1", "exim4", "-Mvh", message[0])
    headers = lab.exec("deferred1", "exim4", "-Mvh", message[0]).partition("\n\n")[2]
    # Exim keeps a removed header in its file, marked with an asterisk for "not to be sent".
    assert not re.search(r"(?m)^\d+[^*\d] *X-Eymail-First-Cause", headers)


def test_each_recipient_has_its_own_first_cause(lab: Lab) -> None:
    """slice1 -> smtp -> relay, one message to five domains: one arrives, four causes are handed over."""
    stuck = {**CAUSES, "sub.servfail.example": CAUSES["servfail.example"]}
    del stuck["hang.example"], stuck["noroute.example"]
    recipients = ",".join(f"you@{domain}" for domain in (*stuck, "accept.example"))
    lab.send(recipients, subject="to five domains")
    lab.wait("one arrived", lambda: [m for m in lab.seen("mx-accept") if "to five domains" in m["data"]])
    lab.wait("the relays are empty", lambda: lab.queued("relay1") + lab.queued("relay2") == 0, 40)
    queue = lab.exec("deferred1", "exim4", "-bp")
    told = "".join(
        lab.exec("deferred1", "exim4", "-Mvh", message) for message in re.findall(r"\S{6}-\S{6}-\S{2}", queue)
    )
    for domain, cause in stuck.items():
        assert f"you@{domain}" in queue
        assert re.search(rf"(^| ){domain}: [^\n]*{re.escape(cause)}", told, re.MULTILINE), told


def test_a_permanent_refusal_goes_back_to_the_sender(lab: Lab) -> None:
    """slice1 -> smtp -> relay -> mx-reject says 550 -> a bounce to app@accept.example, at mx-accept."""
    lab.send("you@reject.example", sender="bounced@accept.example")
    lab.wait(
        "the bounce arrived",
        lambda: [m for m in lab.seen("mx-accept") if m["recipients"] == ["bounced@accept.example"]],
    )
    assert lab.queued("deferred1") == 0


def test_a_bounce_that_is_refused_leaves_no_trace_in_a_queue(lab: Lab) -> None:
    """slice1 -> smtp -> relay -> mx-reject says 550 -> a bounce to mx-reject -> 550: logged and dropped."""
    lab.send("you@reject.example", sender="gone@reject.example", subject="no way back")
    dropped = "grep -hs 'gone@reject.example.*ignored' /var/log/exim4/mainlog; true"
    relays = ("relay1", "relay2")
    lab.wait("it was dropped", lambda: "".join(lab.exec(relay, "sh", "-c", dropped) for relay in relays))
    hosts = (*relays, "deferred1")
    lab.wait("all queues are empty", lambda: sum(lab.queued(host) for host in hosts) == 0, 10)


def test_the_deferred_host_retries_until_it_is_delivered(lab: Lab) -> None:
    """slice1 -> smtp -> relay -> mx-refuse refuses -> deferred1; the host comes to life; delivered.

    The dedicated address of a customer holds on this way too, and the cause's header does not go out.
    """
    lab.send("you@refused.example", sender="shop@customer.example", subject="late but there")
    lab.wait("deferred1 has it", lambda: lab.queued("deferred1") == 1)
    alive = "nohup /usr/local/lib/eymail-lab/standin.py accept >/dev/null 2>&1 & echo $!"
    pid = lab.exec("mx-refuse", "sh", "-c", alive).strip()
    try:
        lab.exec("deferred1", "exim4", "-qff")
        seen = lab.wait(
            "it arrived",
            lambda: [m for m in lab.seen("mx-refuse") if "late but there" in m["data"]],
        )
    finally:
        lab.exec("mx-refuse", "kill", pid)
    assert seen[0]["peer"] == lab.outside(11)
    assert seen[0]["tls"] is False, "this host offers none, and gets the mail all the same"
    assert "First-Cause" not in seen[0]["data"]
    lab.wait("the queue is empty", lambda: lab.queued("deferred1") == 0)


def test_only_relays_may_hand_over(lab: Lab) -> None:
    """slice1 -> deferred1 directly: refused at RCPT."""
    told = lab.send("you@accept.example", server=lab.inside("deferred1"), check=False)
    assert re.search(r"RCPT TO:.*\n<\*\* 550 this host takes over mail from the relays", told)


def test_while_the_deferred_host_is_away_nothing_is_lost(lab: Lab) -> None:
    """slice1 -> smtp -> relay, remote host refuses, deferred1 has no power: kept by the relay, then moved."""
    lab.podman("kill", "deferred1")
    try:
        lab.send("you@refused.example", subject="kept")
        lab.wait("a relay keeps it", lambda: lab.queued("relay1") + lab.queued("relay2") == 1)
    finally:
        lab.podman("start", "deferred1")
    lab.wait("deferred1 is back", lambda: _listens(lab))
    lab.wait("moved to deferred1", lambda: _run_queues(lab) and lab.queued("deferred1") == 1)
    assert lab.queued("relay1") + lab.queued("relay2") == 0


def _run_queues(lab: Lab) -> bool:
    for relay in ("relay1", "relay2"):
        lab.exec(relay, "exim4", "-qff")
    return True


def _listens(lab: Lab) -> bool:
    probe = ("nc", "-z", "-w", "1", lab.inside("deferred1"), "25")
    return lab.command("exec", "relay1", "--", *probe).returncode == 0
