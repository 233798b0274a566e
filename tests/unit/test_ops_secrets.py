"""What is shown: a made password once and after the change alone, a hash never, in no form of output."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

MADE = re.compile(r"\b[a-z2-9]{5}(?:-[a-z2-9]{5}){3}\b")
FORMS = ([], ["--json"])  # into a pipe, the first is the plain one
HASHED = re.compile(r"BLF-CRYPT|\$2[aby]\$")


class Told:
    """What a run of eymail said, and where."""

    def __init__(self, out: str, err: str, code: int) -> None:
        self.out, self.err, self.code = out, err, code
        assert not HASHED.search(out + err), "a hash was shown"
        assert "Traceback" not in err


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "eymail.toml"
    file.write_text(f'[directory]\nurl = "sqlite:///{tmp_path}/d/directory.db"\n')
    return file


def eymail(config: Path, *args: str, input: str = "") -> Told:
    argv = [sys.executable, "-m", "eymail", *args, "--config", str(config)]
    done = subprocess.run(argv, input=input, capture_output=True, text=True, timeout=60, check=False)
    return Told(done.stdout, done.stderr, done.returncode)


def on_a_terminal(config: Path, *args: str, typed: tuple[tuple[str, str], ...] = ()) -> str:
    """What a person sees who runs eymail in a terminal, and answers each prompt as it comes."""
    argv = [sys.executable, "-m", "eymail", *args, "--config", str(config)]
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["COLUMNS"] = "200"
        os.execv(sys.executable, argv)
    try:
        text = _conversation(terminal, list(typed))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    assert not HASHED.search(text)
    return text


def _conversation(terminal: int, answers: list[tuple[str, str]]) -> str:
    seen, read = bytearray(), 0
    while select.select([terminal], [], [], 30)[0]:
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # how Linux says that the other side is closed
            assert not answers, f"was not asked for {answers[0][0]}"
            return seen.decode()
        if answers and answers[0][0].encode() in seen[read:]:
            read = len(seen)
            os.write(terminal, answers.pop(0)[1].encode())
    raise AssertionError(f"waited in vain: {seen.decode()!r}")


@pytest.mark.parametrize("form", FORMS)
def test_a_made_password_is_shown_once_after_the_change(config: Path, form: list[str]) -> None:
    planned = eymail(config, "catchall", "add", "example.com", "--dry-run", *form)
    assert planned.code == 0
    assert not MADE.search(planned.out + planned.err)
    done = eymail(config, "catchall", "add", "example.com", *form)
    assert done.code == 0
    assert len(MADE.findall(done.out)) == 1
    assert not MADE.search(done.err)
    password = MADE.findall(done.out)[0]
    for args in (
        ("catchall", "add", "example.com"), ("history",), ("mailbox", "list"),
        ("domain", "show", "example.com"),
        ("mailbox", "show", "catchall@example.com"), ("mailbox", "add", "catchall@example.com"),
        ("mailbox", "remove", "catchall@example.com"), ("undo", "1", "--dry-run"), ("undo", "1"),
        ("history",), ("undo", "2"), ("undo", "2", "-v"), ("undo", "1"), ("route", "catchall@example.com"),
    ):  # fmt: skip
        told = eymail(config, *args, *form)
        assert password not in told.out + told.err, args
    folder = config.parent / "d"
    assert not [file for file in folder.iterdir() if password.encode() in file.read_bytes()]


def test_a_made_password_is_shown_in_the_table_on_a_terminal(config: Path) -> None:
    assert not MADE.search(on_a_terminal(config, "mailbox", "add", "a@example.com", "--dry-run"))
    assert len(MADE.findall(on_a_terminal(config, "mailbox", "add", "a@example.com"))) == 1
    assert not MADE.search(on_a_terminal(config, "history"))


def test_the_json_of_a_change_has_its_parts(config: Path) -> None:
    data = json.loads(eymail(config, "mailbox", "add", "a@example.com", "--json").out)["data"]
    assert data["id"] == 1
    assert [step["action"] for step in data["done"]] == ["add", "add"]
    assert data["done"][1]["after"]["password"] == "***"
    assert data["secrets"][0]["label"] == "password of a@example.com"
    assert MADE.fullmatch(data["secrets"][0]["value"])


def test_a_password_from_standard_input_is_shown_nowhere(config: Path) -> None:
    told = eymail(config, "mailbox", "add", "a@example.com", "--password-stdin", input="pa55 wörd\nrest\n")
    assert told.code == 0, told.err
    assert "pa55" not in told.out + told.err
    again = eymail(config, "mailbox", "add", "a@example.com", "--password-stdin", input="pa55 wörd")
    assert (again.code, again.out) == (0, "")
    other = eymail(config, "mailbox", "add", "a@example.com", "--password-stdin", "-v", input="0ther-one\n")
    assert other.code == 5
    assert "0ther" not in other.out + other.err


@pytest.mark.parametrize("wrong", ["", "\n", "1234567", "a" * 73, "abcdefg\tb", "x" * 10000])
def test_a_bad_password_is_code_2_in_every_form(config: Path, wrong: str) -> None:
    for form in FORMS:
        told = eymail(config, "mailbox", "add", "a@example.com", "--password-stdin", *form, input=wrong)
        assert told.code == 2
        assert not wrong.strip() or wrong not in told.out + told.err
    assert not (config.parent / "d").exists()


def test_a_password_is_asked_for_twice_and_not_echoed(config: Path) -> None:
    seen = on_a_terminal(
        config, "mailbox", "add", "a@example.com", "--password-prompt",
        typed=(("Password: ", "s3same-open\n"), ("confirmation: ", "s3same-open\n")),
    )  # fmt: skip
    assert "s3same" not in seen
    assert "mailbox a@example.com" in seen
    again = eymail(config, "mailbox", "add", "a@example.com", "--password-stdin", input="s3same-open\n")
    assert again.code == 0


def test_where_nobody_can_be_asked_a_password_is_not_prompted_for(config: Path) -> None:
    assert eymail(config, "mailbox", "add", "a@example.com", "--password-prompt").code == 2
    both = ("--password-prompt", "--password-stdin")
    assert eymail(config, "mailbox", "add", "a@example.com", *both, input="x\n").code == 2


def test_a_danger_is_refused_where_nobody_can_be_asked_and_done_with_yes(config: Path) -> None:
    eymail(config, "catchall", "add", "example.com")
    refused = eymail(config, "domain", "remove", "example.com")
    assert refused.code == 5
    assert "with example.com goes 1 mailbox" in refused.err
    assert "--yes" in refused.err
    assert eymail(config, "domain", "list").out.startswith("example.com\t")
    assert "careful" in eymail(config, "domain", "remove", "example.com", "--dry-run").err
    assert eymail(config, "domain", "remove", "example.com", "--yes").code == 0
    assert eymail(config, "domain", "list").out == ""


def test_a_danger_is_asked_about_on_a_terminal(config: Path) -> None:
    eymail(config, "catchall", "add", "example.com")
    assert "not confirmed" in on_a_terminal(
        config, "domain", "remove", "example.com", typed=(("[y/N]", "n\n"),)
    )
    assert "remove" in on_a_terminal(config, "domain", "remove", "example.com", typed=(("[y/N]", "y\n"),))
    assert eymail(config, "domain", "list").out == ""


def test_nothing_to_do_is_said_beside_the_result_and_ends_well(config: Path) -> None:
    eymail(config, "domain", "add", "example.com")
    again = eymail(config, "domain", "add", "example.com")
    assert (again.code, again.out) == (0, "")
    assert "nothing to do" in again.err
    quiet = eymail(config, "domain", "add", "example.com", "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_undo_twice_and_of_a_moved_world_are_code_5(config: Path) -> None:
    eymail(config, "domain", "add", "example.com")
    eymail(config, "mailbox", "add", "a@example.com")
    moved = eymail(config, "undo", "1")
    assert moved.code == 5
    assert "since change 2 (mailbox add a@example.com" in moved.err
    assert eymail(config, "undo", "2").code == 0
    twice = eymail(config, "undo", "2")
    assert twice.code == 5
    assert "by change 3" in twice.err
    assert eymail(config, "undo", "99").code == 1
    assert eymail(config, "undo", "0").code == 2


def test_help_loads_no_database() -> None:
    program = """
import sys
sys.argv = ["eymail", *sys.argv[1:]]
from eymail.cli.main import main
try:
    main()
except SystemExit:
    heavy = {"sqlalchemy", "alembic", "bcrypt", "rich", "paramiko"} & sys.modules.keys()
    sys.exit(f"loaded {heavy}" if heavy else 0)
"""
    for args in (
        ("mailbox", "list"), ("mailbox", "add"), ("domain", "show"), ("alias", "add"), ("catchall", "add"),
        ("route",), ("history",), ("undo",),
    ):  # fmt: skip
        argv = [sys.executable, "-c", program, *args, "--help"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "Examples:" in done.stdout
