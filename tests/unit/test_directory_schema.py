"""The schema holds what the code promises: constraints, views, indexes, modes, migrations."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from eymail.directory import Directory
from eymail.errors import ConfigError, DirectoryError
from tests.unit.directories import HASH, WAYS, directory, sql, url

DOMAIN = "INSERT INTO domains VALUES (?)"
MAILBOX = "INSERT INTO mailboxes VALUES (?, ?, ?, 1, NULL, 'mail1')"
ALIAS = "INSERT INTO aliases VALUES (?, ?, ?)"
CATCHALL = "INSERT INTO catchalls VALUES (?, ?, ?)"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "d" / "directory.db"
    with directory(path) as opened:
        opened.migrate()
    sql(path, DOMAIN, "example.com")
    sql(path, MAILBOX, "joe@example.com", "example.com", HASH)
    yield path


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (DOMAIN, ("Example.com",)),
        (DOMAIN, ("nodot",)),
        (DOMAIN, ("a b.com",)),
        (DOMAIN, ("example.com",)),
        (MAILBOX, ("ann@other.com", "other.com", HASH)),
        (MAILBOX, ("ann@other.com", "example.com", HASH)),
        (MAILBOX, ("Ann@example.com", "example.com", HASH)),
        (MAILBOX, ("a nn@example.com", "example.com", HASH)),
        (MAILBOX, ("ann\n@example.com", "example.com", HASH)),
        (MAILBOX, ("ann@x@example.com", "example.com", HASH)),
        (MAILBOX, ("@example.com", "example.com", HASH)),
        (MAILBOX, ("ann@example.com", "example.com", "plain text")),
        (ALIAS, ("joe@example.com", "x@y.org", "example.com")),
        (ALIAS, ("a@example.com", "a@example.com", "example.com")),
        (ALIAS, ("a@example.com", "nowhere", "example.com")),
        (ALIAS, ("a@example.com", "x@y.org, z@y.org", "example.com")),
        (CATCHALL, ("example.com", 0, "nobody@example.com")),
        (CATCHALL, ("unknown.com", 0, "joe@example.com")),
        (CATCHALL, ("example.com", 2, "joe@example.com")),
    ],
)
def test_the_database_refuses(file: Path, statement: str, values: tuple[object, ...]) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        sql(file, statement, *values)


def test_the_database_refuses_what_two_administrators_would_make_together(file: Path) -> None:
    sql(file, ALIAS, "a@example.com", "b@example.com", "example.com")
    sql(file, ALIAS, "b@example.com", "c@example.com", "example.com")
    with pytest.raises(sqlite3.IntegrityError, match="leads back to itself"):
        sql(file, ALIAS, "c@example.com", "a@example.com", "example.com")
    with pytest.raises(sqlite3.IntegrityError, match="the address is an alias"):
        sql(file, MAILBOX, "a@example.com", "example.com", HASH)


def test_a_subdomain_catchall_leads_to_its_own_domain(file: Path) -> None:
    sql(file, DOMAIN, "example.org")
    sql(file, CATCHALL, "example.org", 0, "joe@example.com")
    with pytest.raises(sqlite3.IntegrityError):
        sql(file, CATCHALL, "example.org", 1, "joe@example.com")


@pytest.mark.parametrize("statement", ["DELETE FROM domains", "DELETE FROM mailboxes"])
def test_what_is_needed_cannot_be_removed(file: Path, statement: str) -> None:
    sql(file, CATCHALL, "example.com", 0, "joe@example.com")
    with pytest.raises(sqlite3.IntegrityError):
        sql(file, statement)


def test_the_views_that_the_daemons_read(file: Path) -> None:
    sql(file, MAILBOX, "off@example.com", "example.com", HASH)
    sql(file, "UPDATE mailboxes SET enabled = 0, quota_mb = 5 WHERE address = 'off@example.com'")
    for target in ("joe@example.com", "ann@other.org"):
        sql(file, ALIAS, "team@example.com", target, "example.com")
    sql(file, CATCHALL, "example.com", 0, "joe@example.com")
    sql(file, CATCHALL, "example.com", 1, "off@example.com")
    assert sql(file, "SELECT domain FROM exim_domains") == [("example.com",)]
    assert sql(file, "SELECT address, host FROM exim_mailboxes") == [("joe@example.com", "mail1")]
    assert sql(file, "SELECT address, targets FROM exim_aliases") == [
        ("team@example.com", "ann@other.org, joe@example.com")
    ]
    assert sql(file, "SELECT domain, mailbox FROM exim_catchalls") == [("example.com", "joe@example.com")]
    caught = sql(file, "SELECT domain, mailbox FROM exim_subdomain_catchalls")
    assert caught == [("example.com", "off@example.com")]
    assert sql(file, "SELECT address, password, enabled, quota_mb FROM dovecot_users") == [
        ("joe@example.com", HASH, 1, None),
        ("off@example.com", HASH, 0, 5),
    ]


PARENTS = """WITH RECURSIVE parent (name) AS (
    SELECT 'a.b.example.com'
    UNION ALL SELECT substr(name, instr(name, '.') + 1) FROM parent WHERE instr(name, '.') > 0)
    SELECT mailbox FROM parent JOIN exim_subdomain_catchalls ON domain = parent.name
    ORDER BY length(parent.name) DESC LIMIT 1"""


@pytest.mark.parametrize(
    "look_up",
    [
        "SELECT domain FROM exim_domains WHERE domain = 'x.org'",
        "SELECT address, host FROM exim_mailboxes WHERE address = 'a@x.org'",
        "SELECT targets FROM exim_aliases WHERE address = 'a@x.org'",
        "SELECT mailbox FROM exim_catchalls WHERE domain = 'x.org'",
        "SELECT password FROM dovecot_users WHERE address = 'a@x.org' AND enabled",
        PARENTS,
    ],
)
def test_every_look_up_of_the_daemons_uses_an_index(file: Path, look_up: str) -> None:
    plan = [str(row[3]) for row in sql(file, f"EXPLAIN QUERY PLAN {look_up}")]
    assert any(line.startswith("SEARCH") for line in plan), plan
    tables = ("domains", "mailboxes", "aliases", "catchalls")
    assert not [line for line in plan if line.startswith(tuple(f"SCAN {table}" for table in tables))], plan


def test_the_longest_parent_wins(file: Path) -> None:
    for name in ("b.example.com", "com.example"):
        sql(file, DOMAIN, name)
    sql(file, MAILBOX, "in@b.example.com", "b.example.com", HASH)
    sql(file, CATCHALL, "example.com", 1, "joe@example.com")
    assert sql(file, PARENTS) == [("joe@example.com",)]
    sql(file, CATCHALL, "b.example.com", 1, "in@b.example.com")
    assert sql(file, PARENTS) == [("in@b.example.com",)]


def test_the_newest_migration_is_the_one_that_the_code_expects() -> None:
    from eymail.directory.migration import scripts
    from eymail.directory.plain import VERSION

    assert scripts().get_current_head() == VERSION


def test_queries_see_the_tables_that_the_migrations_make(file: Path) -> None:
    from eymail.directory.schema import metadata

    for table in metadata.sorted_tables:
        made = [(row[1], row[3], bool(row[5])) for row in sql(file, f"PRAGMA table_info({table.name})")]
        seen = [(column.name, int(not column.nullable), column.primary_key) for column in table.columns]
        if table.name == "journal":  # SQLite does not call its row id NOT NULL
            seen[0] = ("id", 0, True)
        assert made == seen


@pytest.mark.parametrize("way", WAYS)
def test_files_are_open_to_the_group_and_to_nobody_else(tmp_path: Path, way: str) -> None:
    path = tmp_path / "d" / "directory.db"
    before = os.umask(0o077)
    try:
        with directory(path, way) as opened:
            opened.migrate()
            assert opened.find("domain") == ()
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o2770
    assert modes == {"directory.db": 0o660, "directory.db-wal": 0o660, "directory.db-shm": 0o660}
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_made_yet_reads_as_empty_and_is_not_made_by_reading(tmp_path: Path, way: str) -> None:
    path = tmp_path / "none" / "directory.db"
    with directory(path, way) as opened:
        assert not opened.exists
        assert opened.find("mailbox", domain="example.com") == ()
        assert opened.journal.entries(5) == ()
    assert not path.parent.exists()


@pytest.mark.parametrize("way", WAYS)
def test_an_empty_file_that_a_look_up_left_is_taken_over(tmp_path: Path, way: str) -> None:
    path = tmp_path / "directory.db"
    path.touch(0o600)
    with directory(path, way) as opened:
        assert not opened.exists
        opened.migrate()
        assert opened.exists
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.parametrize("way", WAYS)
def test_a_directory_of_a_newer_eymail_is_left_alone(tmp_path: Path, file: Path, way: str) -> None:
    sql(file, "UPDATE alembic_version SET version_num = '9999'")
    before = file.read_bytes()
    with directory(file, way) as opened, pytest.raises(DirectoryError, match="made by a newer eymail"):
        opened.find("domain")
    assert file.read_bytes() == before


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_no_directory_is_one_sentence(tmp_path: Path, way: str) -> None:
    path = tmp_path / "directory.db"
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    with directory(path, way) as opened, pytest.raises(DirectoryError, match="file is not a database"):
        opened.find("domain")


@pytest.mark.parametrize("way", WAYS)
def test_a_place_where_nothing_can_be_made(tmp_path: Path, way: str) -> None:
    (tmp_path / "file").touch()
    with directory(tmp_path / "file" / "directory.db", way) as opened:
        assert opened.find("domain") == ()
        with pytest.raises(DirectoryError, match="cannot open the directory"):
            opened.migrate()


@pytest.mark.parametrize(
    "wrong", ["sqlite:///relative.db", "sqlite://", "postgresql://x/y", "/var/x.db", url(Path("/x")) + "?a=1"]
)
def test_only_an_absolute_sqlite_file_is_a_directory(wrong: str) -> None:
    from eymail.directory import open_directory

    with pytest.raises(ConfigError, match=r"directory\.url"), open_directory(wrong, None):
        pass


def test_find_takes_one_value_or_any_of_several(file: Path) -> None:
    sql(file, DOMAIN, "example.org")
    sql(file, DOMAIN, "example.net")
    with directory(file) as opened:
        assert isinstance(opened, Directory)
        assert opened.find("domain", name="example.org") == ({"name": "example.org"},)
        chosen = opened.find("domain", name=("example.org", "example.com", "no.where"))
        assert [row["name"] for row in chosen] == ["example.com", "example.org"]
        assert opened.find("domain", name=()) == ()
        assert opened.count("mailbox") == {"example.com": 1}
