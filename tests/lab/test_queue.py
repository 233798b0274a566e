"""The queues of the whole cluster, as the administrator outside sees them and as each Exim itself tells.

Mail path: slice1 sends through the name ``smtp`` to the relays; a remote host, or the DNS,
does not take the message at once; the relay hands it to deferred1, which keeps it and tries on.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eymail.lab import podman as engine
from tests.lab.conftest import EYMAIL, Lab

# Each domain of the lab's outside that never takes a message, and why, in eymail's words.
STUCK = {
    "busy.example": "451 4.7.1 greylisted",
    "later.example": "452 4.2.2 over quota",
    "hang.example": "connection timed out",
    "refused.example": "connection refused",
    "noroute.example": "no route",
    "servfail.example": "DNS failure",
}
EXIM_HOSTS = ("relay1", "relay2", "deferred1", "mail1")
ID = re.compile(r"^ *\d+\w +\S+ (\S{16,23}) <", re.MULTILINE)


@pytest.fixture(scope="module")
def stuck(lab: Lab) -> Iterator[Lab]:
    """A lab with one message to each such domain on deferred1, two of them tried there."""
    lab.wait("empty queues", lambda: emptied(lab), 60)
    for domain in STUCK:
        lab.send(f"wombat@{domain}")
    lab.wait("all messages on deferred1", lambda: lab.queued("deferred1") == len(STUCK))
    # Nothing fires at a relay for a 4xx after DATA, so that reason shows once deferred1 has tried itself.
    for domain in ("later.example", "refused.example"):
        lab.exec("deferred1", "exim4", "-Rff", domain)
    yield lab
    lab.wait("empty queues", lambda: emptied(lab), 60)


def emptied(lab: Lab) -> bool:
    """Whether all queues are empty now; a message under delivery (30 s to a host that hangs) is locked."""
    remove = "exiqgrep -i -r . | xargs -r exim4 -Mrm"
    for host in EXIM_HOSTS:
        lab.exec(host, "sh", "-c", remove, check=False)
    return not any(lab.queued(host) for host in EXIM_HOSTS)


def groups(lab: Lab, *arguments: str) -> dict[str, dict[str, Any]]:
    return {group["domain"]: group for group in lab.json("queue", "summary", *arguments)["data"]["groups"]}


def ids(lab: Lab, host: str) -> set[str]:
    """The ids that ``exim -bp`` prints on a host."""
    return set(ID.findall(lab.exec(host, "exim4", "-bp")))


def only(lab: Lab, *filters: str) -> str:
    """The id of the only message that passes, empty while there is none."""
    messages = lab.json("queue", "list", *filters)["data"]["messages"]
    assert len(messages) < 2, messages
    return str(messages[0]["id"]) if messages else ""


def act(lab: Lab, action: str, message: str) -> None:
    """An action of Exim's on a message, as soon as no delivery holds its lock."""
    argv = ("exec", "deferred1", "--", "exim4", action, message)
    lab.wait(f"{action} {message}", lambda: lab.command(*argv).returncode == 0, 60)


def test_each_domain_is_named_with_its_reason_and_the_relays_are_empty(stuck: Lab) -> None:
    """slice1 -> smtp -> relay -> deferred1: six messages, six domains, six reasons; Exim counts the same."""
    envelope = stuck.json("queue", "summary")
    assert envelope["status"] == "ok"
    assert {group["domain"]: group["reason"] for group in envelope["data"]["groups"]} == STUCK
    assert {group["host"] for group in envelope["data"]["groups"]} == {"deferred1"}
    counts = {host["host"]: host["messages"] for host in envelope["data"]["hosts"]}
    assert counts == {host: stuck.queued(host) for host in EXIM_HOSTS}
    assert counts["relay1"] == counts["relay2"] == 0


def test_the_list_has_the_ids_and_recipients_that_exim_has(stuck: Lab) -> None:
    """The same six messages by ``queue list`` and by ``exim -bp`` on every host."""
    messages = stuck.json("queue", "list")["data"]["messages"]
    assert {message["id"] for message in messages} == set().union(*(ids(stuck, host) for host in EXIM_HOSTS))
    assert {one["address"] for message in messages for one in message["recipients"]} == {
        f"wombat@{domain}" for domain in STUCK
    }
    shown = stuck.exec("deferred1", "exim4", "-bp")
    for message in messages:
        assert re.search(rf" {message['size']} {message['id']} ", shown), shown


def test_plain_lines_are_for_scripts(stuck: Lab) -> None:
    """Into a pipe: one line a message, tab-separated, the id first; nothing else on stdout."""
    done = stuck.eymail("queue", "list", "--domain", "refused.example")
    (line,) = done.stdout.splitlines()
    cells = line.split("\t")
    assert cells[0] in ids(stuck, "deferred1")
    assert cells[1] == "deferred1"
    assert cells[5:] == ["wombat@refused.example", "no", "connection refused"]


