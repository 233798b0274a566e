"""Changes are whole or not at all, journaled truly, and taken back exactly."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eymail.directory import passwords, remote
from eymail.directory.rows import step
from eymail.env import Env
from eymail.errors import DirectoryError, NotFound, Refused, StalePlan
from eymail.ops import alias, catchall, change, mailbox
from eymail.ops import domain as domains
from tests.unit.directories import WAYS, applied, domain, environment, mailbox_row, plan, sql, world


@pytest.fixture(params=WAYS)
def env(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Env]:
    with environment(tmp_path, request.param) as made:
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "d" / "directory.db"


def test_a_batch_is_one_act(env: Env) -> None:
    applied(env, plan("first", domain("example.com")))
    with pytest.raises(StalePlan, match=r"domain example.com is no longer as it was: it is there already"):
        applied(env, plan("second", domain("example.org"), domain("example.com")))
    assert env.directory.find("domain") == ({"name": "example.com"},)
    newest = env.directory.journal.entries(1)[0]
    assert (newest.state, newest.done, len(newest.steps)) == ("failed", 0, 2)
    assert newest.error is not None
    assert newest.error.startswith("domain example.com is no longer as it was")


def test_the_one_of_many_that_cannot_be_done_is_named(env: Env) -> None:
    rows = [mailbox_row(f"m{number}@example.com") for number in range(50)]
    made = [step("mailbox", None, row) for row in rows]
    applied(env, plan("one", domain("example.com"), made[30]))
    with pytest.raises(
        StalePlan, match=r"mailbox m30@example.com is no longer as it was: it is there already"
    ):
        applied(env, plan("all", *made))
    assert len(env.directory.find("mailbox")) == 1
    applied(env, plan("the others", *made[:30], *made[31:]))
    changed = [step("mailbox", row, {**row, "quota_mb": 5}) for row in rows]
    applied(env, plan("quota", *changed))
    assert {row["quota_mb"] for row in env.directory.find("mailbox")} == {5}
    with pytest.raises(StalePlan, match=r"mailbox m0@example.com is no longer as it was, since change 4"):
        applied(env, plan("once more", *changed))
    back = change.undo(env, 4)
    applied(env, back)
    assert {row["quota_mb"] for row in env.directory.find("mailbox")} == {None}
    gone = [step("mailbox", row, None) for row in (*rows[:20], {**rows[20], "host": "x"}, *rows[21:])]
    with pytest.raises(StalePlan, match=r"mailbox m20@example.com"):
        applied(env, plan("remove", *gone))
    assert len(env.directory.find("mailbox")) == 50


def test_many_steps_are_few_round_trips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = remote.Connection.ask

    def counting(connection: remote.Connection, do: str, **arguments: object) -> object:
        asked.append(do)
        return ask(connection, do, **arguments)

    monkeypatch.setattr(remote.Connection, "ask", counting)
    rows = [mailbox_row(f"m{number}@example.com") for number in range(5000)]
    with environment(tmp_path, "agent") as env:
        applied(env, plan("domain", domain("example.com")))
        asked.clear()
        applied(env, plan("many", *(step("mailbox", None, row) for row in rows)))
        assert len(asked) < 30
        assert env.directory.count("mailbox") == {"example.com": 5000}


def test_every_field_of_the_row_is_compared(env: Env, file: Path) -> None:
    row = mailbox_row("a@example.com")
    applied(env, plan("make", domain("example.com"), step("mailbox", None, row)))
    away = plan("remove", step("mailbox", row, None))
    for column, odd, right in (
        ("password", "{X}y", row["password"]),
        ("enabled", 0, 1),
        ("quota_mb", 5, None),
        ("host", "mail2", "mail1"),
    ):
        sql(file, f"UPDATE mailboxes SET {column} = ?", odd)
        with pytest.raises(StalePlan, match=r"mailbox a@example.com is no longer as it was$"):
            applied(env, away)
        sql(file, f"UPDATE mailboxes SET {column} = ?", right)
    applied(env, away)
    assert env.directory.find("mailbox") == ()


def test_a_stale_plan_names_the_change_that_made_it_so(env: Env) -> None:
    applied(env, catchall.add(env, "example.com"))
    applied(env, mailbox.add(env, "joe@example.com"))
    late = catchall.remove(env, "example.com")
    applied(env, catchall.add(env, "example.com", "joe@example.com"))
    with pytest.raises(StalePlan, match=r"since change 3 \(catchall add example.com --to joe@example.com"):
        applied(env, late)


def test_what_is_needed_meanwhile_makes_a_plan_stale(env: Env) -> None:
    applied(env, domains.add(env, "example.com"))
    late = domains.remove(env, "example.com")
    applied(env, alias.add(env, "a@example.com", ("b@example.org",)))
    with pytest.raises(StalePlan, match=r"alias a@example.com to b@example.org needs it, since change 2"):
        applied(env, late)
    assert env.directory.get("domain", name="example.com")


def test_what_it_needs_being_gone_makes_a_plan_stale(env: Env) -> None:
    applied(env, domains.add(env, "example.com"))
    late = alias.add(env, "a@example.com", ("b@example.org",))
    applied(env, domains.remove(env, "example.com"))
    with pytest.raises(StalePlan, match=r"domain example.com is gone, since change 2"):
        applied(env, late)


def test_two_halves_of_a_loop_planned_at_once(env: Env) -> None:
    applied(env, domains.add(env, "example.com"))
    one = alias.add(env, "a@example.com", ("b@example.com",))
    other = alias.add(env, "b@example.com", ("a@example.com",))
    applied(env, one)
    with pytest.raises(StalePlan, match="the alias leads back to itself"):
        applied(env, other)


def test_undo_takes_back_and_undoing_the_undo_brings_back(env: Env) -> None:
    applied(env, domains.add(env, "example.com"))
    before = world(env.directory)
    id = applied(env, catchall.add(env, "example.com")).id
    after = world(env.directory)
    assert id is not None
    back = applied(env, change.undo(env, id))
    assert world(env.directory) == before
    assert back.id is not None
    applied(env, change.undo(env, back.id))
    assert world(env.directory) == after, "with the very same password hash"


def test_undo_twice_is_refused(env: Env) -> None:
    id = applied(env, domains.add(env, "example.com")).id
    assert id is not None
    plans = [change.undo(env, id) for _ in range(2)]
    applied(env, plans[0])
    with pytest.raises(Refused, match="change 1 was undone already, by change 2"):
        change.undo(env, id)
    applied(env, domains.add(env, "example.com"))  # so that the rows would fit once more
    with pytest.raises(Refused, match="undone a moment ago"):
        applied(env, plans[1])


def test_undo_of_what_nobody_did(env: Env) -> None:
    with pytest.raises(NotFound, match="no change 1"):
        change.undo(env, 1)
    applied(env, domains.add(env, "example.com"))
    with pytest.raises(StalePlan):
        applied(env, plan("again", domain("example.com")))
    with pytest.raises(Refused, match="nothing of change 2 was done"):
        change.undo(env, 2)


def test_undo_says_by_which_change_the_world_moved_on(env: Env) -> None:
    applied(env, mailbox.add(env, "a@example.com"))
    applied(env, catchall.add(env, "example.com", "a@example.com"))
    before = world(env.directory)
    with pytest.raises(
        StalePlan, match=r"mailbox a@.* catchall example.com needs it, since change 2 \(catch"
    ) as refused:
        change.undo(env, 1)
    assert refused.value.hint.endswith("eymail undo 2")
    applied(env, catchall.remove(env, "example.com"))
    applied(env, mailbox.add(env, "b@example.com"))
    with pytest.raises(
        StalePlan, match=r"domain example.com .* mailbox b@example.com needs it, since change 4"
    ):
        change.undo(env, 1)
    assert world(env.directory)["catchall"] == ()
    assert before["domain"] == world(env.directory)["domain"]


def test_undo_leaves_no_alias_that_leads_nowhere(env: Env) -> None:
    applied(env, domains.add(env, "example.com"))
    applied(env, mailbox.add(env, "a@example.com"))
    applied(env, alias.add(env, "x@example.com", ("a@example.com",)))
    with pytest.raises(StalePlan, match=r"alias x@example.com to a@example.com was added since"):
        change.undo(env, 2)


def test_an_alias_that_was_there_first_does_not_keep_from_undoing(env: Env) -> None:
    """It led nowhere before the mailbox was made, and may again; its own removal, undone, is no news."""
    applied(env, alias.add(env, "x@example.org", ("a@example.com",)))
    made = applied(env, mailbox.add(env, "a@example.com")).id
    gone = applied(env, alias.remove(env, "x@example.org")).id
    assert made is not None
    assert gone is not None
    applied(env, change.undo(env, gone))
    applied(env, change.undo(env, made))
    assert env.directory.get("mailbox", address="a@example.com") is None


def test_who_is_the_one_behind_sudo(env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ann")
    applied(env, domains.add(env, "example.com"))
    assert env.directory.journal.entry(1).who.startswith("ann@")


def test_passwords_are_not_in_the_file_and_hashes_only_where_they_must_be(env: Env, file: Path) -> None:
    given = applied(env, mailbox.add(env, "a@example.com", "hunter2-hunter2"))
    made = applied(env, mailbox.add(env, "b@example.com"))
    assert given.secrets == ()
    assert len(made.secrets) == 1
    env.directory._database.close()
    sql(file, "PRAGMA wal_checkpoint(TRUNCATE)")
    content = file.read_bytes()
    assert b"hunter2" not in content
    assert made.secrets[0].value.encode() not in content
    stored = str(env.directory.find("mailbox", address="b@example.com")[0]["password"])
    assert passwords.matches(made.secrets[0].value, stored)


def test_a_busy_directory_is_one_sentence(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eymail.directory.agent.BUSY", 0.05)
    with environment(tmp_path) as env:
        applied(env, domains.add(env, "example.com"))
        holder = sqlite3.connect(file, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(DirectoryError, match="is busy"):
            applied(env, domains.add(env, "example.org"))
        assert env.directory.find("domain") == ({"name": "example.com"},), "readers do not wait"
        holder.close()


WORKER = """
import sys
from pathlib import Path
from eymail.directory.rows import step
from eymail.errors import DirectoryError, StalePlan
from eymail.plan import Plan
from tests.unit.directories import applied, domain, environment

