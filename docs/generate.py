"""Writes man/ and docs/commands.md from the click tree; ``--check`` only says whether they are current.

The pages hold each command's own help, so help, man page and documentation cannot differ.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from click_man.core import write_man_pages

from eymail import __version__
from eymail.cli.main import eymail
from eymail.cli.registry import COMMANDS

TOP = Path(__file__).parent.parent
HEADING = "# Commands\n\nMade from each command's own help by `make docs`.\n"


def whole_tree() -> click.Group:
    """The tree with every command loaded, as generators that walk ``commands`` expect it."""
    commands = {
        name: getattr(importlib.import_module(entry.module), entry.attribute)
        for name, entry in sorted(COMMANDS.items())
    }
    return click.Group(
        "eymail", commands=commands, help=eymail.help, short_help=eymail.short_help, params=eymail.params
    )


def pages() -> dict[Path, str]:
    """Every generated file by its path below the project's top."""
    tree = whole_tree()
    with TemporaryDirectory() as folder:
        write_man_pages("eymail", tree, version=__version__, target_dir=folder, date=" ")
        made = {Path("man") / path.name: _with_examples(path.read_text()) for path in Path(folder).iterdir()}
    made[Path("docs/commands.md")] = HEADING + "".join(_sections(tree, None, "eymail"))
    return made


def _with_examples(page: str) -> str:
    """click marks text that keeps its line breaks with a backspace; roff with .nf and .fi."""
    return re.sub(r"\x08\n((?:.+\n)*?)(?=\.PP|\.SH|\Z)", r".nf\n\1.fi\n", page)


def _sections(command: click.Command, parent: click.Context | None, name: str) -> Iterator[str]:
    context = click.Context(command, parent=parent, info_name=name, terminal_width=90, max_content_width=90)
    with context:
        yield f"\n## {context.command_path}\n\n```\n{command.get_help(context)}\n```\n"
    for child, sub in sorted(getattr(command, "commands", {}).items()):
        yield from _sections(sub, context, child)


def stale() -> list[Path]:
    """The generated files that are missing, out of date, or no longer made."""
    made = pages()
    wrong = [
        path for path, text in made.items() if not (TOP / path).exists() or (TOP / path).read_text() != text
    ]
    extra = [Path("man") / path.name for path in (TOP / "man").glob("*.1")]
    return sorted({*wrong, *(path for path in extra if path not in made)})


def main() -> None:
    """Write the files, or with ``--check`` name those that are not current."""
    found = stale()
    if "--check" in sys.argv:
        sys.exit("\n".join(f"not current: {path} (run make docs)" for path in found))
    made = pages()
    for path in found:
        if path in made:
            (TOP / path).write_text(made[path])
        else:
            (TOP / path).unlink()
        print(path)


if __name__ == "__main__":
    main()
