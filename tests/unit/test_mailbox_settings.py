"""Enable, disable, quota, password, list: one mailbox and many, by the operations and the command line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.directory import passwords
from eymail.directory.rows import step
from eymail.env import Env
from eymail.errors import DirectoryError, InvalidInput, NotFound
from eymail.ops import alias, catchall, change, mailbox
from eymail.ops.mailbox.settings import parse_size
from eymail.output import Format, Printer
from tests.unit.directories import WAYS, applied, domain, environment, mailbox_row, plan, sql, world
from tests.unit.test_ops_secrets import MADE, eymail

NAMES = ("a@example.com", "b@example.com", "c@example.com")


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_COST", 4)


@pytest.fixture(params=WAYS)
def env(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Env]:
    with environment(tmp_path, request.param) as made:
        applied(made, mailbox.add_several(made, NAMES))
        yield made


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "eymail.toml"
    file.write_text(f'[directory]\nurl = "sqlite:///{tmp_path}/d/directory.db"\n')
    return file


def test_several_are_switched_in_one_change_and_back(env: Env, tmp_path: Path) -> None:
    before = world(env.directory)
    applied(env, mailbox.disable(env, NAMES[:2]))
    file = tmp_path / "d" / "directory.db"
    assert sql(file, "SELECT address FROM exim_mailboxes") == [("c@example.com",)]
    assert sql(file, "SELECT address FROM dovecot_users WHERE enabled") == [("c@example.com",)]
    again = mailbox.disable(env, NAMES)
    assert [one.key for one in again.steps] == ["c@example.com"]
    assert again.notes == ("a@example.com is disabled already", "b@example.com is disabled already")
    applied(env, mailbox.enable(env, [name.upper() for name in NAMES[:2]]))
    assert world(env.directory) == before
    applied(env, change.undo(env, 3))
    applied(env, change.undo(env, 2))
    assert world(env.directory) == before


def test_what_else_is_refused_is_asked_about(env: Env) -> None:
    applied(env, catchall.add(env, "example.com", "a@example.com"))
    applied(env, alias.add(env, "i@example.com", ("a@example.com",)))
    assert mailbox.disable(env, ["b@example.com"]).dangers == ()
    told = mailbox.disable(env, ["a@example.com"]).dangers
    assert len(told) == 2
    assert "catchall of example.com" in told[0]
    assert "i@example.com" in told[1]
    assert mailbox.enable(env, ["a@example.com"]).dangers == ()


@pytest.mark.parametrize("make", [mailbox.enable, mailbox.disable, mailbox.password])
def test_who_is_not_there_is_named_and_nothing_is_changed(env: Env, make: object) -> None:
    assert callable(make)
    with pytest.raises(NotFound, match=r"there is no mailbox x@example.com, y@example.com"):
        make(env, ["x@example.com", "a@example.com", "y@example.com"])
    with pytest.raises(InvalidInput):
        make(env, [])


def test_a_quota_and_none(env: Env) -> None:
    applied(env, mailbox.quota(env, NAMES, "2G"))
    assert {row["quota_mb"] for row in env.directory.find("mailbox")} == {2048}
    assert mailbox.quota(env, NAMES, "2048").steps == ()
    applied(env, mailbox.quota(env, NAMES[:1], "none"))
    row = env.directory.get("mailbox", address=NAMES[0])
    assert row and row["quota_mb"] is None


@pytest.mark.parametrize(
    "size", ["", "0", "-1", "1.5G", "1X", "99999999999", "9999999999G", "٣", "1 000", "None!"]
)
def test_no_quota(size: str) -> None:
    with pytest.raises(InvalidInput, match="is no quota"):
        parse_size(size)


@given(st.integers(1, 900), st.sampled_from(["", "M", "MB", "g", "GiB", "T", " G"]))
def test_sizes(number: int, unit: str) -> None:
    factor = {"": 1, "m": 1, "g": 1024, "t": 1024 * 1024}[unit.strip().lower()[:1]]
    assert parse_size(f"{number}{unit}") == number * factor


def test_passwords_made_and_given(env: Env) -> None:
    made = applied(env, mailbox.password(env, NAMES))
    assert len({one.value for one in made.secrets}) == 3
    for name, secret in zip(NAMES, made.secrets, strict=True):
        row = env.directory.get("mailbox", address=name)
        assert row and passwords.matches(secret.value, str(row["password"]))
    for scheme in passwords.SCHEMES:
        given = mailbox.password(env, NAMES[:1], "correct horse", scheme)
        assert given.secrets == ()
        applied(env, given)
        row = env.directory.get("mailbox", address=NAMES[0])
        assert row and str(row["password"]).startswith(f"{{{scheme}}}")
        assert mailbox.password(env, NAMES[:1], "correct horse", scheme).steps == ()
    with pytest.raises(InvalidInput):
        mailbox.password(env, NAMES, "correct horse")
    with pytest.raises(InvalidInput, match="shorter than 8"):
        mailbox.password(env, NAMES[:1], "horse")
    applied(env, change.undo(env, 5))


def test_a_list_comes_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eymail.ops.mailbox.listing._PAGE", 10)
    for way in WAYS:
        (tmp_path / way).mkdir()
        with environment(tmp_path / way, way) as env:
            assert [page.mailboxes for page in mailbox.pages(env)] == [()]
            rows = [mailbox_row(f"m{number:02}@{'ab'[number % 2]}.example") for number in range(40)]
            steps = [step("mailbox", None, row) for row in rows]
            applied(env, plan("make", domain("a.example"), domain("b.example"), *steps))
            sizes = [len(page.mailboxes) for page in mailbox.pages(env)]
            assert sizes == [10, 10, 10, 10, 0]
            found = [box.address for page in mailbox.pages(env, "a.EXAMPLE") for box in page.mailboxes]
            assert found == [f"m{number:02}@a.example" for number in range(0, 40, 2)]


def test_pages_are_found_by_an_index(env: Env, tmp_path: Path) -> None:
    where = "WHERE domain = 'example.com' AND (address) > ('b@example.com')"
    for condition in (where, "WHERE (address) > ('b@example.com')"):
        query = f"EXPLAIN QUERY PLAN SELECT * FROM mailboxes {condition} ORDER BY address LIMIT 10"
        told = " ".join(str(row[3]) for row in sql(tmp_path / "d" / "directory.db", query))
        assert "SEARCH" in told and "SCAN" not in told and "TEMP B-TREE" not in told, told


def test_the_commands_end_to_end(config: Path) -> None:
    names = "# those of the shop\na@example.com\n\nb@example.com\n"
    told = eymail(config, "mailbox", "add", "-", input=names)
    assert told.code == 0, told.err
    assert len(MADE.findall(told.out)) == 2
    assert eymail(config, "mailbox", "disable", "-", input=names).code == 0
    assert eymail(config, "mailbox", "quota", "-", "b@example.com", "1G", input="a@example.com\n").code == 0
    assert eymail(config, "mailbox", "list").out == "a@example.com\tno\t1024\t\nb@example.com\tno\t1024\t\n"
    listed = json.loads(eymail(config, "mailbox", "list", "--domain", "example.com", "--json").out)
    assert [box["address"] for box in listed["data"]["mailboxes"]] == ["a@example.com", "b@example.com"]
    assert (listed["status"], listed["errors"]) == ("ok", [])
    password = ("mailbox", "password", "a@example.com", "--password-stdin")
    given = eymail(config, *password, "--json", input="hunter2-hunter2\n")
    assert given.code == 0
    assert json.loads(given.out)["data"]["done"][0]["after"]["password"] == "***"
    short = eymail(config, *password, input="hunter2")
    assert short.code == 2
    assert "hunter2" not in short.out + short.err
    assert eymail(config, *password, "b@example.com", input="hunter2-hunter2").code == 2
    assert eymail(config, "mailbox", "password", "-", "--password-stdin", input="x").code == 2
    assert eymail(config, "mailbox", "enable", "-", input="").code == 2
    assert eymail(config, "mailbox", "enable", "c@example.com").code == 1


def test_an_import_and_an_export_end_to_end(config: Path, tmp_path: Path) -> None:
    eymail(config, "mailbox", "add", "a@example.com", "--password-stdin", input="hunter2-hunter2\n")
    file = tmp_path / "out.jsonl"
    told = eymail(config, "mailbox", "export", "--format", "jsonl", "--output", str(file), "--json")
    assert told.code == 0
    assert json.loads(told.out)["data"]["counts"] == [
        ["domain", 1],
        ["mailbox", 1],
        ["alias", 0],
        ["catchall", 0],
    ]
    assert file.stat().st_mode & 0o077 == 0
    assert eymail(config, "mailbox", "export", "--json").code == 2
    again = eymail(config, "mailbox", "import", str(file), "--json")
    assert json.loads(again.out)["data"]["id"] is None
    both = file.read_text() + '{"address": "b@example.com", "password": "hunter3-hunter3"}\n'
    assert eymail(config, "mailbox", "import", "-", input=both).code == 0
    gone = eymail(config, "mailbox", "import", str(file), "--replace")
    assert gone.code == 5
    assert "1 mailbox not in the file goes: b@example.com" in gone.err
    planned = eymail(config, "mailbox", "import", str(file), "--replace", "--dry-run", "--json")
    assert [one["action"] for one in json.loads(planned.out)["data"]["steps"]] == ["remove"]
    assert eymail(config, "mailbox", "import", str(file), "--replace", "--yes").code == 0
    assert eymail(config, "undo", "3").code == 0
    bad = eymail(
        config, "mailbox", "import", "-", "--json", input=f"{both}x@example.com:{{PLAIN}}hunter4-hunter4\n"
    )
    assert bad.code == 2
    errors = json.loads(bad.out)["errors"]
    assert [one["code"] for one in errors] == ["bad-lines", "invalid-input"]
    assert errors[1]["message"].startswith("line 4: ")
    assert "hunter" not in bad.out + bad.err
    nowhere = eymail(config, "mailbox", "import", str(tmp_path / "nowhere.csv"))
    assert (nowhere.code, "cannot read" in nowhere.err) == (2, True)
    history = eymail(config, "history", "--json")
    assert "hunter" not in history.out
    folder = config.parent / "d"
    assert not [one for one in folder.iterdir() if b"hunter" in one.read_bytes()]


@pytest.mark.parametrize("format", [Format.JSON, Format.PLAIN])
def test_a_list_that_breaks_off_says_so_and_is_whole_all_the_same(format: Format) -> None:
    def pages() -> Iterator[mailbox.Mailboxes]:
        yield mailbox.Mailboxes((mailbox.Mailbox("a@example.com", True, None, ""),))
        raise DirectoryError("the connection broke", "try again")

    out, err = io.StringIO(), io.StringIO()
    failure = Printer(format, out=out, err=err).pages("mailbox list", pages(), "mailboxes")
    assert failure and failure.message == "the connection broke"
    if format is Format.JSON:
        told = json.loads(out.getvalue())
        assert told["status"] == "partial"
        assert [one["address"] for one in told["data"]["mailboxes"]] == ["a@example.com"]
        assert told["errors"][0]["hint"] == "try again"
    else:
        assert out.getvalue() == "a@example.com\tyes\t\t\n"
        assert "the connection broke" in err.getvalue()