folder, way, name, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
print("ready", flush=True)
with environment(folder, way) as env:
    for number in range(count):
        owner = f"{name}{number}.example"
        rows = [{"address": f"a@{owner}", "target": f"{at}@x.org", "domain": owner} for at in range(5)]
        steps = (domain(owner), *(step("alias", None, row) for row in rows))
        applied(env, Plan(owner, steps))
"""


def worker(folder: Path, way: str, name: str, count: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", WORKER, str(folder), way, name, str(count)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def history_is_true(file: Path) -> list[str]:
    """Compare every journal entry with the rows that it speaks of; the entries' states."""
    states = []
    for id, title, state, done, steps in sql(file, "SELECT id, title, state, done, steps FROM journal"):
        rows = sql(file, "SELECT count(*) FROM aliases WHERE domain = ?", title)[0][0]
        names = sql(file, "SELECT count(*) FROM domains WHERE name = ?", title)[0][0]
        whole = (state, done, rows, names) == ("done", steps, 5, 1)
        nothing = (state, done, rows, names) == ("running", 0, 0, 0)
        assert whole or nothing, (id, title, state, done, rows, names)
        planned = sql(file, "SELECT count(*) FROM journal_steps WHERE entry = ?", id)[0][0]
        assert planned == steps
        states.append(str(state))
    assert sql(file, "PRAGMA integrity_check") == [("ok",)]
    assert sql(file, "PRAGMA foreign_key_check") == []
    return states


