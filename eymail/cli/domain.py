"""``eymail domain``: domains that the mail host receives."""

from __future__ import annotations

import click

from eymail.cli.app import App, change_options, pass_app
from eymail.cli.tree import group


@group("domain")
def domain() -> None:
    """Domains that the mail host receives.

    \b
    Examples:
      eymail domain add example.com
      eymail domain list
    """


@domain.command("add")
@click.argument("domain")
@change_options
@pass_app
def add(app: App, domain: str, dry_run: bool, yes: bool) -> None:
    """Receive mail for DOMAIN.

    \b
    Addresses are refused until there are mailboxes, aliases or a catchall.

    \b
    Examples:
      eymail domain add example.com
      eymail domain add example.com --dry-run
    """
    from eymail.ops import domain as ops

    app.change(lambda: ops.add(app.env, domain), dry_run=dry_run, yes=yes)


@domain.command("remove")
@click.argument("domain")
@change_options
@pass_app
def remove(app: App, domain: str, dry_run: bool, yes: bool) -> None:
    """Receive mail for DOMAIN no longer.

    \b
    Its mailboxes, aliases and catchalls go with it: that is asked about, or needs
    --yes. Mail that lies in the mailboxes stays on the mail host's disk.

    \b
    Examples:
      eymail domain remove example.com --dry-run
      eymail domain remove example.com --yes
    """
    from eymail.ops import domain as ops

    app.change(ops.remove(app.env, domain), dry_run=dry_run, yes=yes)


@domain.command("list")
@pass_app
def list_(app: App) -> None:
    """Every domain, with the numbers of its mailboxes and aliases, and its catchalls.

    \b
    Examples:
      eymail domain list
      eymail domain list --plain | cut -f1
    """
    from eymail.ops import domain as ops

    app.show(ops.list_(app.env))


@domain.command("show")
@click.argument("domain")
@pass_app
def show(app: App, domain: str) -> None:
    """The mailboxes, aliases and catchalls of DOMAIN.

    \b
    Examples:
      eymail domain show example.com
      eymail domain show example.com --json
    """
    from eymail.ops import domain as ops

    app.show(ops.show(app.env, domain))
