"""Imports: every line is a record or a sentence, all are made or none, and an export comes back as it was."""

from __future__ import annotations

import csv
import io
import json
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eymail.directory import passwords
from eymail.env import Env
from eymail.errors import BadLines, InvalidInput, StalePlan
from eymail.model import Address
from eymail.ops import alias, catchall, change, mailbox
from eymail.ops.mailbox import exporting, importing, lines
from eymail.ops.mailbox.importing import Mode
from eymail.ops.mailbox.lines import Format
from eymail.ops.mailbox.records import Record
from tests.unit.directories import HASH, WAYS, applied, environment, world

SHA = passwords.hashed("correct horse", "SHA512-CRYPT")
SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_COST", 4)


@pytest.fixture(params=WAYS)
def env(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Env]:
    with environment(tmp_path, request.param) as made:
        yield made


def read(text: str | bytes, format: Format | None = None) -> tuple[Record, ...]:
    return importing.read(io.BytesIO(text.encode() if isinstance(text, str) else text), format)


def do(env: Env, text: str | bytes, mode: Mode = Mode.ADD) -> importing.Imported:
    """Import; the same import again finds nothing to do."""
    records = read(text)
    done = importing.apply(env, importing.plan(env, records, mode), records)
    assert importing.plan(env, records, mode).steps == ()
    return done


def export(env: Env, format: Format = Format.CSV) -> str:
    return "".join(f"{line}\n" for _, line in exporting.lines(env, format))


def refused(env: Env, text: str | bytes, mode: Mode = Mode.ADD) -> list[str]:
    """What is said of each bad line; the directory is as it was."""
    before = world(env.directory)
    with pytest.raises(BadLines) as told:
        importing.plan(env, read(text), mode)
    assert world(env.directory) == before
    assert SECRET not in str([(one.message, one.hint) for one in told.value.parts])
    return [one.message for one in told.value.each]


FULL = f"""kind,address,password,enabled,quota_mb,host,target
domain,empty.example,,,,,
mailbox,joe@example.com,{SHA},no,500,mail1,
mailbox,o'brien@example.com,{HASH},yes,,,
alias,info@example.com,,,,,joe@example.com
alias,info@example.com,,,,,"away@elsewhere.example"
catchall,*@example.com,,,,,joe@example.com
catchall,*@*.example.com,,,,,o'brien@example.com
"""


@pytest.mark.parametrize("format", [Format.CSV, Format.JSONL])
def test_an_export_comes_back_as_it_was(env: Env, tmp_path: Path, format: Format) -> None:
    counts = {one.kind: one.added for one in do(env, FULL).counts}
    assert counts == {"domain": 2, "mailbox": 2, "alias": 2, "catchall": 2}
    assert env.directory.get("mailbox", address="joe@example.com") == {
        "address": "joe@example.com",
        "domain": "example.com",
        "password": SHA,
        "enabled": False,
        "quota_mb": 500,
        "host": "mail1",
    }
    before, text = world(env.directory), export(env, format)
    for mode in Mode:
        assert importing.plan(env, read(text), mode).steps == ()
    (tmp_path / "other").mkdir()
    with environment(tmp_path / "other") as other:
        do(other, text)
        assert world(other.directory) == before
        assert export(other, format) == text
    applied(env, change.undo(env, 1))
    assert not any(world(env.directory).values())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_the_directory_holds_comes_back(data: st.DataObject) -> None:
    local = st.text("abcXYZ019!#%&'+=?^_{|}~.-", min_size=1, max_size=8)
    owner = st.sampled_from(["example.com", "sub.example.com", "xn--bcher-kva.example"])
    boxes = data.draw(
        st.lists(st.tuples(local, owner, st.none() | st.integers(1, 10**9), st.booleans()), max_size=8)
    )
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:  # noqa: SIM117 (too long)
        with environment(Path(one)) as env, environment(Path(two)) as other:
            made = _made(env, boxes)
            if made and data.draw(st.booleans()):
                applied(env, catchall.add(env, made[0].rpartition("@")[2], made[-1]))
                applied(env, alias.add(env, "alias@example.org", (made[0], "out@elsewhere.example")))
            for format in (Format.CSV, Format.JSONL):
                text = export(env, format)
                records = read(text)
                importing.apply(other, importing.plan(other, records, Mode.REPLACE), records)
                assert world(other.directory) == world(env.directory)