def test_filters_narrow_what_is_read_on_the_hosts(stuck: Lab) -> None:
    """The same queue through each filter."""
    assert set(groups(stuck, "--reason", "refused")) == {"refused.example"}
    assert set(groups(stuck, "--domain", "*.example", "--to", "wombat@b*")) == {"busy.example"}
    assert groups(stuck, "--older", "1d") == {}
    assert groups(stuck, "--frozen") == {}
    assert groups(stuck, "--host", "relay1") == {}
    assert set(groups(stuck, "--id", only(stuck, "--domain", "busy.example"))) == {"busy.example"}


def test_a_frozen_message_is_told_as_exim_tells_it(stuck: Lab) -> None:
    """One of the messages is frozen by Exim's own -Mf, and thawed again."""
    frozen = only(stuck, "--domain", "busy.example")
    act(stuck, "-Mf", frozen)
    try:
        assert set(groups(stuck, "--frozen")) == {"busy.example"}
        assert groups(stuck)["busy.example"]["frozen"] == 1
    finally:
        act(stuck, "-Mt", frozen)


def test_behind_retry_time_not_reached_the_retry_database_tells_the_cause(stuck: Lab) -> None:
    """A second message reaches deferred1 without a relay's word, while its host is not tried again.

    The first, which knew why, is removed. What is left says only "retry time not reached":
    the retry database knows the host's error, and Exim which host the domain's mail goes to.
    """
    first = only(stuck, "--domain", "refused.example")
    stuck.send("second@refused.example", host="relay1", server=stuck.inside("deferred1"))
    second = stuck.wait("the second on deferred1", lambda: only(stuck, "--to", "second@*"))
    stuck.exec("deferred1", "exim4", "-q", second, second)
    act(stuck, "-Mrm", first)
    (message,) = stuck.json("queue", "list", "--domain", "refused.example")["data"]["messages"]
    log = stuck.exec("deferred1", "exim4", "-Mvl", second)
    assert "retry time not reached" in log and "Connection refused" not in log
    assert (message["id"], message["recipients"][0]["reason"]) == (second, "connection refused")


def test_a_spool_can_be_read_where_eymail_runs(stuck: Lab, tmp_path: Path) -> None:
    """deferred1's spool, copied out of the lab, reads here as on the host."""
    copy = engine.find().run("cp", f"eymail-{stuck.name}-deferred1:/var/spool/exim4", str(tmp_path / "spool"))
    assert not copy
    done = subprocess.run(
        [EYMAIL, "queue", "list", "--spool", str(tmp_path / "spool"), "--json"],
        capture_output=True,
        check=True,
    )
    messages = json.loads(done.stdout)["data"]["messages"]
    assert {message["id"] for message in messages} == ids(stuck, "deferred1")


def test_a_killed_host_is_named_and_the_others_are_shown(stuck: Lab) -> None:
    """relay2 loses its power: exit 1, status partial, its name; deferred1's queue is shown as ever."""
    stuck.podman("kill", "relay2")
    try:
        envelope = stuck.json("queue", "summary", "--timeout", "8")
    finally:
        stuck.podman("start", "relay2")
    assert envelope["status"] == "partial"
    assert [error["code"] for error in envelope["errors"]] == ["host"]
    assert "relay2" in envelope["errors"][0]["message"]
    assert set(STUCK) == {group["domain"] for group in envelope["data"]["groups"]}


def test_a_hanging_host_does_not_hold_up_the_rest(stuck: Lab) -> None:
    """relay1 stands still: after the deadline it is named, and eymail is done."""
    started = time.monotonic()
    with stuck.hanging("relay1"):
        done = stuck.eymail("queue", "summary", "--timeout", "4")
    assert time.monotonic() - started < 8
    assert done.returncode == 1
    assert "relay1: no answer within 4 s" in done.stderr
    assert set(STUCK) == {line.split("\t")[1] for line in done.stdout.splitlines()}


def test_a_host_without_the_right_to_read_says_so(stuck: Lab) -> None:
    """The scanner under another user on deferred1: one sentence, not a traceback."""
    from eymail.exim.remote import program

    request = json.dumps({"filters": {}, "sums": True})
    argv = (
        "exec",
        "deferred1",
        "--",
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        "python3",
        "-I",
        "-",
        request,
    )
    done = stuck.command(argv[0], *argv[1:], input=program().decode())
    assert json.loads(done.stdout)["code"] == "denied", done.stderr


def test_names_that_are_no_exim_hosts_are_refused(lab: Lab) -> None:
    """The gateway has no queue, and a host nobody knows none either."""
    assert lab.eymail("queue", "summary", "--host", "gateway").returncode == 2
    assert lab.eymail("queue", "summary", "--host", "nowhere").returncode == 1
