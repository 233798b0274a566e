"""What holds for every command of the tree: help with examples, the global options, usage errors."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import subprocess
import sys
from itertools import dropwhile, takewhile

import click
import pytest

from eymail.cli.app import App
from eymail.cli.main import eymail
from tests.unit.cli_tree import GROUPS, LEAVES, TREE

EVERY = pytest.mark.parametrize("words", TREE, ids=" ".join)
GLOBAL = {"--config", "--cluster", "--json", "--plain", "--quiet", "--verbose", "--color"}


def help_of(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "")


def examples(command: click.Command) -> list[list[str]]:
    """What stands after ``eymail`` in each line of a help text's Examples block, as words."""
    _, _, block = help_of(command).partition("\b\nExamples:\n")
    lines = block.partition("\n\n")[0].splitlines()
    return [words for line in lines if (words := _own_words(line))]


def _own_words(line: str) -> list[str]:
    """Without what stands before eymail, and what its output goes to."""
    inner = re.search(r"\$\((.*)\)", line)
    words = iter(shlex.split(inner[1] if inner else line, comments=True))
    return list(
        takewhile(lambda word: word not in ("|", ">"), dropwhile(lambda word: word != "eymail", words))
    )[1:]


def run(*args: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "eymail", *args]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


@EVERY
def test_has_help_with_examples(words: tuple[str, ...]) -> None:
    command = TREE[words]
    first = help_of(command).partition("\n\n")[0]
    assert first and first.endswith("."), f"the first line of help should be a sentence: {first!r}"
    assert examples(command), "no Examples block after a \\b line"


@EVERY
def test_every_option_has_help(words: tuple[str, ...]) -> None:
    options = [option for option in TREE[words].params if isinstance(option, click.Option)]
    assert [option.opts for option in options if not option.help] == []


@EVERY
def test_has_the_global_options(words: tuple[str, ...]) -> None:
    assert {name for option in TREE[words].params for name in option.opts} >= GLOBAL


OF_A_COMMAND = [(words, example) for words, command in TREE.items() for example in examples(command)]


@pytest.mark.parametrize(("words", "example"), OF_A_COMMAND, ids=lambda value: " ".join(value))
def test_an_example_is_one(words: tuple[str, ...], example: list[str]) -> None:
    """Each is of its own command and can be parsed as click does before it calls a command."""
    assert tuple(example[: len(words)]) == words
    meant = max((one for one in LEAVES if tuple(example[: len(one)]) == one), key=len)
    TREE[meant].make_context(" ".join(meant), example[len(meant) :], obj=App())


def test_the_root_has_help_with_examples() -> None:
    assert examples(eymail)
    assert {name for option in eymail.params for name in option.opts} >= GLOBAL


@EVERY
def test_a_usage_error_is_exit_2_and_an_envelope(words: tuple[str, ...]) -> None:
    # Commands that hand their words on to another command take any option; what they miss is the command.
    bad, sentence = ["--nosuch-option"], "--nosuch-option"
    if TREE[words].context_settings.get("ignore_unknown_options"):
        bad, sentence = [], "Missing argument"
    told = run(*words, *bad)
    assert told.returncode == 2, told.stderr
    assert told.stdout == ""
    assert "Traceback" not in told.stderr
    assert sentence in told.stderr

    told = run(*words, "--json", *bad)
    assert told.returncode == 2
    envelope = json.loads(told.stdout)
    assert (envelope["eymail"], envelope["status"], envelope["data"]) == (1, "error", None)
    assert envelope["command"] == " ".join(words)
    (error,) = envelope["errors"]
    assert error["code"] == "usage" and sentence in error["message"]
    assert error["hint"]


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_a_group_without_a_command_shows_its_help(words: tuple[str, ...]) -> None:
    told = run(*words)
    assert told.returncode == 2
    assert told.stdout == ""
    assert "Usage:" in told.stderr


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_help_is_exit_0_on_stdout(words: tuple[str, ...]) -> None:
    told = run(*words, "--help")
    assert told.returncode == 0
    assert told.stderr == ""
    assert f"Usage: eymail {' '.join(words)}" in told.stdout
