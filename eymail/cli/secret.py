"""Passwords that a command is given: by a prompt or on standard input, never as an argument."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

# Those of eymail.directory.passwords, which is not loaded for --help.
SCHEMES = ("BLF-CRYPT", "SHA512-CRYPT", "SCRAM-SHA-256")


def password_options(command: F) -> F:
    """``--password-stdin``, ``--password-prompt`` and ``--scheme``."""
    for option in (
        click.option("--scheme", type=click.Choice(SCHEMES), default=SCHEMES[0], show_default=True,
                     help="How the password is hashed; Dovecot and Exim know each."),
        click.option("--password-prompt", is_flag=True, help="Ask for the password, twice."),
        click.option("--password-stdin", is_flag=True, help="Take the password from input's first line."),
    ):  # fmt: skip
        command = option(command)
    return command


def given_password(from_stdin: bool, prompt: bool, names: Sequence[str]) -> str | None:
    """The password, or None where one is to be made. Raises click.UsageError."""
    if from_stdin and prompt:
        raise click.UsageError("--password-stdin and --password-prompt exclude each other")
    if (from_stdin or prompt) and len(names) > 1:
        raise click.UsageError("a password of your own is for one mailbox; several get a made one each")
    if from_stdin:
        return _first_line()
    if not prompt:
        return None
    if not sys.stdin.isatty():
        raise click.UsageError("--password-prompt needs a terminal; use --password-stdin")
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return asked


def _first_line() -> str:
    """The first line of standard input, of a sane length."""
    line = sys.stdin.buffer.readline(4096)
    try:
        return line.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise click.UsageError("the password is not UTF-8") from error
