"""Changes of several kinds in one plan: the journal and the world after a process was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eymail.dns import rows
from eymail.env import Env
from eymail.errors import HostError, Refused, StalePlan
from eymail.hosts.files import read, step
from eymail.hosts.local import LocalHost
from eymail.ops import change
from eymail.plan import Plan, Step
from tests.unit.directories import applied, domain, environment

_CLUSTER = """
default_cluster = "ey04"
[clusters.ey04.hosts]
relay1 = { role = "relay", address = "10.44.0.11" }
relay2 = { role = "relay", address = "10.44.0.12" }
"""


@contextmanager
def cluster(folder: Path) -> Iterator[Env]:
    """A directory and two relays, which are both this machine."""
    with environment(folder) as env:
        config = folder / "eymail.toml"
        directory = config.read_text().removeprefix(_CLUSTER)
        config.write_text(_CLUSTER + directory)
        env._hosts.update({name: LocalHost(name) for name in ("relay1", "relay2")})
        (folder / "etc").mkdir(exist_ok=True)
        yield env


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    with cluster(tmp_path) as made:
        yield made


def write(folder: Path, host: str, name: str, text: str) -> Step:
    """The step to a file of this text from whatever is there."""
    path = str(folder / "etc" / name)
    (sample := folder / "etc" / "sample").touch(0o644)
    found = read(LocalHost(host), [path, str(sample)])
    there, row = found[path], found[str(sample)]
    assert row is not None
    before = None if there is None else {**there, "service": ""}
    return step(host, path, before, {**(there or row), "content": text, "service": ""})


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "etc").iterdir() if path.name != "sample"}


def whole(folder: Path) -> Plan:
    """The directory, two files of one host, one of another, and the directory again."""
    steps = (
        domain("example.com"),
        write(folder, "relay1", "one", "1"),
        write(folder, "relay1", "two", "2"),
        write(folder, "relay2", "three", "3"),
        domain("example.org"),
    )
    return Plan("all of it", steps)


def test_all_kinds_in_one_plan_and_back(env: Env, tmp_path: Path) -> None:
    (tmp_path / "etc" / "two").write_text("before")
    done = applied(env, whole(tmp_path))
    assert texts(tmp_path) == {"one": "1", "two": "2", "three": "3"}
    entry = env.directory.journal.entry(1)
    assert (entry.state, entry.done, len(done.done)) == ("done", 5, 5)
    back = change.undo(env, 1)
    assert back.dangers == ()
    applied(env, back)
    assert texts(tmp_path) == {"two": "before"}
    assert env.directory.find("domain") == ()
    applied(env, change.undo(env, 2))
    assert texts(tmp_path) == {"one": "1", "two": "2", "three": "3"}


def test_a_later_act_that_fails_leaves_the_first_to_be_undone(env: Env, tmp_path: Path) -> None:
    plan = whole(tmp_path)
    (tmp_path / "etc" / "three").write_text("mine")
    outcome = applied(env, plan)
    assert [len(part) for part in (outcome.done, outcome.failed, outcome.not_run)] == [3, 1, 1]
    assert outcome.error is not None
    assert outcome.error.code == "stale-plan"
    assert env.directory.journal.entry(1).state == "partial"
    applied(env, change.undo(env, 1))
    assert texts(tmp_path) == {"three": "mine"}
    assert env.directory.find("domain") == ()


def test_undo_names_the_later_change_of_a_file(env: Env, tmp_path: Path) -> None:
    applied(env, Plan("first", (write(tmp_path, "relay1", "one", "1"),)))
    applied(env, Plan("second", (write(tmp_path, "relay1", "one", "2"),)))
    with pytest.raises(StalePlan, match=r"relay1 .*etc/one is no .*, since change 2 \(second, by") as stale:
        change.undo(env, 1)
    assert stale.value.hint.endswith("eymail undo 2")
    (tmp_path / "etc" / "one").write_text("mine")
    with pytest.raises(StalePlan, match=r"etc/one on relay1 is no longer as it was$"):
        change.undo(env, 2)


def test_what_another_eymail_made_is_left_alone(env: Env) -> None:
    entry = env.directory.journal.begin(Plan("new", (Step("moon", "a", "b", None, {"x": 1}),)))
    env.directory.journal.mark(entry, 1)
    with pytest.raises(Refused, match="changes of the kind 'moon'"):
        change.undo(env, entry)


def test_dns_that_others_change_is_refused_before_anything_is_done(env: Env) -> None:
    dns = rows.step("x.org", "x.org", "TXT", None, rows.row("TXT", 300, ["a"]))
    with pytest.raises(Refused, match="how the DNS of cluster ey04 is changed is not configured") as refused:
        applied(env, Plan("both", (domain("example.com"), dns)))
    assert "[clusters.ey04.update]" in refused.value.hint
    assert env.directory.find("domain") == ()


KILLED = """
import os, signal, sys
from pathlib import Path
from eymail.directory.journal import DirectoryJournal
from eymail.hosts.files import FileExecutor
from tests.unit.directories import applied
from tests.unit.test_change_kinds import cluster, whole