def something_done(file: Path) -> bool:
    try:
        return sql(file, "SELECT 1 FROM journal WHERE state = 'done' LIMIT 1") != []
    except sqlite3.OperationalError:
        return False  # the tables are not made yet


@pytest.mark.parametrize("way", WAYS)
def test_killed_at_any_moment_it_is_the_old_or_the_new(tmp_path: Path, file: Path, way: str) -> None:
    """SIGKILL at random moments, eight times over, the last when something was done for certain."""
    for turn in range(8):
        process = worker(tmp_path, way, f"turn{turn}-", 100_000)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        grown = file.stat().st_mtime_ns if file.exists() else 0
        deadline = time.monotonic() + 30
        wal = file.with_name("directory.db-wal")
        while not (wal.exists() and wal.stat().st_mtime_ns > grown) and time.monotonic() < deadline:
            time.sleep(0.005)
        while turn == 7 and not something_done(file) and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.15))
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
        process.stdout.close()
    assert "done" in history_is_true(file)


@pytest.mark.parametrize("way", WAYS)
def test_four_processes_at_once(tmp_path: Path, file: Path, way: str) -> None:
    """They make the directory at the same moment, and write to it all the time."""
    processes = [worker(tmp_path, way, f"w{number}-", 25) for number in range(4)]
    for process in processes:
        assert process.stdout
        process.stdout.read()
        assert process.wait(120) == 0
        process.stdout.close()
    assert history_is_true(file) == ["done"] * 100


