"""Source addresses assigned and released on a running cluster: what the outside sees is what counts."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.conftest import EYMAIL, Lab
from tests.lab.sources import DOMAIN, ZONE, answers, assign, proof, record, seen_from, sources, world


@pytest.fixture(autouse=True)
def clean(lab: Lab) -> Iterator[None]:
    """Every test starts and ends with nothing assigned, empty queues, and no memory of failed hosts."""
    lab.empty_queues()
    for host in ("relay1", "relay2", "deferred1"):
        lab.exec(host, "sh", "-c", "rm -f /var/spool/exim4/db/retry*")
    before = world(lab)
    yield
    for row in sources(lab):
        if row["origin"] != "eymail.toml":
            for domain in row["domains"]:
                lab.eymail("source", "release", domain, "--yes")
    assert world(lab) == before
    answers(lab, [record(lab, 10, 11)], f"_spf.{ZONE}", "TXT")


def test_a_further_domain_leaves_by_an_address_of_its_own_until_that_is_undone(lab: Lab) -> None:
    """slice1 -> smtp -> relay, from a further inner address -> gateway -> mx-accept sees .12.

    What another domain or the customer of before sends still comes from .10 and .11; the resolver has the
    record, the name and the pointer; and undoing leaves everything as it was.
    """
    told = assign(lab, DOMAIN, 12)
    assert told["status"] == "ok", told
    assert proof(told) == f"expected {lab.outside(12)}, seen {lab.outside(12)}"
    assert seen_from(lab, "app@example.com", 4) == {lab.outside(12)}
    assert seen_from(lab, "app@people.example") == {lab.outside(10)}
    assert seen_from(lab, "shop@customer.example") == {lab.outside(11)}
    name = f"out-{lab.outside(12).replace('.', '-')}.{ZONE}"
    answers(lab, [record(lab, 10, 11, 12)], f"_spf.{ZONE}", "TXT")
    answers(lab, [f"{name}."], "-x", lab.outside(12))
    answers(lab, [lab.outside(12)], name, "A")
    (row,) = [one for one in sources(lab) if one["address"] == lab.outside(12)]
    change = told["data"]["id"]
    assert (row["domains"], row["origin"]) == ([DOMAIN], f"change {change}")
    assert (row["published"], row["confirmed"]) == ("yes", "yes")

    assert lab.json("undo", str(change), "--yes")["status"] == "ok"
    assert seen_from(lab, "app@example.com", 4) == {lab.outside(10)}
    answers(lab, [record(lab, 10, 11)], f"_spf.{ZONE}", "TXT")
    answers(lab, [], "-x", lab.outside(12))
    answers(lab, [], name, "A")


def test_what_goes_by_way_of_the_deferred_host_leaves_by_the_dedicated_address_too(lab: Lab) -> None:
    """slice1 -> smtp -> relay -> mx-busy, which says 4xx -> deferred1 -> mx-busy: .12 both times."""
    assign(lab, DOMAIN, 12)
    before = len(lab.seen("mx-busy"))
    lab.send("you@busy.example", sender="app@example.com")
    lab.wait("deferred1 has it", lambda: lab.queued("deferred1") == 1, 40)
    lab.exec("deferred1", "exim4", "-qff")

    def tried() -> set[str]:
        attempts = lab.seen("mx-busy")[before:]
        hosts = {str(one["helo"]).partition(".")[0] for one in attempts}
        return {str(one["peer"]) for one in attempts} if "deferred1" in hosts and len(hosts) > 1 else set()

    assert lab.wait("the relay and deferred1 have tried", tried) == {lab.outside(12)}


def test_planned_again_there_is_nothing_to_do_and_a_dry_run_does_nothing(lab: Lab) -> None:
    before = world(lab)
    planned = assign(lab, DOMAIN, 12, "--dry-run")["data"]["steps"]
    assert {step["kind"] for step in planned} == {"directory", "dns", "file"}
    assert world(lab) == before
    assert [one["address"] for one in sources(lab)] == [lab.outside(10), lab.outside(11)]
    told = assign(lab, DOMAIN, 12)["data"]
    assert [step["key"] for step in told["done"]] == [step["key"] for step in planned]
    again = assign(lab, DOMAIN, 12, "--dry-run")["data"]
    assert again["steps"] == []
    assert not [note for note in again["notes"] if "publish" in note]


def test_domains_share_an_address_which_goes_with_the_last_of_them(lab: Lab) -> None:
    """Mail from both domains -> .12; one is released and the other keeps it; then nobody has it."""
    assign(lab, DOMAIN, 12)
    told = assign(lab, "people.example", 12)
    assert not [step for step in told["data"]["done"] if step["place"].startswith("source_")]
    assert "careful: SPF of people.example gives" in " ".join(told["data"]["notes"])
    assert seen_from(lab, "app@people.example") == {lab.outside(12)}
    released = lab.json("source", "release", DOMAIN)
    assert proof(released) == f"expected {lab.outside(10)}, seen {lab.outside(10)}"
    assert seen_from(lab, "app@people.example") == {lab.outside(12)}
    answers(lab, [record(lab, 10, 11, 12)], f"_spf.{ZONE}", "TXT")
    asked = lab.eymail("source", "release", "people.example", input="")
    assert asked.returncode == 5, "its own record is against the cluster's address: that wants a yes"
    assert lab.json("source", "release", "people.example", "--yes")["status"] == "ok"
    answers(lab, [record(lab, 10, 11)], f"_spf.{ZONE}", "TXT")
    nothing = lab.json("source", "release", "people.example")
    assert (nothing["data"]["id"], nothing["status"]) == (None, "ok")


def test_a_domain_may_join_an_address_that_eymail_toml_dedicates(lab: Lab) -> None:
    """Mail from example.com -> .11, which customer.example has from the file."""
    told = assign(lab, DOMAIN, 11)
    assert not [step for step in told["data"]["done"] if step["kind"] == "dns"], "it is published already"
    assert seen_from(lab, "app@example.com") == seen_from(lab, "shop@customer.example") == {lab.outside(11)}
    assert lab.json("source", "release", DOMAIN)["status"] == "ok"
    assert seen_from(lab, "shop@customer.example") == {lab.outside(11)}


PLANNED_IN_GOOD_TIME = """
import sys
from eymail.env import Env
from eymail.ops import change
from eymail.ops.source import change as source_change
env = Env()
plan = source_change.assign(env, sys.argv[1], sys.argv[2])
print("planned", flush=True)
sys.stdin.readline()
outcome = change.apply(env, plan)
done, failed = ([step.place for step in steps] for steps in (outcome.done, outcome.failed))
print(outcome.exit_code, *done, "failed", *failed)
env.close()
"""


def test_a_relay_that_loses_its_power_meanwhile_is_told_and_the_rest_can_be_completed(lab: Lab) -> None:
    """Planned while all are well, applied when relay2 is gone: partly applied, and mail flows by relay1.

    When relay2 is back, the same command does what is left and nothing else.
    """
    words = (sys.executable, "-c", PLANNED_IN_GOOD_TIME, DOMAIN, lab.outside(12))
    argv = [EYMAIL, "lab", "run", "--name", lab.name, "--", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout and process.stdin
        assert process.stdout.readline() == "planned\n"
        lab.podman("kill", "relay2")
        out, _ = process.communicate("go\n", timeout=120)
    try:
        code, done, failed = out.split()[0], *out.split("failed")
        assert (code, set(failed.split())) == ("4", {"relay2"})
        assert {"source", ZONE, "gateway", "deferred1", "relay1"} <= set(done.split())
        assert seen_from(lab, "app@example.com") == {lab.outside(12)}
        unreachable = lab.eymail("source", "assign", DOMAIN, lab.outside(12))
        assert (unreachable.returncode, "relay2" in unreachable.stderr) == (1, True)
    finally:
        lab.podman("start", "relay2")
    lab.wait("relay2 is back", lambda: "relay2\trelay" in lab.eymail("cluster", "show").stdout)
    told = lab.wait("relay2 answers", lambda: _completed(lab))
    assert {step["place"] for step in told["data"]["done"]} == {"relay2"}
    assert f"all of it is taken back by eymail source release {DOMAIN}" in str(told["data"]["notes"])
    assert seen_from(lab, "app@example.com") == {lab.outside(12)}


def _completed(lab: Lab) -> Any:
    told = assign(lab, DOMAIN, 12)
    return told if told["status"] == "ok" else None


@pytest.mark.parametrize("seconds", [1.8, 2.4, 3.0])
def test_an_assignment_that_was_killed_is_completed_by_the_same_command(lab: Lab, seconds: float) -> None:
    """Killed at any moment: mail from the domain still leaves, by the old or by the new address."""
    argv = [
        EYMAIL,
        "lab",
        "run",
        "--name",
        lab.name,
        "--",
        "eymail",
        "source",
        "assign",
        DOMAIN,
        lab.outside(12),
    ]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.send_signal(signal.SIGKILL)
    assert seen_from(lab, "app@example.com") <= {lab.outside(10), lab.outside(12)}
    assert _completed(lab), "completed"
    assert seen_from(lab, "app@example.com") == {lab.outside(12)}
    assert assign(lab, DOMAIN, 12, "--dry-run")["data"]["steps"] == []


def test_a_file_that_somebody_changed_is_left_alone_and_so_is_everything_else(lab: Lab) -> None:
    before = world(lab)
    lab.exec(
        "relay2", "sh", "-c", "cp -p /etc/exim4/exim4.conf /tmp/kept; echo '# mine' >>/etc/exim4/exim4.conf"
    )
    try:
        done = lab.eymail("source", "assign", DOMAIN, lab.outside(12))
        assert done.returncode == 5
        assert "/etc/exim4/exim4.conf on relay2 is not as eymail renders it" in done.stderr
        assert len(sources(lab)) == 2
    finally:
        lab.exec("relay2", "sh", "-c", "cat /tmp/kept >/etc/exim4/exim4.conf; rm /tmp/kept")
    assert world(lab) == before


def test_two_administrators_at_once_do_not_mix(lab: Lab) -> None:
    """Each gets all that is wanted, at once or by running the command again."""
    wanted = {DOMAIN: 12, "people.example": 13}

    def start(domain: str) -> subprocess.Popen[str]:
        words = ("eymail", "source", "assign", domain, lab.outside(wanted[domain]), "--json")
        argv = [EYMAIL, "lab", "run", "--name", lab.name, "--", *words]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    both = {domain: start(domain) for domain in wanted}
    codes = {}
    for domain, process in both.items():
        out, _ = process.communicate(timeout=120)
        json.loads(out)
        codes[domain] = process.returncode
    assert 0 in codes.values(), codes
    assert set(codes.values()) <= {0, 4, 5}, codes
    for domain, last in wanted.items():
        assert assign(lab, domain, last)["status"] == "ok"
        assert seen_from(lab, f"app@{domain}") == {lab.outside(last)}
    inside = lab.exec("mail1", "sqlite3", "/var/lib/eymail/directory.db", "SELECT inside FROM source_inside")
    assert len(set(inside.split())) == len(inside.split()) == 6


REFUSED = (
    (DOMAIN, 10, "is the source address of cluster ey04"),
    (DOMAIN, 21, "is the address of slice1"),
    (DOMAIN, 61, "another machine in the gateway's network has"),
    (DOMAIN, 255, "is no host's address in"),
    ("customer.example", 12, "leaves by .* already"),
)


def test_what_cannot_be_is_refused_before_anything_is_touched(lab: Lab) -> None:
    for domain, last, said in REFUSED:
        done = lab.eymail("source", "assign", domain, lab.outside(last))
        assert done.returncode == 5, done
        assert re.search(said, done.stderr), done.stderr
    assert len(sources(lab)) == 2


def test_an_address_that_has_to_be_routed_to_the_gateway_is_told(lab: Lab) -> None:
    told = lab.json("source", "assign", DOMAIN, "203.0.113.77", "--dry-run")
    assert "it has to be routed there" in " ".join(told["data"]["notes"])
    lines = [note for note in told["data"]["notes"] if note.startswith("publish: ")]
    assert lines == [f"publish: 77.113.0.203.in-addr.arpa. 300 IN PTR out-203-0-113-77.{ZONE}."]


def test_inner_addresses_can_be_chosen(lab: Lab) -> None:
    wanted = lab.inside("gateway").rsplit(".", 1)[0] + ".77"
    told = assign(lab, DOMAIN, 12, "--inside", f"relay1={wanted}", "--dry-run")
    keys = [step["key"] for step in told["data"]["steps"]]
    assert f"{wanted} on relay1" in keys
    refused = lab.eymail("source", "assign", DOMAIN, lab.outside(12), "--inside", f"slice1={wanted}")
    assert refused.returncode == 5
    taken = lab.inside("mail1")
    refused = lab.eymail("source", "assign", DOMAIN, lab.outside(12), "--inside", f"relay1={taken}")
    assert (refused.returncode, f"inner address {taken} is in use" in refused.stderr) == (5, True)


def test_where_others_publish_the_lines_are_told_and_nothing_is_done_unasked(lab: Lab) -> None:
    """Without [clusters.ey04.update]: mail would come from an address that no record has yet."""
    text = (lab.folder / "eymail.toml").read_text()
    config = lab.folder / "others.toml"
    config.write_text(re.sub(r"\[clusters\.ey04\.update\]\n(\w+ = .*\n)*", "", text))
    words = ("--config", str(config), "source", "assign", DOMAIN, lab.outside(12))
    refused = lab.eymail(*words)
    assert refused.returncode == 5
    assert "until then SPF gives no pass" in refused.stderr
    notes = lab.json(*words, "--dry-run")["data"]["notes"]
    name = f"out-{lab.outside(12).replace('.', '-')}.{ZONE}."
    assert f"publish: _spf.{ZONE}. 300 IN TXT {record(lab, 10, 11, 12)}" in notes
    assert f"publish: {name} 300 IN A {lab.outside(12)}" in notes
    reverse = ".".join(reversed(lab.outside(12).split("."))) + ".in-addr.arpa."
    assert f"publish: {reverse} 300 IN PTR {name}" in notes
    assert len(sources(lab)) == 2


def test_a_domain_that_nobody_can_look_up_is_told_by_the_proof(lab: Lab) -> None:
    """slice1 -> smtp -> relay, which refuses a sender that does not verify: not checked, in its words."""
    told = assign(lab, "nosuch.invalid", 12)
    assert told["data"]["proof"]["seen"] == "not checked"
    assert "Sender verify failed" in told["data"]["proof"]["detail"]


def test_no_message_is_lost_while_an_address_comes_and_goes(lab: Lab) -> None:
    """slice1 -> smtp all the time, to mx-accept and mx-busy, while example.com gets an address and loses it.

    Every message arrives once, by the old or by the new address; what is put off waits at deferred1, whole.
    """
    stop, sent = threading.Event(), itertools.count()
    failed: list[str] = []

    def keep_sending() -> None:
        while not stop.is_set():
            number = next(sent)
            to = "you@busy.example" if number % 4 == 3 else "you@accept.example"
            try:
                lab.send(to, sender="app@example.com", subject=f"flow {number}.")
            except AssertionError as error:
                failed.append(str(error))

    senders = [threading.Thread(target=keep_sending) for _ in range(2)]
    for sender in senders:
        sender.start()
    told = assign(lab, DOMAIN, 12)
    undone = lab.json("undo", str(told["data"]["id"]), "--yes")
    stop.set()
    for sender in senders:
        sender.join()
    assert (told["status"], undone["status"], failed) == ("ok", "ok", [])
    count = next(sent)
    assert count > 10
    for relay in ("relay1", "relay2"):
        lab.exec(relay, "exim4", "-qff")
    put_off = count // 4

    def arrived() -> list[str]:
        found = [one["data"] for one in lab.seen("mx-accept") if "Subject: flow " in one["data"]]
        return found if len(found) == count - put_off and lab.queued("deferred1") == put_off else []

    found = lab.wait(f"{count - put_off} of {count} arrived, {put_off} wait", arrived, 60)
    assert len({re.findall(r"flow \d+\.", data)[0] for data in found}) == len(found), "each once"


def test_a_relay_that_is_new_in_the_inventory_gets_its_inner_addresses_first(lab: Lab) -> None:
    """Without them no file can be rendered, for mail might leave that relay by the cluster's own address."""
    assign(lab, DOMAIN, 12)
    text = (lab.folder / "eymail.toml").read_text()
    new, inner = (
        lab.inside("relay1").rsplit(".", 1)[0] + ".15",
        lab.inside("relay1").rsplit(".", 1)[0] + ".99",
    )
    text = text.replace("inside = { ", f'inside = {{ relay3 = "{inner}", ')
    config = lab.folder / "larger.toml"
    config.write_text(f'{text}relay3 = {{ role = "relay", address = "{new}" }}\n')
    refused = lab.eymail("--config", str(config), "cluster", "render")
    assert (refused.returncode, f"source assign {DOMAIN} {lab.outside(12)}" in refused.stderr) == (1, True)
    told = lab.json("--config", str(config), "source", "assign", DOMAIN, lab.outside(12), "--dry-run")
    assert [(one["place"], one["after"]["host"]) for one in told["data"]["steps"]] == [
        ("source_inside", "relay3")
    ]
    assert lab.json("--config", str(config), "source", "assign", DOMAIN, lab.outside(12))["status"] == "ok"
    assert lab.eymail("--config", str(config), "cluster", "render").returncode == 0


