"""Tables for a terminal, by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from eymail.model import Twig, View
from eymail.output.escape import clean, plain_cell

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text
    from rich.tree import Tree

_STYLES = {
    "ok": "green", "done": "green", "passed": "green",
    "failed": "bold red", "error": "bold red",
    "not checked": "yellow", "not run": "yellow", "warning": "yellow", "planned": "yellow",
    "shown once": "bold cyan", "publish": "bold cyan",
    "never reached": "dim", "depends on the client": "yellow",
}  # fmt: skip


def print_table(view: View, out: TextIO, color: str) -> None:
    """Print a view with its title; the status column's words are coloured."""
    from rich.console import Console
    from rich.text import Text

    console = Console(
        file=out,
        force_terminal={"always": True, "never": False}.get(color),
        no_color=True if color == "never" else None,
        highlight=False,
    )
    if view.title:
        console.print(Text(clean(view.title), style="bold"))
    if view.tree:
        console.print(_tree(view.tree))
    if view.rows:
        console.print(_table(view))
    for line in view.footer:
        console.print(Text(clean(line), style="bold cyan"), soft_wrap=True)


def _table(view: View) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in view.columns:
        table.add_column(column, overflow="fold")
    status = view.columns.index(view.status_column) if view.status_column else -1
    for row in view.rows:
        style = _STYLES.get(str(row[status]), "") if status >= 0 else ""
        table.add_row(*(Text(plain_cell(cell), style if at == status else "") for at, cell in enumerate(row)))
    return table


def _tree(twig: Twig) -> Tree:
    from rich.tree import Tree

    tree = Tree(_label(twig))
    for one in twig.twigs:
        tree.children.append(_tree(one))
    return tree


def _label(twig: Twig) -> Text:
    from rich.text import Text

    return Text(clean(twig.label), "" if twig.state == "ok" else _STYLES.get(twig.state, ""))