FLIPPER = """
import sys
from pathlib import Path
from eymail.errors import StalePlan
from eymail.ops import catchall
from tests.unit.directories import applied, environment

with environment(Path(sys.argv[1])) as env:
    for number in range(30):
        for target in ("a@example.com", "b@example.com"):
            try:
                applied(env, catchall.add(env, "example.com", target))
            except StalePlan:
                pass
"""


def test_four_processes_over_one_row_lose_no_update(tmp_path: Path, file: Path) -> None:
    """Each change begins where the one before it ended: the journal is one chain."""
    with environment(tmp_path) as env:
        for address in ("a@example.com", "b@example.com"):
            applied(env, mailbox.add(env, address))
        argv = [sys.executable, "-c", FLIPPER, str(tmp_path)]
        processes = [subprocess.Popen(argv, cwd=Path(__file__).parents[2]) for _ in range(4)]
        assert [process.wait(120) for process in processes] == [0] * 4
        rows = sql(
            file,
            """SELECT before, after FROM journal_steps JOIN journal ON entry = id
               WHERE place = 'catchall' AND state = 'done' ORDER BY id""",
        )
        finals = env.directory.find("catchall")
    states = {state for (state,) in sql(file, "SELECT DISTINCT state FROM journal")}
    assert states <= {"done", "failed"}
    assert len(rows) > 4
    counted = _balance([(_row(before), _row(after)) for before, after in rows])
    assert counted == [str(finals[0]["mailbox"])]


def _row(text: object) -> str:
    return "" if text is None else str(json.loads(str(text))["mailbox"])


def _balance(changes: list[tuple[str, str]]) -> list[str]:
    """What a set of compared changes leaves: every state entered once more than it was left."""
    entered: dict[str, int] = {"": 1}
    for before, after in changes:
        entered[before] = entered.get(before, 0) - 1
        entered[after] = entered.get(after, 0) + 1
    assert set(entered.values()) <= {0, 1}, entered
    return [state for state, count in entered.items() if count]


def test_an_entry_closed_meanwhile_does_nothing_more(env: Env, file: Path) -> None:
    applied(env, domains.add(env, "example.com"))
    entry = env.directory.journal.begin(plan("slow", domain("example.org")))
    sql(file, "UPDATE journal SET state = 'failed' WHERE id = ?", entry)
    with pytest.raises(StalePlan, match="closed by somebody else"):
        env.directory.executor.apply((domain("example.org"),), entry)
    assert env.directory.get("domain", name="example.org") is None


def test_steps_come_back_from_the_journal_as_they_went(env: Env) -> None:
    steps = (domain("example.com"), step("mailbox", None, mailbox_row("a@example.com")))
    applied(env, plan("make", *steps))
    assert env.directory.journal.entry(1).steps == steps
    assert replace(steps[1], hidden=()) not in env.directory.journal.entry(1).steps
