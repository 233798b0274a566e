"""Bad input gets one sentence, a hint and the right exit code; with --json, the envelope."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

EYMAIL = [sys.executable, "-m", "eymail"]


def eymail(*args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run eymail as a process of its own, with no configuration but what is given."""
    clean = {name: value for name, value in os.environ.items() if name != "EYMAIL_CONFIG"}
    clean |= {"XDG_CONFIG_HOME": "/nonexistent", **(env or {})}
    return subprocess.run(
        [*EYMAIL, *args], capture_output=True, text=True, env=clean, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        (["--config", "/nonexistent", "cluster", "list"], 1, "cannot read the configuration /nonexistent"),
        (["catchall", "add", "bad domain"], 2, "'bad domain' is not a domain name"),
        (["catchall", "add", "example.com", "--to", "nobody"], 2, "'nobody' is not a mail address"),
        (["mailbox", "add", "a\x1b[31m@example.com"], 2, "is not a mail address"),
        (["mailbox", "add"], 2, "Missing argument"),
        (["nosuch"], 2, "no such command 'nosuch'"),
        (["queu"], 2, "no such command 'queu'"),
        (["spf", "--nosuch", "ey04"], 2, "No such option"),
        (["cluster", "show", "ey04"], 1, "there is no configuration file"),
        (["queue", "list", "--older", "soon"], 2, "soon"),
        (["undo", "first"], 2, "not a valid integer"),
    ],
)
def test_bad_input(args: list[str], code: int, sentence: str) -> None:
    told = eymail(*args)
    assert told.returncode == code, told.stderr
    assert sentence in told.stderr
    assert told.stdout == ""
    assert "Traceback" not in told.stderr
    assert "\x1b" not in told.stderr

    envelope = json.loads(eymail(*args, "--json").stdout)
    assert envelope["eymail"] == 1
    assert envelope["status"] == "error"
    assert envelope["data"] is None
    assert sentence in envelope["errors"][0]["message"]


def test_the_hint_names_the_nearest_command() -> None:
    assert "did you mean queue?" in eymail("queu").stderr


def test_a_wrong_setting_is_named_with_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "eymail.toml"
    file.write_text("[clusters.ey04]\nnetwrok = '10.44.0.0/24'\n")
    told = eymail("--config", str(file), "cluster", "list")
    assert told.returncode == 1
    assert f"{file}: clusters.ey04.netwrok is not a known setting" in told.stderr
    assert "did you mean network?" in told.stderr


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    process = subprocess.Popen([*EYMAIL, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait(30)


def shell(tmp_path: Path, words: str) -> subprocess.CompletedProcess[str]:
    """A shell line with a directory of its own; ``eymail`` in it is this one."""
    config = tmp_path / "eymail.toml"
    config.write_text(f'[directory]\nurl = "sqlite:///{tmp_path}/directory.db"\n')
    line = words.replace("eymail ", f"{sys.executable} -m eymail --config {config} ", 1)
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)


def test_closed_or_full_output_is_one_sentence(tmp_path: Path) -> None:
    closed = shell(tmp_path, "eymail domain add closed.example >&-")
    assert (closed.returncode, closed.stderr.count("\n")) == (1, 1)
    assert "nothing was done" in closed.stderr
    full = shell(tmp_path, "eymail domain add full.example >/dev/full")
    assert full.returncode == 1
    assert full.stderr == (
        "eymail: the result could not be written: No space left on device; "
        "the change is made, see eymail history\n"
    )
    assert shell(tmp_path, "eymail domain list").stdout.split()[0] == "full.example"
    assert shell(tmp_path, "eymail domain list 2>&-").returncode == 0


def test_a_password_in_a_url_is_not_shown(tmp_path: Path) -> None:
    config = tmp_path / "eymail.toml"
    config.write_text('[directory]\nurl = "postgresql://u:TopSecret@127.0.0.1/x"\n')
    told = eymail("--config", str(config), "domain", "list")
    assert told.returncode == 1
    assert "TopSecret" not in told.stdout + told.stderr


def test_ctrl_c_is_130_and_no_traceback(tmp_path: Path) -> None:
    fifo = tmp_path / "eymail.toml"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [*EYMAIL, "--config", str(fifo), "cluster", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_interruptible,
    )
    writer = _opened_for_reading(fifo)
    # Whether it hangs in open or already in read, one interrupt ends it; a moment lets it get to either.
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    os.close(writer)
    assert process.returncode == 130
    assert stderr.strip() == b"eymail: interrupted"


def _interruptible() -> None:
    """A run in the background of a shell inherits SIGINT ignored; the process under test must not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _opened_for_reading(fifo: Path) -> int:
    """The writing end, which can be opened only once somebody reads the other."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