def _made(env: Env, boxes: list[tuple[str, str, int | None, bool]]) -> list[str]:
    made = []
    for name, owner, quota, enabled in boxes:
        try:
            address = str(Address.parse_name(f"{name}@{owner}"))
        except InvalidInput:
            continue
        cells = {"address": address, "password": HASH, "quota_mb": quota, "enabled": enabled}
        records = read(json.dumps(cells))
        importing.apply(env, importing.plan(env, records, Mode.UPDATE), records)
        made.append(address)
    return made


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))),
    st.sampled_from([None, *Format]),
)
def test_any_bytes_are_records_or_sentences(found: list[bytes], format: Format | None) -> None:
    content = b"\n".join(found)
    last = 0
    for one in lines.records(io.BytesIO(content), format):
        number = one.line if isinstance(one, Record) else one[0]
        assert last <= number <= content.count(b"\n") + 1
        last = number
        assert isinstance(one, Record) or (one[1].message and "\n" not in one[1].message)


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=70),
    st.sampled_from(
        [
            "",
            "*@example.com",
            "a@example.com",
            "${run{/bin/sh}}@example.com",
            "a@example.com'; DROP TABLE mailboxes; --",
            "../../etc/passwd@example.com",
            "-oQ/tmp@example.com",
            "a\0b@example.com",
            "x" * 64 + "@example.com",
            "x" * 65 + "@example.com",
            f"a@{'d' * 63}.{'d' * 63}.{'d' * 63}.{'d' * 63}.example",
            '"a b"@example.com',
            "a\\b@x.org",
            "ä@example.com",
            "a@bücher.example",
            "o'brien@example.com",
            ".a@example.com",
            "a..b@example.com",
            "%u@example.com",
        ]
    ),
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["kind", "address", "password", "enabled", "quota_mb", "host", "target"]), CELLS
    ),
    st.sampled_from(["mailbox", "alias", "catchall", "domain", None]),
)
def test_any_cells_are_a_canonical_record_or_a_sentence(cells: dict[str, object], kind: str | None) -> None:
    if kind:
        cells["kind"] = kind
    found = list(lines.records(io.BytesIO(json.dumps(cells).encode()), Format.JSONL))
    assert len(found) == 1
    if isinstance(found[0], Record):
        one = found[0]
        for address in (one.address, one.target):
            if "@" in address and not address.startswith("*@"):
                assert str(Address.parse_name(address)) == address or one.kind == "catchall"
        assert one.address.isascii() and one.address.isprintable() and "/" not in one.address


@pytest.mark.parametrize(
    "address",
    [
        "-oQ/tmp@example.com",
        "../a@example.com",
        "a\0b@example.com",
        "${run{/bin/true}}@example.com",
        "a b@example.com",
        '"a b"@example.com',
        "a\\b@example.com",
        "$home@example.com",
        "ä@example.com",
        "x" * 65 + "@example.com",
        "a@" + "d" * 64 + ".example",
        ".a@example.com",
        "a.@example.com",
        "a@b@example.com",
        "a@localhost",
        "a@1.2.3.4",
        "a@-x.example",
        "*@example.com",
        "",
    ],
)
def test_a_hostile_address_is_one_bad_line(address: str) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["address", "password"], ["good@example.com", HASH], [address, HASH]])
    for content in (
        text.getvalue(),
        "\n".join(
            [
                "",
                json.dumps({"address": "good@example.com", "password": HASH}),
                json.dumps({"address": address, "password": HASH}),
            ]
        ),
    ):
        with pytest.raises(BadLines) as told:
            read(content)
        assert [one.message.partition(":")[0] for one in told.value.each] == ["line 3"]


