"""Source addresses in the directory: what the database refuses, one reading, and the way from version 1."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from eymail.directory.rows import step
from eymail.errors import StalePlan
from tests.unit.directories import WAYS, applied, directory, environment, plan, sql

ADDRESS = "INSERT INTO source_addresses VALUES (?, ?)"
INSIDE = "INSERT INTO source_inside VALUES (?, ?, ?, ?)"
SOURCE = "INSERT INTO sources VALUES (?, ?)"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "d" / "directory.db"
    with directory(path) as opened:
        opened.migrate()
    sql(path, ADDRESS, "198.18.0.12", "ey04")
    sql(path, INSIDE, "198.18.0.12", "relay1", "ey04", "10.44.0.114")
    sql(path, SOURCE, "example.com", "198.18.0.12")
    yield path


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (ADDRESS, ("198.18.0.12", "ey05")),
        (ADDRESS, ("198.18.0.13'", "ey04")),
        (ADDRESS, ("2001:db8::1", "ey04")),
        (ADDRESS, ("198.18.0", "ey04")),
        (ADDRESS, ("198.18.0.13", "ey 04")),
        (INSIDE, ("198.18.0.12", "relay1", "ey04", "10.44.0.115")),
        (INSIDE, ("198.18.0.12", "relay2", "ey04", "10.44.0.114")),
        (INSIDE, ("198.18.0.12", "relay2", "ey05", "10.44.0.115")),
        (INSIDE, ("198.18.0.13", "relay2", "ey04", "10.44.0.115")),
        (INSIDE, ("198.18.0.12", "relay2", "ey04", "10.44.0.x")),
        (SOURCE, ("example.com", "198.18.0.12")),
        (SOURCE, ("example.org", "198.18.0.13")),
        (SOURCE, ("Example.org", "198.18.0.12")),
        ("DELETE FROM source_addresses WHERE address = ?", ("198.18.0.12",)),
    ],
)
def test_the_database_refuses(file: Path, statement: str, values: tuple[object, ...]) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        sql(file, statement, *values)


def test_inner_addresses_of_two_clusters_may_be_the_same(file: Path) -> None:
    """Each cluster has a network of its own, and nothing says that they differ."""
    sql(file, ADDRESS, "198.18.5.12", "ey05")
    sql(file, INSIDE, "198.18.5.12", "relay1", "ey05", "10.44.0.114")


@pytest.mark.parametrize("way", WAYS)
def test_one_reading_gives_a_clusters_addresses(file: Path, way: str) -> None:
    sql(file, SOURCE, "example.org", "198.18.0.12")
    sql(file, ADDRESS, "198.18.0.9", "ey04")
    sql(file, ADDRESS, "198.18.5.12", "ey05")
    bare = {"address": "198.18.0.9", "sender_domain": None, "host": None, "inside": None}
    inside = {"host": "relay1", "inside": "10.44.0.114"}
    with directory(file, way) as opened:
        assert opened.source_rows("ey04") == (
            {"address": "198.18.0.12", "sender_domain": "example.com", **inside},
            {"address": "198.18.0.12", "sender_domain": "example.org", **inside},
            bare,
        )
        assert opened.source_rows("ey06") == ()


@pytest.mark.parametrize("way", WAYS)
def test_steps_make_and_take_back_an_assignment(tmp_path: Path, way: str) -> None:
    """Inner addresses after the address that they are for; and the other way round when it is taken back."""
    steps = (
        step("source_address", None, {"address": "198.18.0.12", "cluster": "ey04"}),
        step("source_inside", None, _inside("relay1", "10.44.0.114")),
        step("source", None, {"sender_domain": "example.com", "source_address": "198.18.0.12"}),
    )
    with environment(tmp_path, way) as env:
        applied(env, plan("assign", *steps))
        assert len(env.directory.source_rows("ey04")) == 1
        taken = step("source_inside", None, _inside("relay2", "10.44.0.114"))
        with pytest.raises(StalePlan, match=r"10\.44\.0\.114 on relay2"):
            applied(env, plan("another", taken))
        with pytest.raises(StalePlan, match=r"source example\.com needs it"):
            applied(env, plan("too early", steps[0].inverse()))
        applied(env, plan("release", *(one.inverse() for one in reversed(steps))))
        assert env.directory.source_rows("ey04") == ()


def _inside(host: str, inside: str) -> dict[str, str]:
    return {"source_address": "198.18.0.12", "host": host, "cluster": "ey04", "inside": inside}


@pytest.mark.parametrize("way", WAYS)
def test_a_directory_of_version_1_becomes_one_of_version_2(tmp_path: Path, way: str) -> None:
    path = tmp_path / "directory.db"
    _first_version(path)
    with directory(path, way) as opened:
        assert opened.find("domain") == ({"name": "example.com"},)
        assert opened.source_rows("ey04") == ()
    assert sql(path, "SELECT version_num FROM alembic_version") == [("0002",)]


def _first_version(path: Path) -> None:
    """As the first eymail made it: the statements of its one migration."""
    from eymail.directory.migration import scripts

    revision = scripts().get_revision("0001")
    assert revision is not None
    first = revision.module
    for statement in (*first._TABLES, *first._INDEXES, *first._TRIGGERS, *first._VIEWS):
        sql(path, statement)
    sql(path, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    sql(path, "INSERT INTO alembic_version VALUES ('0001')")
    sql(path, "INSERT INTO domains VALUES ('example.com')")
