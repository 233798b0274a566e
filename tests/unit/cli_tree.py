"""The whole command tree, walked through the registry, for tests that hold for every command."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import click

from eymail.cli.registry import COMMANDS


def _below(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        for name, child in sorted(command.commands.items()):
            yield from _below(child, (*words, name))


TREE = {
    words: command
    for name, entry in sorted(COMMANDS.items())
    for words, command in _below(getattr(importlib.import_module(entry.module), entry.attribute), (name,))
}
"""Every group and command by the words that lead to it, without ``eymail`` itself."""

GROUPS = [words for words, command in TREE.items() if isinstance(command, click.Group)]
LEAVES = [words for words in TREE if words not in GROUPS]
