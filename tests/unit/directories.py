"""Directories for tests: a file of this machine, opened directly or by way of the agent."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eymail.directory import Directory, open_directory
from eymail.directory.rows import step
from eymail.env import Env
from eymail.hosts.local import LocalHost
from eymail.ops import change
from eymail.plan import Outcome, Plan, Row, Step

WAYS = ("direct", "agent")
PLACES = ("domain", "mailbox", "alias", "catchall")
HASH = "{BLF-CRYPT}$2y$04$abcdefghijklmnopqrstuuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def url(file: Path) -> str:
    return f"sqlite:///{file}"


@contextmanager
def directory(file: Path, way: str = "direct") -> Iterator[Directory]:
    with open_directory(url(file), LocalHost("here") if way == "agent" else None) as opened:
        yield opened


@contextmanager
def environment(folder: Path, way: str = "direct") -> Iterator[Env]:
    """An Env whose directory is ``folder``/d/directory.db; nothing is made yet."""
    file = folder / "d" / "directory.db"
    config = folder / "eymail.toml"
    config.write_text(f'[directory]\nurl = "{url(file)}"\n')
    env = Env(str(config))
    with directory(file, way) as opened:
        env.__dict__["directory"] = opened  # cached_property's own slot
        yield env


def applied(env: Env, plan: Plan) -> Outcome:
    return change.apply(env, plan)


def world(opened: Directory) -> dict[str, tuple[Row, ...]]:
    """Every row of every place."""
    return {place: opened.find(place) for place in PLACES}


def plan(title: str, *steps: Step) -> Plan:
    return Plan(title, steps)


def domain(name: str) -> Step:
    return step("domain", None, {"name": name})


def mailbox_row(address: str, password: str = HASH) -> Row:
    owner = address.rpartition("@")[2]
    fixed = {"password": password, "enabled": True, "quota_mb": None, "host": "mail1"}
    return {"address": address, "domain": owner, **fixed}


def sql(file: Path, statement: str, *parameters: object) -> list[tuple[object, ...]]:
    """Straight into the file, as somebody else than eymail would."""
    connection = sqlite3.connect(file, timeout=10)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        with connection:
            return connection.execute(statement, parameters).fetchall()
    finally:
        connection.close()
