"""``eymail spf --ip``, ``--set`` and ``--flatten`` as processes, against a name server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.dns_peer import Peer, Question, framed, peer, rrset, zone

RECORDS = (
    rrset("d.example", "TXT", '"v=spf1 include:i.example ip4:192.0.2.7 -all exp=why.example"'),
    rrset("i.example", "TXT", '"v=spf1 a:h.example -all"'),
    rrset("h.example", "A", "192.0.2.1"),
    rrset("why.example", "TXT", r'"%{i}\\;%{s} may not"'),
    rrset("mx.d.example", "TXT", '"v=spf1 ip4:192.0.2.9 ~all"'),
    rrset("_spf.ey04.engineyard.com", "TXT", '"v=spf1 ip4:192.0.2.10 ~all"'),
    rrset("flat.example", "TXT", '"v=spf1 ip4:192.0.2.1 ip4:192.0.2.7 -all exp=why.example"'),
    rrset("stale.example", "TXT", '"v=spf1 ip4:192.0.2.2 ip4:192.0.2.7 ~all exp=why.example"'),
)


@pytest.fixture(scope="module")
def server() -> Iterator[Peer]:
    with peer(zone(*RECORDS)) as started:
        yield started


def argv(server: Peer, *args: str) -> list[str]:
    return [sys.executable, "-m", "eymail", "spf", *args, "--server", server.address]


ENV = {
    **{name: value for name, value in os.environ.items() if name != "EYMAIL_CONFIG"},
    "XDG_CONFIG_HOME": "/nonexistent",
}


def eymail(server: Peer, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv(server, *args), input=stdin, capture_output=True, text=True, env=ENV, timeout=60, check=False
    )


def data(server: Peer, *args: str) -> dict[str, object]:
    told = eymail(server, *args, "--json")
    assert told.returncode == 0, told.stderr
    return dict(json.loads(told.stdout)["data"])


def test_a_client_that_passes_with_the_path(server: Peer) -> None:
    client = ("--ip", "192.0.2.1", "--sender", "joe@d.example", "--helo", "mx.example")
    assert data(server, "d.example", *client) == {
        "domain": "d.example", "ip": "192.0.2.1", "sender": "joe@d.example", "helo": "mx.example",
        "result": "pass", "explanation": "", "problem": "", "lookups": 2, "voids": 0,
        "path": ["d.example: include:i.example", "i.example: a:h.example"],
    }  # fmt: skip


def test_a_client_that_fails_with_the_explanation(server: Peer) -> None:
    found = data(server, "d.example", "--ip", "192.0.2.2", "--sender", "joe@d.example")
    assert (found["result"], found["explanation"]) == ("fail", r"192.0.2.2\;joe@d.example may not")
    told = eymail(server, "d.example", "--ip", "192.0.2.2", "--sender", "joe@d.example")
    assert (
        told.stdout
        == "fail\t192.0.2.2\tjoe@d.example\t-\td.example: -all\t192.0.2.2\\;joe@d.example may not\n"
    )


@pytest.mark.parametrize(
    ("args", "domain", "result"),
    [
        (("", "--ip", "192.0.2.1", "--sender", "joe@d.example"), "d.example", "pass"),
        (("", "--ip", "192.0.2.9", "--sender", "", "--helo", "mx.d.example"), "mx.d.example", "pass"),
        (("", "--ip", "192.0.2.9", "--helo", "[192.0.2.9]"), "[192.0.2.9]", "none"),
        (("", "--ip", "192.0.2.9"), "", "none"),
        (("D.Example.", "--ip", "::ffff:192.0.2.1"), "D.Example", "pass"),
        (("a..b", "--ip", "192.0.2.9"), "a..b", "none"),
        (("x" * 64 + ".example", "--ip", "192.0.2.9"), "x" * 64 + ".example", "none"),
        (("OEMCOMPUTER", "--ip", "192.0.2.9"), "OEMCOMPUTER", "none"),
        (("gone.example", "--ip", "fe80::1%eth0"), "gone.example", "none"),
        (("ey04", "--ip", "192.0.2.10"), "_spf.ey04.engineyard.com", "pass"),
        (("bücher.example", "--ip", "192.0.2.9"), "xn--bcher-kva.example", "none"),
    ],
)
def test_empty_and_odd_inputs(server: Peer, args: tuple[str, ...], domain: str, result: str) -> None:
    found = data(server, *args)
    assert (found["domain"], found["result"]) == (domain, result)


def test_expect(server: Peer) -> None:
    client = ("d.example", "--ip", "192.0.2.2")
    assert eymail(server, *client).returncode == 0
    assert eymail(server, *client, "--expect", "pass").returncode == 3
    assert eymail(server, *client, "--expect", "pass", "--expect", "fail").returncode == 0


def test_a_sender_in_angle_brackets_is_the_sender(server: Peer) -> None:
    assert (
        data(server, "", "--ip", "192.0.2.9", "--sender", "<>", "--helo", "mx.d.example")["result"] == "pass"
    )
    assert data(server, "", "--ip", "192.0.2.1", "--sender", "<joe@d.example>")["domain"] == "d.example"


def test_bytes_that_are_no_text_are_a_clients_own_affair() -> None:
    """The explanation escapes them as they came; the lines after go on."""
    records = (
        rrset("d.example", "TXT", '"v=spf1 ip4:192.0.2.1 -all exp=why.example"'),
        rrset("why.example", "TXT", '"%{S} %{H}"'),
    )
    with peer(zone(*records)) as server:
        told = subprocess.run(
            argv(server, "d.example", "--set", "-"), input=b"192.0.2.2 \xff@d.example \xfe\n192.0.2.1\n",
            capture_output=True, env=ENV, timeout=60, check=False,
        )  # fmt: skip
    assert told.returncode == 0, told.stderr
    first, second = told.stdout.splitlines()
    assert first.startswith(b"fail\t") and first.endswith(b"%FF%40d.example %FE")
    assert second.startswith(b"pass\t")


def test_a_silent_first_name_server_costs_one_wait(server: Peer) -> None:
    with peer(lambda _question: ()) as silent:
        started = time.monotonic()
        found = data(silent, "d.example", "--ip", "192.0.2.1", "--server", server.address)
        assert time.monotonic() - started < 6
    assert found["result"] == "pass"


def test_an_answer_cut_even_by_tcp_is_no_answer() -> None:
    with peer(cut) as server:
        found = data(server, "d.example", "--ip", "192.0.2.1", "--timeout", "2")
    assert found["result"] == "temperror"


def cut(question: Question) -> Iterator[bytes]:
    wire = question.answer(flags="QR RA TC")
    yield framed(wire) if question.transport == "tcp" else wire


def test_a_full_disk_is_one_sentence(server: Peer, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(
            argv(server, "d.example", "--set", "-"), input="192.0.2.1\n", stdout=full, stderr=subprocess.PIPE,
            text=True, env=ENV, timeout=60, check=False,
        )  # fmt: skip
    assert told.returncode == 1
    assert told.stderr == "eymail: the result could not be written: No space left on device\n"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("d.example", "--ip", "nine"), "'nine' is not an IP address"),
        (("d.example", "--ip", ""), "'' is not an IP address"),
        (("d.example", "--sender", "a@b.example"), "--sender goes with --ip"),
        (("d.example", "--expect", "pass"), "--expect goes with --ip or --set"),
        (("d.example", "--ip", "192.0.2.1", "--flatten"), "--ip and --flatten ask for different things"),
        (("d.example", "--diff"), "--diff goes with --flatten"),
        (("d.example", "--ip", "192.0.2.1", "--expect", "good"), "'good' is not one of"),
        (("d.example", "--set", "/nonexistent"), "/nonexistent"),
        (("d.example", "--timeout", "nan", "--ip", "192.0.2.1"), "nan"),
    ],
)
def test_bad_options(server: Peer, args: tuple[str, ...], sentence: str) -> None:
    told = eymail(server, *args)
    assert (told.returncode, told.stdout) == (2, "")
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr


LINES = """\
# address sender helo
192.0.2.1 joe@d.example mx.example
192.0.2.9 <> mx.d.example

