"""The agent: what goes in comes out, errors have their type, and nothing survives its client half done."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eymail.directory import agent, remote
from eymail.errors import DirectoryError
from eymail.hosts.local import LocalHost
from tests.unit.directories import sql

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(exclude_categories=("Cs",))),
    st.binary(),
    st.floats(allow_nan=False),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "d" / "directory.db"


@pytest.fixture
def connection(file: Path) -> Iterator[remote.Connection]:
    opened = remote.connect(LocalHost("here"), str(file))
    assert opened.open(make=True)
    opened.cursor().execute("CREATE TABLE t (a, b UNIQUE)")
    yield opened
    opened.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=6))
def test_values_come_back_as_they_went(connection: remote.Connection, values: list[Any]) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SELECT {', '.join('?' * len(values))}", values)
    assert cursor.fetchone() == tuple(values)
    assert cursor.fetchone() is None


@settings(deadline=None)
@given(st.binary())
def test_no_request_makes_the_agent_fall(line: bytes) -> None:
    told = agent.Session("/nonexistent/directory.db").answer(line)
    assert told.keys() == {"error", "message"}
    json.dumps(told)


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.one_of(VALUES.filter(lambda value: not isinstance(value, bytes)))))
def test_no_well_formed_request_makes_it_fall_either(request: dict[str, Any]) -> None:
    told = agent.Session("/nonexistent/directory.db").answer(json.dumps(request).encode())
    assert told.keys() == {"error", "message"}


def test_large_results_come_in_chunks(connection: remote.Connection) -> None:
    count = 3 * agent.CHUNK + 7
    rows = [(number, f"row {number}") for number in range(count)]
    connection.cursor().executemany("INSERT INTO t VALUES (?, ?)", rows)
    cursor = connection.cursor().execute("SELECT a, b FROM t ORDER BY a")
    assert [column[0] for column in cursor.description or ()] == ["a", "b"]
    assert cursor.fetchmany(3) == rows[:3]
    other = connection.cursor().execute("SELECT count(*) FROM t")
    assert other.fetchall() == [(count,)]
    assert cursor.fetchall() == rows[3:]


def test_exactly_one_chunk_is_no_special_case(connection: remote.Connection) -> None:
    rows = [(number, number) for number in range(agent.CHUNK)]
    connection.cursor().executemany("INSERT INTO t VALUES (?, ?)", rows)
    assert connection.cursor().execute("SELECT * FROM t ORDER BY a").fetchall() == rows


def test_a_cursor_closed_early_is_forgotten(connection: remote.Connection) -> None:
    rows = [(number, number) for number in range(agent.CHUNK + 1)]
    connection.cursor().executemany("INSERT INTO t VALUES (?, ?)", rows)
    cursor = connection.cursor().execute("SELECT * FROM t")
    cursor.close()
    connection.cursor().execute("DROP TABLE t")  # locked, were the cursor still open


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("INSERT INTO t VALUES (1, 1), (2, 1)", remote.IntegrityError),
        ("SELECT nosuch FROM t", remote.OperationalError),
        ("SELECT ?", remote.ProgrammingError),
    ],
)
def test_errors_keep_their_type(connection: remote.Connection, statement: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        connection.cursor().execute(statement)
    assert connection.cursor().execute("SELECT 1").fetchall() == [(1,)]


def test_it_opens_its_file_and_no_other(connection: remote.Connection, tmp_path: Path) -> None:
    with pytest.raises(remote.DatabaseError, match="not authorized"):
        connection.cursor().execute("ATTACH ? AS other", [str(tmp_path / "other.db")])
    assert not (tmp_path / "other.db").exists()


def test_row_counts_outlive_the_cursor(connection: remote.Connection) -> None:
    cursor = connection.cursor().execute("INSERT INTO t VALUES (1, 1), (2, 2)")
    cursor.close()
    assert (cursor.rowcount, cursor.lastrowid) == (2, 2)


def test_a_transaction_commits_or_rolls_back(connection: remote.Connection, file: Path) -> None:
    for end, left in ((connection.rollback, []), (connection.commit, [(1,)])):
        connection.cursor().execute("BEGIN IMMEDIATE")
        connection.cursor().execute("INSERT INTO t VALUES (1, 1)")
        end()
        assert sql(file, "SELECT a FROM t") == left


def test_what_is_not_committed_ends_with_the_client(connection: remote.Connection, file: Path) -> None:
    connection.cursor().execute("BEGIN IMMEDIATE")
    connection.cursor().execute("INSERT INTO t VALUES (1, 1)")
    connection.close()
    assert sql(file, "SELECT count(*) FROM t") == [(0,)]


def _agent(path: Path) -> subprocess.Popen[bytes]:
    program = Path(agent.__file__).read_text(encoding="utf-8")
    argv = [sys.executable, "-I", "-c", program, str(path)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _ask(process: subprocess.Popen[bytes], **request: Any) -> Any:
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def _eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_clients_death_ends_it_and_rolls_back(file: Path) -> None:
    """The client is killed in the middle of a transaction; the agent must not hold the directory."""
    reader, writer = os.pipe()
    program = Path(agent.__file__).read_text(encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", program, str(file)], stdin=reader, stdout=subprocess.PIPE
    )
    os.close(reader)
    assert process.stdout
    for request in (
        {"do": "open", "make": True},
        {"do": "execute", "sql": "CREATE TABLE t (a)", "parameters": []},
        {"do": "execute", "sql": "BEGIN IMMEDIATE", "parameters": []},
        {"do": "execute", "sql": "INSERT INTO t VALUES (1)", "parameters": []},
    ):
        os.write(writer, json.dumps(request).encode() + b"\n")
        assert "ok" in json.loads(process.stdout.readline())
    os.close(writer)
    assert process.wait(30) == 0
    process.stdout.close()
    assert sql(file, "SELECT count(*) FROM t") == [(0,)]


def test_a_client_that_stops_talking_does_not_hold_the_directory(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Path(agent.__file__).read_text(encoding="utf-8").replace("PATIENCE = 60.0", "PATIENCE = 0.2")
    copy = tmp_path / "impatient.py"
    copy.write_text(program)
    monkeypatch.setattr(agent, "__file__", str(copy))
    process = _agent(file)
    for statement in ("CREATE TABLE t (a)", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)"):
        if statement.startswith("CREATE"):
            assert _ask(process, do="open", make=True) == {"ok": True}
        assert "ok" in _ask(process, do="execute", sql=statement, parameters=[])
    assert process.wait(30) == 0
    assert sql(file, "SELECT count(*) FROM t") == [(0,)]
    assert process.stdin and process.stdout
    process.stdin.close()
    process.stdout.close()


def test_an_agent_that_went_away_is_one_sentence(connection: remote.Connection, file: Path) -> None:
    process: Any = connection._process
    os.kill(process._process.pid, signal.SIGKILL)
    _eventually(lambda: process._process.poll() is not None)
    with pytest.raises(DirectoryError, match="here: the connection to the directory broke"):
        connection.cursor().execute("SELECT 1")
    with pytest.raises(DirectoryError) as told:
        connection.commit()
    assert "eymail history" in told.value.hint


def test_an_exchange_broken_off_gives_nobody_a_wrong_answer(
    connection: remote.Connection, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while an answer is awaited: nothing more goes over this connection, and it rolls back."""

    class Interrupted:
        def readline(self) -> bytes:
            raise KeyboardInterrupt

    connection.cursor().execute("BEGIN IMMEDIATE")
    connection.cursor().execute("INSERT INTO t VALUES (1, 1)")
    process: Any = connection._process
    with monkeypatch.context() as patch:
        patch.setattr(process, "_stdout", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            connection.cursor().execute("SELECT 1")
    with pytest.raises(DirectoryError):
        connection.cursor().execute("SELECT 2")
    connection.rollback()
    connection.close()
    assert sql(file, "SELECT count(*) FROM t") == [(0,)]


def test_a_shell_that_prints_at_login_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = tmp_path / "noisy.py"
    noisy.write_text("print('Welcome to mail1!', flush=True)\ninput()\n")
    monkeypatch.setattr(agent, "__file__", str(noisy))
    connection = remote.connect(LocalHost("here"), str(tmp_path / "x.db"))
    with pytest.raises(DirectoryError) as told:
        connection.open(make=False)
    connection.close()
    assert "makes no sense" in told.value.message
    assert "login" in told.value.hint


def test_bytes_travel_as_base64() -> None:
    assert agent._encoded(b"\0\xff") == {"base64": base64.b64encode(b"\0\xff").decode()}