def test_every_bad_line_is_told_by_its_number(env: Env) -> None:
    text = b"".join(
        (
            b"\xef\xbb\xbfaddress,password,quota_mb,host\r\n",
            b'"open@example.com,x\n',
            b"a@example.com,longenough,-5,\n",
            b"b@example.com,\xff\xfelongenough,,\n",
            b"c@example.com,short,,\n",
            b"d@example.com,a,b,c,d\n",
            b"\n# remark\n",
            b"e@example.com," + b"x" * 10_000 + b",,\n",
            b"f@example.com,long\x00enough,,\n",
            b"g@example.com,{MD5}abcdefgh,,\n",
            b"h@example.com,longenough,,-oProxyCommand\n",
            b"i@example.com,5f4dcc3b5aa765d61d8327deb882cf99,,\n",
            b"j@example.com,longenough,,\n",
            b"J@EXAMPLE.COM.,longenough,,",
        )
    )
    with pytest.raises(BadLines) as told:
        read(text)
    assert told.value.message == "10 of 12 lines cannot be imported"
    numbers = [int(one.message.split()[1].rstrip(":")) for one in told.value.each]
    assert numbers == [2, 3, 4, 5, 6, 9, 10, 11, 12, 13]
    assert all(one.message and one.hint for one in told.value.each[1:3])


def test_lines_are_held_against_each_other_and_the_directory(env: Env) -> None:
    applied(env, mailbox.add(env, "there@example.com", "first password"))
    applied(env, alias.add(env, "alias@example.com", ("there@example.com",)))
    told = refused(
        env,
        f"""kind,address,password,target
mailbox,a@example.com,{HASH},
mailbox,A@example.com,{HASH},
mailbox,alias@example.com,{HASH},
alias,there@example.com,,a@example.com
alias,x@example.com,,y@example.com
alias,y@example.com,,x@example.com
catchall,*@example.com,,nobody@example.com
mailbox,new@example.com,,
""",
    )
    assert [one.partition(": ")[2] for one in told] == [
        "mailbox a@example.com is on line 2 already",
        "alias@example.com is an alias",
        "there@example.com is a mailbox",
        "the alias x@example.com leads back to itself",
        "there is no mailbox nobody@example.com, which *@example.com leads to",
        "mailbox new@example.com has no password",
    ]
    chain = "alias,there2@example.com,alias2@example.com\nalias,alias2@example.com,alias@example.com\n"
    loop = f"kind,address,target\n{chain}"
    do(env, loop)
    assert refused(
        env,
        "kind,address,target\nalias,new@example.com,there2@example.com\nalias,alias@example.com,new@example.com\n",
    )


def test_what_is_there_and_differs_needs_update(env: Env) -> None:
    do(env, FULL)
    changed = "address,enabled,quota_mb\njoe@example.com,yes,700\n"
    assert refused(env, changed) == [
        "line 2: mailbox joe@example.com is there already, and differs in enabled, quota_mb"
    ]
    counts = do(env, changed, Mode.UPDATE).counts
    assert [(one.kind, one.changed) for one in counts if one.changed] == [("mailbox", 1)]
    row = env.directory.get("mailbox", address="joe@example.com")
    assert row and (row["password"], row["enabled"], row["quota_mb"], row["host"]) == (
        SHA,
        True,
        700,
        "mail1",
    )
    assert do(env, "address,quota_mb\njoe@example.com,\n", Mode.UPDATE).id == 3
    moved = "kind,address,target\ncatchall,*@example.com,o'brien@example.com\n"
    assert refused(env, moved)
    do(env, moved, Mode.UPDATE)
    applied(env, change.undo(env, 4))
    applied(env, change.undo(env, 3))