def test_every_sending_host_is_proved_and_one_that_cannot_send_says_why(lab: Lab) -> None:
    """relay1, relay2 and deferred1 -> gateway -> mx-accept, each by its own Exim; relay1 lost its address."""
    told = assign(lab, DOMAIN, 12)
    seen = {name: one["seen"] for name, one in told["data"]["senders"]}
    assert seen == dict.fromkeys(("relay1", "relay2", "deferred1"), lab.outside(12))
    (inner,) = [
        line.split()[3]
        for line in lab.exec("relay1", "ip", "-o", "-4", "address", "show").splitlines()
        if line.split()[3].endswith(".114/32")
    ]
    lab.exec("relay1", "sh", "-c", f"ip address delete {inner} dev eth0")
    try:
        again = dict(lab.json("source", "assign", DOMAIN, lab.outside(12))["data"]["senders"])
    finally:
        lab.exec("relay1", "/etc/network/if-up.d/eymail-addresses")
    assert again["relay1"]["seen"] == "not checked"
    why = again["relay1"]["detail"]  # the second: the message by way of smtp was at relay1 before
    assert "Cannot assign requested address" in why or "retry time not reached" in why
    assert again["relay2"]["seen"] == again["deferred1"]["seen"] == lab.outside(12)
    lab.empty_queues()
