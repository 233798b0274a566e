"""``eymail route``: where mail to an address goes, and by which rule."""

from __future__ import annotations

import click

from eymail.cli.app import App, pass_app
from eymail.cli.tree import command


@command("route")
@click.argument("address")
@pass_app
def route(app: App, address: str) -> None:
    """Where mail to ADDRESS goes, and by which rule.

    \b
    The directory is asked, by the rules that the mail host follows: mailbox, alias,
    catchall, the longest subdomain catchall, refused. One line for each mailbox
    that the mail ends in. The mail host itself is not asked, and the line says so.

    \b
    Examples:
      eymail route wombat@example.com
      eymail route incoming@foo.example.com --json
    """
    from eymail.ops import route as ops

    app.show(ops.route(app.env, address))
