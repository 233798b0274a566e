"""known_hosts is read as OpenSSH reads it, line by line; ssh-keygen is asked for its opinion."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.hosts.known_hosts import HostKey, append, line_for, look_up


def key(number: int, kind: str = "ssh-ed25519") -> HostKey:
    name = kind.encode()
    body = bytes([number]) * 32
    return HostKey(kind, len(name).to_bytes(4, "big") + name + len(body).to_bytes(4, "big") + body)


def words(one: HostKey) -> str:
    return f"{one.type} {base64.b64encode(one.blob).decode()}"


def known(tmp_path: Path, text: str, name: str = "mail1.example") -> tuple[HostKey, ...]:
    file = tmp_path / "known_hosts"
    file.write_text(text)
    return look_up(name, [file]).keys


@pytest.mark.parametrize(
    ("patterns", "name", "matches"),
    [
        ("mail1.example", "mail1.example", True),
        ("MAIL1.example", "mail1.example", True),
        ("other.example,mail1.example", "mail1.example", True),
        ("*.example", "mail1.example", True),
        ("mail?.example", "mail1.example", True),
        ("*.example,!mail1.example", "mail1.example", False),
        ("mail1", "mail1.example", False),
        ("[mail1.example]:2222", "[mail1.example]:2222", True),
        ("[mail1.example]:2222", "mail1.example", False),
        ("mail[12].example", "mail1.example", False),
    ],
)
def test_patterns(tmp_path: Path, patterns: str, name: str, matches: bool) -> None:
    assert bool(known(tmp_path, f"{patterns} {words(key(1))}\n", name)) is matches


def test_odd_lines_spoil_nothing(tmp_path: Path) -> None:
    text = "\n".join(
        (
            "# a comment",
            "garbage",
            "mail1.example ssh-ed25519 not-base64!",
            "mail1.example ssh-rsa " + base64.b64encode(b"\x00\x00\x00\x07ssh-dss").decode(),
            "@cert-authority *.example " + words(key(9)),
            "@unknown mail1.example " + words(key(8)),
            "|1|bad|hash " + words(key(7)),
            "mail1.example " + "A" * 20000,
            f"mail1.example {words(key(1))} a comment",
            "",
        )
    )
    assert known(tmp_path, text) == (key(1),)


def test_a_revoked_key_is_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"@revoked mail1.example {words(key(1))}\nmail1.example {words(key(2))}\n")
    found = look_up("mail1.example", [file])
    assert found.revoked == (key(1),)
    assert found.keys == (key(2),)


def test_no_file_is_nothing_known(tmp_path: Path) -> None:
    assert look_up("mail1.example", [tmp_path / "none", tmp_path]).keys == ()


@pytest.mark.parametrize("hashed", [True, False])
def test_what_is_appended_is_found_by_openssh_too(tmp_path: Path, hashed: bool) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("unfinished line")
    append(file, line_for("mail1.example", key(1), hashed))
    append(file, line_for("[mail2.example]:2222", key(2), hashed))
    assert look_up("mail1.example", [file]).keys == (key(1),)
    for name in ("mail1.example", "[mail2.example]:2222"):
        done = subprocess.run(["ssh-keygen", "-F", name, "-f", file], capture_output=True, check=False)
        assert done.returncode == 0, name


def test_a_new_file_is_the_users_own(tmp_path: Path) -> None:
    file = tmp_path / "ssh" / "known_hosts"
    append(file, line_for("mail1.example", key(1), False))
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_the_fingerprint_is_ssh_keygens(tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_text(words(key(5)) + "\n")
    out = subprocess.run(["ssh-keygen", "-l", "-f", file], capture_output=True, text=True, check=True).stdout
    assert key(5).fingerprint in out.split()


@given(st.binary(max_size=400), st.text(max_size=30))
def test_no_content_and_no_name_breaks_the_reader(data: bytes, name: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "known_hosts"
        file.write_bytes(data + b"\nmail1.example " + words(key(1)).encode() + b"\n")
        look_up(name, [file])
        assert key(1) in look_up("mail1.example", [file]).keys
