"""queue summary and list: what the commands say, filters and their errors, hosts that don't answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.errors import EymailError, HostError, InvalidInput
from eymail.exim.remote import scan_here
from eymail.ops.queue import Filters, parse_span, span
from eymail.ops.side_by_side import on_each
from tests.unit.exim_spool import GREYLISTED, REFUSED, RecipientLine, Written, deferral, message_id

ANN, EVE = b"ann@busy.example", b"eve@refused.example"
INVENTORY = """
[clusters.ey04.hosts]
gateway = { role = "gateway", address = "10.44.0.2" }
relay1 = { role = "relay", address = "10.44.0.11" }
"""


def eymail(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "EYMAIL_CONFIG"}
    return subprocess.run(
        [sys.executable, "-m", "eymail", *arguments],
        capture_output=True,
        text=True,
        env={**clean, **(env or {})},
    )


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    now = int(time.time())
    for number in (1, 2):
        Written(id=message_id(number), received=now - 7200).into(tmp_path, log=deferral(ANN, GREYLISTED))
    Written(id=message_id(3), received=now - 60, sender=b"", recipients=[RecipientLine(EVE)]).into(
        tmp_path, log=deferral(EVE, REFUSED)
    )
    return tmp_path


def test_summary_in_plain_lines(spool: Path) -> None:
    done = eymail("queue", "summary", "--spool", str(spool))
    assert (done.returncode, done.stderr) == (0, "")
    first, second = (line.split("\t") for line in done.stdout.splitlines())
    assert first[:5] == ["here", "busy.example", "451 4.7.1 greylisted", "2", "2"]
    assert first[5].startswith("2h") and int(first[6]) > 0 and first[7] == "0"
    assert second[:5] == ["here", "refused.example", "connection refused", "1", "1"]


def test_list_in_plain_lines_oldest_first(spool: Path) -> None:
    done = eymail("queue", "list", "--spool", str(spool))
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == [message_id(number).decode() for number in (1, 2, 3)]
    assert rows[2][4:] == ["<>", "eve@refused.example", "no", "connection refused"]


def test_list_in_json(spool: Path) -> None:
    envelope = json.loads(
        eymail("queue", "list", "--spool", str(spool), "--domain", "refused.example", "--json").stdout
    )
    (message,) = envelope["data"]["messages"]
    assert envelope["status"] == "ok"
    assert message["id"] == message_id(3).decode()
    assert message["recipients"] == [
        {"address": "eve@refused.example", "reason": "connection refused", "error": "Connection refused"}
    ]
    assert envelope["data"]["hosts"][0]["messages"] == 1


def test_hostile_bytes_reach_no_terminal(tmp_path: Path) -> None:
    evil = b"\x1b[2J\x07\xff@evil.example"
    Written(recipients=[RecipientLine(evil)], sender=evil).into(
        tmp_path, log=deferral(evil, b"(1): \x1b]0;x\x07")
    )
    for what in ("list", "summary"):
        for form in ("--plain", "--json"):
            done = eymail("queue", what, "--spool", str(tmp_path), form)
            assert done.returncode == 0
            assert all(char.isprintable() or char in "\t\n" for char in done.stdout + done.stderr)


def test_an_empty_queue_is_said(tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    done = eymail("queue", "summary", "--spool", str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "here: no messages\n")
    table = eymail("queue", "list", "--spool", str(tmp_path), "--json")
    assert json.loads(table.stdout)["data"]["messages"] == []


def test_malformed_files_are_named_beside_the_result(spool: Path) -> None:
    (spool / "input" / "1rKDq4-000Ayz-2b-H").write_bytes(b"\0\0\0")
    done = eymail("queue", "summary", "--spool", str(spool))
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert "here: not counted, for malformed: 1rKDq4-000Ayz-2b-H" in done.stderr


def test_nobody_reads_what_he_may_not(spool: Path) -> None:
    """As another user than root, in a process of its own; the hint is for whoever it happens to."""
    (spool / "input").chmod(0)
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setuid(65534)
            scan_here(str(spool), {}, sums=True)
        except HostError as error:
            os._exit(0 if "may not read the queue" in error.message and "root" in error.hint else 2)
        finally:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    (spool / "input").chmod(0o755)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--spool", "/nonexistent"], 1, "there is no Exim spool in /nonexistent"),
        (["--older", "yesterday", "--spool", "/"], 2, "'yesterday' is not a span of time"),
        (["--id", "../../etc/passwd", "--spool", "/"], 2, "is not a queue id"),
        (["--spool", "/", "--host", "relay1"], 2, "give one of the two"),
        (["--timeout", "-1"], 2, "--timeout"),
        (["--host", "gateway"], 2, "gateway is a gateway and has no queue"),
        (["--host", "relay9"], 1, "no host 'relay9'"),
    ],
)
def test_bad_input_gets_a_sentence_and_its_code(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    config = tmp_path / "eymail.toml"
    config.write_text(INVENTORY)
    done = eymail("--config", str(config), "queue", "summary", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_host_that_cannot_be_reached_is_named_and_the_result_is_partial(tmp_path: Path) -> None:
    ssh, config = tmp_path / "ssh_config", tmp_path / "eymail.toml"
    ssh.write_text("Host relay1\n  HostName 127.0.0.1\n  Port 1\n")
    config.write_text(f'[ssh]\nconfig = "{ssh}"\ntimeout = 3\n{INVENTORY}')
    done = eymail("--config", str(config), "queue", "summary", "--json")
    envelope = json.loads(done.stdout)
    assert (done.returncode, envelope["status"]) == (1, "partial")
    assert "relay1" in envelope["errors"][0]["message"]


@given(st.integers(0, 10**7))
def test_a_span_is_read_back_but_for_what_it_leaves_out(seconds: int) -> None:
    assert 0 <= seconds - parse_span(span(seconds)) < max(60, seconds / 20)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("3d", 259200), ("1d12h", 129600)]
)
def test_spans(text: str, seconds: int) -> None:
    assert parse_span(text) == seconds


@given(st.text(max_size=12))
def test_any_other_text_is_no_span(text: str) -> None:
    try:
        assert parse_span(text) >= 0
    except InvalidInput as error:
        assert error.hint


def test_ids_are_checked_before_anything_is_asked() -> None:
    for good in (message_id(1), message_id(1, long=True)):
        Filters(ids=(good.decode(),))
    with pytest.raises(InvalidInput):
        Filters(ids=("1rKDq4-000Ayz-2b-H",))


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


def test_one_dead_host_holds_up_nobody() -> None:
    release = threading.Event()

    def work(host: Named) -> str:
        if host.name == "dead":
            release.wait(20)
        if host.name == "broken":
            raise HostError("broken: no")
        return host.name.upper()

    started = time.monotonic()
    hosts = [Named("dead"), Named("broken"), *(Named(f"h{number}") for number in range(40))]
    answers = {host.name: answer for host, answer in on_each(hosts, work, 1.0)}  # type: ignore[arg-type]  # only names are used
    release.set()
    assert time.monotonic() - started < 5
    assert set(answers) == {host.name for host in hosts}
    assert answers["h7"] == "H7"
    assert isinstance(answers["broken"], HostError)
    assert isinstance(answers["dead"], EymailError) and "dead: no answer within 1 s" in str(answers["dead"])


def test_a_fault_of_our_own_is_not_hidden() -> None:
    def work(host: Named) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(on_each([Named("a")], work, 5.0))  # type: ignore[arg-type]  # only names are used
