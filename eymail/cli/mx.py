"""``eymail mx``: where a domain's mail is received."""

from __future__ import annotations

import click

from eymail.cli.app import App, pass_app, server_option
from eymail.cli.tree import group


@group("mx")
def mx() -> None:
    """Where a domain's mail is received.

    \b
    Examples:
      eymail mx show example.com
    """


@mx.command("show")
@click.argument("domain")
@server_option
@pass_app
def show(app: App, domain: str) -> None:
    """A domain's MX on every authoritative server, and which provider that is.

    Each server is asked itself, so a change that has not reached all of them shows.

    \b
    Examples:
      eymail mx show example.com
      eymail mx show example.com --json
    """
    from eymail.ops import mx as ops

    app.show(ops.show(app.env, domain))
