"""Names as arguments, or read from standard input where an argument is "-"."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST = 1024


def names_or_stdin(command: F) -> F:
    """The argument ``names``: mailboxes, one or more."""
    return click.argument("names", metavar="ADDRESS...", nargs=-1, required=True)(command)


def names_of(names: tuple[str, ...], input_taken: bool = False) -> tuple[str, ...]:
    """The names, those of standard input in the place of "-". Raises click.UsageError."""
    if "-" not in names:
        return names
    if input_taken or names.count("-") > 1:
        raise click.UsageError("standard input can be read once: for a password or for names")
    place = names.index("-")
    found = (*names[:place], *lines(), *names[place + 1 :])
    if not found:
        raise click.UsageError("standard input holds no names")
    return found


def lines() -> Iterator[str]:
    """Standard input: a name a line; empty ones and those that begin with # are none.

    Of a line that is too long for a name the beginning is given, which is none either.
    """
    while line := sys.stdin.buffer.readline(_LONGEST):
        name = line.decode("utf-8", "backslashreplace").strip()
        if name and not name.startswith("#"):
            yield name
        while len(line) == _LONGEST and not line.endswith(b"\n"):
            line = sys.stdin.buffer.readline(_LONGEST)
