"""Plain SQL and SQLAlchemy say the same of one directory; and what is out of the ordinary is left to one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Boolean

from eymail.directory import Directory, plain
from eymail.directory.rows import step
from eymail.directory.schema import PLACES
from eymail.env import Env
from eymail.errors import DirectoryError
from tests.unit.directories import WAYS, applied, directory, domain, environment, mailbox_row, plan, sql

ROWS = (
    domain("example.com"),
    domain("example.org"),
    step("mailbox", None, mailbox_row("a@example.com")),
    step("mailbox", None, {**mailbox_row("b@example.org"), "enabled": False, "quota_mb": 7}),
    step("alias", None, {"address": "i@example.com", "target": "b@example.org", "domain": "example.com"}),
    step("alias", None, {"address": "i@example.com", "target": "a@example.com", "domain": "example.com"}),
    step("catchall", None, {"domain": "example.com", "subdomains": True, "mailbox": "a@example.com"}),
    step("catchall", None, {"domain": "example.com", "subdomains": False, "mailbox": "b@example.org"}),
)
VALUES = st.sampled_from(
    [
        "example.com",
        "a@example.com",
        "b@example.org",
        "i@example.com",
        "",
        "x' OR 1=1 --",
        None,
        True,
        False,
        7,
        0,
    ]
)
WHERE = VALUES | st.lists(st.sampled_from(["example.com", "a@example.com", "b@example.org"])).map(tuple)


def by_sqlalchemy(opened: Directory) -> Directory:
    """The same directory, with SQLAlchemy loaded and used."""
    assert opened.count("mailbox")
    return opened


def test_the_tables_are_those_of_the_schema() -> None:
    for name, place in plain.PLACES.items():
        table = PLACES[name]
        assert place.table == table.name
        assert place.columns == tuple(column.name for column in table.columns)
        assert place.key == tuple(column.name for column in table.primary_key)
        assert place.truths == tuple(one.name for one in table.columns if isinstance(one.type, Boolean))


@pytest.mark.parametrize("way", WAYS)
def test_both_give_the_same_rows(tmp_path: Path, way: str) -> None:
    with environment(tmp_path) as env:
        applied(env, plan("make", *ROWS))
    file = tmp_path / "d" / "directory.db"

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data(), st.sampled_from(sorted(plain.PLACES)))
    def same(data: st.DataObject, place: str) -> None:
        columns = st.sampled_from(plain.PLACES[place].columns)
        where = data.draw(st.dictionaries(columns, WHERE, max_size=3))
        found = quick.find(place, **where)
        assert quick._opened is None
        assert found == other.find(place, **where)
        assert [tuple(row) for row in found] == [tuple(row) for row in other.find(place, **where)]

    with directory(file, way) as quick, directory(file, way) as slow:
        other = by_sqlalchemy(slow)
        same()


@pytest.mark.parametrize("way", WAYS)
def test_what_is_changed_by_one_is_seen_by_the_other(tmp_path: Path, way: str) -> None:
    with environment(tmp_path, way) as env:
        assert env.directory.find("domain") == ()
        applied(env, plan("make", *ROWS))
        assert len(env.directory.find("domain")) == 2
    with environment(tmp_path, way) as env:
        assert len(env.directory.find("domain")) == 2
        assert env.directory._opened is None
        applied(env, plan("more", domain("example.net")))
        assert len(env.directory.find("domain")) == 3


def test_what_is_out_of_the_ordinary_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "d" / "directory.db"
    with directory(file) as opened:
        assert opened.find("domain") == ()
    assert not file.exists()
    with environment(tmp_path) as env:
        applied(env, plan("make", *ROWS))
    with directory(file) as opened:
        assert opened.find("source") == ()
        with pytest.raises(KeyError):
            opened.find("mailbox", nothing="x")
    sql(file, "UPDATE alembic_version SET version_num = '9999'")
    with directory(file) as opened, pytest.raises(DirectoryError):
        opened.find("domain")
    file.write_bytes(b"no directory at all, but longer than a header has to be" * 50)
    with directory(file) as opened, pytest.raises(DirectoryError):
        opened.find("domain")


def test_route_loads_no_sqlalchemy(tmp_path: Path) -> None:
    with environment(tmp_path) as env:
        applied(env, plan("make", *ROWS))
        assert isinstance(env, Env)
    argv = [sys.executable, "-X", "importtime", "-m", "eymail", "route", "i@example.com"]
    done = subprocess.run(
        [*argv, "--config", str(tmp_path / "eymail.toml")], capture_output=True, text=True, check=False
    )
    assert "a@example.com" in done.stdout
    assert " eymail.directory.plain" in done.stderr
    assert " sqlalchemy" not in done.stderr
