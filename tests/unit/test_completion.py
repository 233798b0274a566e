"""Completion: the files that are shipped are what the command prints, and a real bash completes with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMPLETIONS = Path(__file__).parents[2] / "completions"
FILES = {"bash": "eymail.bash", "zsh": "_eymail", "fish": "eymail.fish"}
ASK_BASH = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_eymail_completion eymail
printf '%s\\n' "${COMPREPLY[@]}"
"""


def eymail(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "eymail", *arguments], capture_output=True, text=True)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which ``eymail`` is this one."""
    program = tmp_path / "eymail"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m eymail "$@"\n')
    program.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


@pytest.mark.parametrize("shell", FILES)
def test_the_files_are_what_the_command_prints(shell: str) -> None:
    printed = eymail("completion", shell)
    assert printed.returncode == 0
    assert (COMPLETIONS / FILES[shell]).read_text() == printed.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["eymail", "qu"], ["queue"]),
        (["eymail", "queue", "su"], ["summary"]),
        (["eymail", "queue", ""], ["list", "summary"]),
        (["eymail", "queue", "list", "--fro"], ["--from", "--frozen"]),
        (["eymail", "completion", "z"], ["zsh"]),
    ],
)
def test_bash_completes(path: str, words: list[str], expected: list[str]) -> None:
    command = ["bash", "-c", ASK_BASH, "bash", str(COMPLETIONS / "eymail.bash"), *words]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path})
    assert sorted(done.stdout.split()) == expected, done.stderr


def test_an_unknown_shell_is_said() -> None:
    done = eymail("completion", "tcsh", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["status"] == "error"


def test_completing_loads_nothing_heavy() -> None:
    code = "import sys; import eymail.cli.completion, eymail.cli.queue; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"rich", "paramiko", "dns", "sqlalchemy", "jinja2", "cryptography", "eymail.ops.queue"} & set(
        loaded
    )
