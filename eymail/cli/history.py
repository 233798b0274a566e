"""``eymail history`` and ``eymail undo``: the changes made, and taking one back."""

from __future__ import annotations

import click

from eymail.cli.app import App, change_options, pass_app
from eymail.cli.tree import command


@command("history")
@click.option("--limit", metavar="N", type=click.IntRange(1, 1_000_000), default=20, show_default=True,
              help="So many at most.")  # fmt: skip
@pass_app
def history(app: App, limit: int) -> None:
    """The changes made, the newest first: who, when, what, and what became of them.

    \b
    "running" is a change under way, or one whose process ended before it: its
    steps column tells how many steps were done. JSON has every step.

    \b
    Examples:
      eymail history
      eymail history --limit 1 --json
    """
    from eymail.ops import history as ops

    app.show(ops.history(app.env, limit))


@command("undo")
@click.argument("id", type=click.IntRange(1, 2**63 - 1))
@change_options
@pass_app
def undo(app: App, id: int, dry_run: bool, yes: bool) -> None:
    """Take change ID back, as eymail history names it.

    \b
    Refused with exit code 5 when it was undone already, or when what it made has
    changed since; the message names the change by which.

    \b
    Examples:
      eymail undo 7 --dry-run
      eymail undo 7
    """
    from eymail.ops import change

    app.change(change.undo(app.env, id), dry_run=dry_run, yes=yes)