not-an-address
192.0.2.2
{"ip": "192.0.2.7", "sender": "joe@d.example"}
{"ip": 7}
192.0.2.1 a b c
"""


def test_many_clients_in_order_with_bad_lines_by_number(server: Peer, tmp_path: Path) -> None:
    file = tmp_path / "clients"
    file.write_text(LINES)
    for told in (
        eymail(server, "d.example", "--set", str(file)),
        eymail(server, "d.example", "--set", "-", stdin=LINES),
    ):
        assert told.returncode == 1
        rows = [line.split("\t")[:4] for line in told.stdout.splitlines()]
        assert rows == [
            ["pass", "192.0.2.1", "joe@d.example", "mx.example"],
            ["fail", "192.0.2.9", "<>", "mx.d.example"],
            ["fail", "192.0.2.2", "<>", "-"],
            ["pass", "192.0.2.7", "joe@d.example", "-"],
        ]
        numbers = [
            line.split(":")[1].strip() for line in told.stderr.splitlines() if line.startswith("eymail")
        ]
        assert numbers == ["line 5", "line 8", "line 9"]


def test_many_clients_of_many_domains_as_json_lines(server: Peer) -> None:
    told = eymail(
        server, "", "--set", "-", "--json", stdin="192.0.2.1 a@d.example\n192.0.2.9 <> mx.d.example\nx\n"
    )
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(one["status"], (one["data"] or {}).get("result")) for one in found] == [
        ("ok", "pass"), ("ok", "pass"), ("error", None),
    ]  # fmt: skip


def test_expect_of_many(server: Peer) -> None:
    lines = "192.0.2.1\n192.0.2.2\n"
    assert eymail(server, "d.example", "--set", "-", "--expect", "pass", stdin=lines).returncode == 3
    assert eymail(server, "d.example", "--set", "-", "--expect", "pass", stdin="192.0.2.1\n").returncode == 0
    assert eymail(server, "d.example", "--set", "-", stdin="").returncode == 0


def test_each_answer_comes_before_the_next_line(server: Peer) -> None:
    process = subprocess.Popen(
        argv(server, "d.example", "--set", "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENV
    )
    with process:
        assert process.stdin is not None and process.stdout is not None
        for ip, wanted in ((b"192.0.2.1", b"pass"), (b"192.0.2.2", b"fail"), (b"192.0.2.7", b"pass")):
            process.stdin.write(ip + b"\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith(wanted)
        process.stdin.close()
        assert process.wait(20) == 0


def test_a_line_without_end_is_one_bad_line(server: Peer) -> None:
    told = eymail(server, "d.example", "--set", "-", stdin="x" * 5_000_000 + "\n192.0.2.1\n")
    assert told.returncode == 1
    assert told.stdout.startswith("pass\t192.0.2.1\t") and told.stdout.count("\n") == 1
    assert "line 1: longer than" in told.stderr


def test_nothing_from_a_policy_acts_on_the_screen(server: Peer) -> None:
    told = eymail(
        server, "d.example", "--ip", "192.0.2.2", "--sender", "\x1b[31m\u202e@d.example", "--helo", "\x07"
    )
    assert told.returncode == 0
    assert not set(told.stdout + told.stderr) & {"\x1b", "\x07", "\u202e"}


def test_the_deadline_is_kept() -> None:
    def script(question: Question) -> Iterator[bytes]:
        return iter(()) if question.kind == "A" else iter(zone(*RECORDS)(question))  # type: ignore[arg-type]

    with peer(script) as silent:
        started = time.monotonic()
        found = data(silent, "d.example", "--ip", "192.0.2.1", "--timeout", "1")
        assert time.monotonic() - started < 4
    assert found["result"] == "temperror"


def test_flat(server: Peer) -> None:
    told = eymail(server, "d.example", "--flatten")
    assert told.returncode == 0
    assert told.stdout == 'd.example.\tTXT\t"v=spf1 ip4:192.0.2.1 ip4:192.0.2.7 -all exp=why.example"\n'
    assert "true for 300 s" in told.stderr


def test_flat_beside_what_is_published(server: Peer) -> None:
    assert eymail(server, "d.example", "--flatten", "--diff").returncode == 3  # it has an include
    same = eymail(server, "d.example", "--flatten", "--diff", "--at", "flat.example")
    assert (same.returncode, same.stdout) == (0, "")
    other = eymail(server, "d.example", "--flatten", "--diff", "--at", "stale.example")
    assert other.returncode == 3
    assert other.stdout.splitlines() == ["+\tip4:192.0.2.1", "-\tip4:192.0.2.2", "+\t-all", "-\t~all"]
    none = eymail(server, "d.example", "--flatten", "--diff", "--at", "nowhere.example")
    assert none.returncode == 3
    assert none.stdout.splitlines()[0] == "+\tip4:192.0.2.1"


def test_two_published_records_are_said(server: Peer) -> None:
    twice = rrset("twice.example", "TXT", '"v=spf1 ip4:192.0.2.1 -all"', '"v=spf1 -all"')
    with peer(zone(*RECORDS, twice)) as other:
        told = eymail(other, "d.example", "--flatten", "--diff", "--at", "twice.example")
    assert told.returncode == 3
    assert "twice.example has 2 SPF records" in told.stderr


def test_what_fits_nowhere_is_a_failure() -> None:
    networks = " ".join(f'"{" ".join(f"ip4:10.{m}.{n}.0/25" for n in range(12))} "' for m in range(60))
    with peer(zone(rrset("big.example", "TXT", f'"v=spf1 " {networks} "-all"'))) as server:
        told = eymail(server, "big.example", "--flatten")
    assert told.returncode == 1
    assert "4096 are the most" in told.stderr


def test_what_cannot_be_asked_is_no_change() -> None:
    def script(question: Question) -> Iterator[bytes]:
        good = zone(*RECORDS)
        return iter([question.answer(code="SERVFAIL")]) if question.name == "i.example" else good(question)  # type: ignore[return-value]

    with peer(script) as server:
        told = eymail(server, "d.example", "--flatten", "--diff", "--at", "flat.example")
    assert told.returncode == 1
    assert "not checked: include:i.example" in told.stderr