folder, where, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def killing(method):
    calls = []
    def called(self, *args):
        calls.append(args)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return method(self, *args)
    return called

if where == "mark":
    DirectoryJournal.mark = killing(DirectoryJournal.mark)
else:
    FileExecutor.apply = killing(FileExecutor.apply)
with cluster(folder) as env:
    applied(env, whole(folder))
"""


def killed(folder: Path, where: str, number: int) -> None:
    """A process that applies the whole plan and dies when it comes to a call for the nth time."""
    argv = [sys.executable, "-c", KILLED, str(folder), where, str(number)]
    done = subprocess.run(argv, cwd=Path(__file__).parents[2], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("where", "number"), [("apply", 1), ("mark", 1), ("apply", 2), ("mark", 2)])
def test_killed_around_an_act_undo_takes_back_what_stands(tmp_path: Path, where: str, number: int) -> None:
    """Before an act, or between it and its mark: the journal is the same, the world is not."""
    killed(tmp_path, where, number)
    made = {"one": "1", "two": "2", "three": "3"} if where == "mark" and number == 2 else {}
    made |= {} if (where, number) == ("apply", 1) else {"one": "1", "two": "2"}
    assert texts(tmp_path) == made
    with cluster(tmp_path) as env:
        entry = env.directory.journal.entry(1)
        assert (entry.state, entry.done) == ("running", {1: 1, 2: 3}[number])
        back = change.undo(env, 1)
        assert len(back.steps) == 1 + len(made)
        assert [danger for danger in back.dangers if "nothing may still be making it" in danger]
        applied(env, back)
        assert texts(tmp_path) == {}
        assert env.directory.find("domain") == ()
        with pytest.raises(Refused, match="undone already"):
            change.undo(env, 1)


def test_of_an_act_that_stands_in_part_the_part_is_taken_back(tmp_path: Path) -> None:
    """A host that lost its power between two renames."""
    killed(tmp_path, "mark", 1)
    (tmp_path / "etc" / "two").unlink()
    with cluster(tmp_path) as env:
        back = change.undo(env, 1)
        assert [Path(step.key).name for step in back.steps] == ["one", "example.com"]
        applied(env, back)
    assert texts(tmp_path) == {}


def test_an_undo_that_was_killed_is_told(tmp_path: Path) -> None:
    with cluster(tmp_path) as env:
        applied(env, Plan("first", (write(tmp_path, "relay1", "one", "1"),)))
        back = change.undo(env, 1)
        env.directory.journal.begin(back)
        (tmp_path / "etc" / "one").unlink()  # what the killed undo did and could not mark
        with pytest.raises(StalePlan, match="change 2 began to take it back") as stale:
            change.undo(env, 1)
        assert "eymail undo 2" in stale.value.hint
        applied(env, change.undo(env, 2))
        assert texts(tmp_path) == {"one": "1"}
        applied(env, change.undo(env, 1))
        assert texts(tmp_path) == {}


def test_a_lost_journal_does_not_hide_what_was_done(
    env: Env, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eymail.directory.agent.BUSY", 0.05)
    file = tmp_path / "d" / "directory.db"
    import sqlite3

    from eymail.hosts.files import FileExecutor

    apply = FileExecutor.apply
    held: list[sqlite3.Connection] = []

    def then_busy(self: FileExecutor, steps: tuple[Step, ...], entry: int) -> None:
        apply(self, steps, entry)
        held.append(sqlite3.connect(file, isolation_level=None))
        held[0].execute("BEGIN IMMEDIATE")

    monkeypatch.setattr(FileExecutor, "apply", then_busy)
    outcome = applied(env, Plan("first", (write(tmp_path, "relay1", "one", "1"),)))
    held[0].close()
    assert outcome.exit_code == 4
    assert len(outcome.done) == 1
    assert env.directory.journal.entry(1).state == "running"
    monkeypatch.setattr(FileExecutor, "apply", apply)
    applied(env, change.undo(env, 1))
    assert texts(tmp_path) == {}


def test_a_host_that_cannot_be_asked_leaves_the_doubt(tmp_path: Path) -> None:
    killed(tmp_path, "mark", 1)
    with cluster(tmp_path) as env:

        class Dead(LocalHost):
            def run(self, *_args: object, **_options: object) -> object:  # type: ignore[override]
                raise HostError("relay1 does not answer")

        env._hosts["relay1"] = Dead("relay1")
        with pytest.raises(HostError, match="does not answer"):
            change.undo(env, 1)
        assert env.directory.journal.entry(1).state == "running"
