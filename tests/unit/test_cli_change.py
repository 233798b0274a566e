"""A change that another one overtook: planned again, once, if that takes nothing more than was agreed to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eymail.cli.app import App
from eymail.directory import passwords
from eymail.env import Env
from eymail.errors import StalePlan
from eymail.ops import domain as domains
from eymail.ops import mailbox
from eymail.plan import Plan
from tests.unit.directories import applied, environment


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Env]:
    monkeypatch.setattr(passwords, "_COST", 4)
    with environment(tmp_path) as made:
        yield made


def app_of(env: Env) -> App:
    app = App("json")
    app._env = env
    return app


def overtaken(env: Env, make: Callable[[], Plan], *others: Callable[[], Plan]) -> Callable[[], Plan]:
    """Makes a plan, and another change in the moment after it, as often as there are others."""
    waiting = list(others)

    def made() -> Plan:
        plan = make()
        if waiting:
            applied(env, waiting.pop(0)())
        return plan

    return made


def test_an_addition_is_planned_again(env: Env, capsys: pytest.CaptureFixture[str]) -> None:
    make = overtaken(env, lambda: mailbox.add(env, "a@new.example"), lambda: domains.add(env, "new.example"))
    app_of(env).change(make, dry_run=False, yes=False)
    told = json.loads(capsys.readouterr().out)
    assert [step["key"] for step in told["data"]["done"]] == ["a@new.example"]
    (secret,) = told["data"]["secrets"]
    row = env.directory.get("mailbox", address="a@new.example")
    assert row and passwords.matches(secret["value"], str(row["password"]))


def test_once_and_no_more(env: Env) -> None:
    make = overtaken(
        env,
        lambda: mailbox.add(env, "a@new.example"),
        lambda: domains.add(env, "new.example"),
        lambda: domains.remove(env, "new.example"),
    )
    with pytest.raises(StalePlan):
        app_of(env).change(make, dry_run=False, yes=False)


def test_a_removal_takes_nothing_that_was_not_agreed_to(env: Env) -> None:
    applied(env, mailbox.add(env, "a@old.example"))
    make = overtaken(
        env, lambda: domains.remove(env, "old.example"), lambda: mailbox.add(env, "b@old.example")
    )
    with pytest.raises(StalePlan):
        app_of(env).change(make, dry_run=False, yes=True)
    assert len(mailbox.list_(env, "old.example").mailboxes) == 2


def test_processes_that_add_mailboxes_of_one_new_domain_all_succeed(env: Env, tmp_path: Path) -> None:
    config = str(tmp_path / "eymail.toml")
    argv = [sys.executable, "-m", "eymail", "mailbox", "add", "--config", config]
    started = [
        subprocess.Popen([*argv, f"box{number}@new.example"], stdout=subprocess.DEVNULL, stderr=-1, text=True)
        for number in range(5)
    ]
    ended = [(one.wait(60), one.stderr.read() if one.stderr else "") for one in started]
    assert [code for code, _ in ended] == [0] * 5, ended
    assert len(mailbox.list_(env, "new.example").mailboxes) == 5


def test_domains_and_addresses_from_standard_input(env: Env, tmp_path: Path) -> None:
    """A line that is too long is one bad name, and nothing of its end is taken for another."""
    config = ("--config", str(tmp_path / "eymail.toml"))

    def run(*args: str, lines: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "eymail", *args, *config]
        return subprocess.run(argv, input=lines, capture_output=True, text=True, timeout=60)

    assert run("domain", "add", "-", lines="one.example\n\n# two.example\nThree.example.\n").returncode == 0
    assert [one.name for one in domains.list_(env).domains] == ["one.example", "three.example"]
    long = "x" * 1024 + "y@one.example"
    told = run("route", "-", lines=f"{long}\nz@one.example\n")
    assert [line.split("\t")[:2] for line in told.stdout.splitlines()] == [["z@one.example", "refused"]]
    assert told.returncode == 1
    assert run("domain", "remove", "-", lines=f"{long}\n").returncode == 2
    assert run("domain", "remove", "-", lines="one.example\nthree.example\n").returncode == 0
    assert domains.list_(env).domains == ()
