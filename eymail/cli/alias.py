"""``eymail alias``: addresses that lead to others."""

from __future__ import annotations

import click

from eymail.cli.app import App, change_options, pass_app
from eymail.cli.tree import group


@group("alias")
def alias() -> None:
    """Addresses that lead to a mailbox, to several, or outside.

    \b
    Examples:
      eymail alias add info@example.com joe@example.com
      eymail alias list example.com
    """


@alias.command("add")
@click.argument("address")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@change_options
@pass_app
def add(app: App, address: str, targets: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Let ADDRESS lead to each TARGET, beside those that it leads to already.

    \b
    A target is any address, here or elsewhere; an alias that would lead back to
    itself is refused. The domain is made known when it isn't.

    \b
    Examples:
      eymail alias add info@example.com joe@example.com
      eymail alias add team@example.com joe@example.com ann@example.org
    """
    from eymail.ops import alias as ops

    app.change(lambda: ops.add(app.env, address, targets), dry_run=dry_run, yes=yes)


@alias.command("remove")
@click.argument("address")
@click.argument("targets", metavar="[TARGET...]", nargs=-1)
@change_options
@pass_app
def remove(app: App, address: str, targets: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Let ADDRESS lead to TARGETs no longer; with none named, to nothing.

    \b
    Other aliases that lead to it alone go with it: that is asked about, or needs --yes.

    \b
    Examples:
      eymail alias remove info@example.com
      eymail alias remove team@example.com ann@example.org
    """
    from eymail.ops import alias as ops

    app.change(ops.remove(app.env, address, targets), dry_run=dry_run, yes=yes)


@alias.command("list")
@click.argument("of", metavar="[DOMAIN|ADDRESS]", required=False)
@pass_app
def list_(app: App, of: str | None) -> None:
    """All aliases with their targets, one a line, or those of DOMAIN; or the ways of one ADDRESS.

    \b
    For an address each line is a way that its mail goes: the addresses between, the
    end, and what that is (mailbox, not ours, refused).

    \b
    Examples:
      eymail alias list
      eymail alias list example.com --json
      eymail alias list team@example.com
    """
    from eymail.ops import alias as ops

    app.show(ops.chains(app.env, of) if of and "@" in of else ops.list_(app.env, of))
