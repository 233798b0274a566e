"""``eymail spf``: which addresses a cluster sends from, what a domain's record names."""

from __future__ import annotations

import click

from eymail.cli.app import App, pass_app, server_option
from eymail.cli.tree import command


@command("spf")
@click.argument("target")
@server_option
@pass_app
def spf(app: App, target: str) -> None:
    """Which addresses a cluster sends from; what a domain's SPF record names.

    TARGET is a cluster: its source addresses as published, one a line in a pipe, beside what the
    inventory says. Or it is a domain: the terms of its SPF record, what they lead to one level deep, and
    whether they name the source addresses of the clusters in the inventory. What lies deeper, and what
    a, mx, ptr and exists name, is not followed and reads "not checked".

    \b
    Examples:
      eymail spf ey04
      eymail spf example.com
      eymail spf ey04 --server 192.0.2.53
    """
    from eymail.ops import spf as ops

    app.show(ops.of_target(app.env, target))