def test_replace_removes_what_is_not_in_the_file_and_asks(env: Env) -> None:
    do(env, FULL)
    before = world(env.directory)
    swapped = f"mailbox,info@example.com,{HASH},\nalias,joe@example.com,,info@example.com\n"
    text = f"kind,address,password,target\n{swapped}"
    plan = importing.plan(env, read(text), Mode.REPLACE)
    assert "1 domain not in the file goes: empty.example" in plan.dangers
    assert "2 mailboxes not in the file go: joe@example.com, o'brien@example.com" in plan.dangers
    assert sum("not in the file" in one for one in plan.dangers) == 4
    do(env, text, Mode.REPLACE)
    assert [row["address"] for row in env.directory.find("mailbox")] == ["info@example.com"]
    assert [row["name"] for row in env.directory.find("domain")] == ["example.com"]
    applied(env, change.undo(env, 2))
    assert world(env.directory) == before


def test_plain_passwords_are_hashed_and_stay_as_they_are(env: Env) -> None:
    text = f'address,password\na@example.com,{SECRET}\nb@example.com,"{{PLAIN}}{{odd}}, one"\n'
    do(env, text)
    stored = {str(row["address"]): str(row["password"]) for row in env.directory.find("mailbox")}
    assert passwords.matches(SECRET, stored["a@example.com"])
    assert passwords.matches("{odd}, one", stored["b@example.com"])
    do(env, text, Mode.REPLACE)
    assert SECRET not in export(env)


def test_lines_as_others_have_them(env: Env) -> None:
    bare = HASH.partition("}")[2]
    do(
        env,
        "\n".join(
            (
                f"a@example.com:{HASH}:5000:5000::/var/vmail/a::userdb_quota_rule=*:storage=2G",
                f"b@example.com|{SHA}",
                f"c@example.com:{bare}",
                "d@example.com:{plain}" + SECRET,
                "info@example.com a@example.com, b@example.com",
                "@example.com c@example.com",
            )
        ),
    )
    rows = {str(row["address"]): row for row in env.directory.find("mailbox")}
    assert rows["a@example.com"]["quota_mb"] == 2048
    assert rows["c@example.com"]["password"] == HASH
    assert passwords.matches(SECRET, str(rows["d@example.com"]["password"]))
    assert len(env.directory.find("alias")) == 2
    assert len(env.directory.find("catchall")) == 1
    assert refused(env, f"a@example.com:{SECRET}\ne@example.com\njoe:{{PLAIN}}{SECRET}@x")


def test_a_host_must_be_one_of_the_inventory(tmp_path: Path) -> None:
    config = tmp_path / "eymail.toml"
    with environment(tmp_path) as env:
        hosts = "".join(
            f'[clusters.ey04.hosts.{name}]\nrole = "{role}"\naddress = "10.0.0.{place}"\n'
            for place, (name, role) in enumerate([("mail1", "mail"), ("relay1", "relay")], 5)
        )
        cluster = '[clusters.ey04]\nzone = "ey04.example.com"\nnetwork = "10.0.0.0/24"\n'
        config.write_text(config.read_text() + cluster + hosts)
        line = f'{{"address": "a@example.com", "password": "{HASH}", "host": "%s"}}'
        assert refused(env, line % "relay1") == ["line 1: 'relay1' is no mail host of this cluster"]
        do(env, line.replace(', "host": "%s"', ""))
        assert env.directory.find("mailbox")[0]["host"] == "mail1"


def test_an_import_that_is_overtaken_changes_nothing(env: Env) -> None:
    records = read(FULL)
    plan = importing.plan(env, records)
    applied(env, mailbox.add(env, "joe@example.com"))
    before = world(env.directory)
    with pytest.raises(StalePlan):
        importing.apply(env, plan, records)
    assert world(env.directory) == before


def test_an_export_is_a_file_for_its_owner_alone(env: Env, tmp_path: Path) -> None:
    do(env, FULL)
    file = tmp_path / "out.csv"
    file.write_text("old")
    file.chmod(0o644)
    told = exporting.to_file(env, str(file), Format.CSV)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == export(env)
    assert dict(told.counts) == {"domain": 2, "mailbox": 2, "alias": 2, "catchall": 2}
    assert not list(tmp_path.glob(".eymail-*"))
