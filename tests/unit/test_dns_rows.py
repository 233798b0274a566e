"""RRsets as rows, and the keys that sign their changes: one form, nothing shown of a secret."""

from __future__ import annotations

import os
import re
from pathlib import Path

import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.dns import rows
from eymail.dns.tsig import Key, read_key
from eymail.errors import ConfigError, InvalidInput

SECRET = "c2VjcmV0//c2VjcmV0/+c2VjcmV0LXNlY3JldA=="
BIND = f'key "eymail.ey04" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n'
KNOT = (
    f"# hmac-sha512:eymail:{SECRET}\nkey:\n  - id: eymail\n    algorithm: hmac-sha512\n    secret: {SECRET}\n"
)


def test_rows_are_canonical() -> None:
    assert rows.row("MX", 60, ["20 B.example", "10 a.example."]) == {
        "ttl": 60, "records": "10 a.example.\n20 b.example.",
    }  # fmt: skip
    assert rows.row("TXT", 60, ["a  b", '"c;d"'])["records"] == '"a" "b"\n"c;d"'
    assert rows.row("A", 0, ["192.0.2.1", "192.0.2.1"])["records"] == "192.0.2.1"


@given(st.text(max_size=700))
def test_any_text_is_one_txt_record_of_itself(text: str) -> None:
    line = rows.txt(text)
    assert line.isascii()
    assert line.isprintable()
    made = dns.rdata.from_text("IN", "TXT", line)
    assert b"".join(made.strings) == text.encode()
    assert rows.row("TXT", 1, [line])["records"] == line


@pytest.mark.parametrize(
    ("kind", "records"),
    [("A", ["1.2.3"]), ("A", []), ("TXT", ['"open']), ("A", ["$INCLUDE /etc/passwd"]),
     ("CNAME", ["a.", "b."]), ("MX", ["10 a" + "b" * 64]), ("NOSUCH", ["x"])],
)  # fmt: skip
def test_what_are_no_records(kind: str, records: list[str]) -> None:
    with pytest.raises(InvalidInput):
        rows.row(kind, 300, records)


@pytest.mark.parametrize("ttl", [-1, 2**31])
def test_what_is_no_ttl(ttl: int) -> None:
    with pytest.raises(InvalidInput, match="RFC 2181"):
        rows.row("A", ttl, ["192.0.2.1"])


@pytest.mark.parametrize(
    "key", ["", "x.org", "x.org ANY", "x.org SOA", " TXT", "a..b TXT", f"{'a' * 64}.x A"]
)
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(InvalidInput):
        rows.parts(key)


def key_file(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "tsig.key"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (BIND, Key("eymail.ey04", "hmac-sha256", SECRET)),
        (f"// made today\n{BIND}# and kept\n/* {BIND} */", Key("eymail.ey04", "hmac-sha256", SECRET)),
        (BIND.replace('"eymail.ey04"', "eymail"), Key("eymail", "hmac-sha256", SECRET)),
        (KNOT, Key("eymail", "hmac-sha512", SECRET)),
    ],
)
def test_keys_as_their_makers_write_them(tmp_path: Path, text: str, key: Key) -> None:
    assert read_key(key_file(tmp_path, text)) == key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no key"),
        (BIND * 2, "has no key"),
        (f"Key: 1\n{SECRET}", "has no key"),
        (BIND.replace("hmac-sha256", "hmac-md5"), "too weak"),
        (BIND.replace("hmac-sha256", "hmac-sha1"), "too weak"),
        (BIND.replace(SECRET, SECRET[:-2]), "not in base64"),
        (BIND.replace(SECRET, "c2hvcnQ="), "shorter than 16 bytes"),
        (re.sub("algorithm.*", "", BIND), "not whole"),
    ],
)
def test_what_is_no_key_file_is_said_without_the_secret(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as failed:
        read_key(key_file(tmp_path, text))
    chain: BaseException | None = failed.value
    while chain is not None:
        assert "c2VjcmV0" not in repr(chain) + str(getattr(chain, "hint", ""))
        chain = None if chain.__suppress_context__ else chain.__context__


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o620, 0o602])
def test_a_key_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="can be read by everybody") as failed:
        read_key(key_file(tmp_path, BIND, mode))
    assert "make a new key" in failed.value.hint


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the key .*: No such file"):
        read_key(str(tmp_path / "nosuch"))
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(ConfigError, match="no ordinary file"):
        read_key(str(tmp_path / "fifo"))


def test_a_key_shows_nothing_of_its_secret(tmp_path: Path) -> None:
    assert SECRET not in repr(read_key(key_file(tmp_path, BIND)))
