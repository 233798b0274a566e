"""``eymail cluster``: the inventory, and every host's configuration made from it."""

from __future__ import annotations

import click

from eymail.cli.app import App, pass_app
from eymail.cli.tree import group


@group("cluster")
def cluster() -> None:
    """The inventory, and every host's configuration.

    \b
    Examples:
      eymail cluster list
      eymail cluster render ey04 --output rendered
    """


@cluster.command("list")
@pass_app
def list_all(app: App) -> None:
    """The clusters of the inventory.

    \b
    Examples:
      eymail cluster list
    """
    from eymail.ops import cluster as ops

    app.show(ops.list_all(app.env))


@cluster.command("show")
@click.argument("name", metavar="[CLUSTER]", default="")
@pass_app
def show(app: App, name: str) -> None:
    """A cluster's hosts: roles, addresses, and what their mail comes from.

    \b
    Examples:
      eymail cluster show ey04
    """
    from eymail.ops import cluster as ops

    app.show(ops.show(app.env, name))


@cluster.command("render")
@click.argument("name", metavar="[CLUSTER]", default="")
@click.option("--host", default="", metavar="HOST", help="Only this host; dns for the zone files.")
@click.option("--file", "path", default="", metavar="PATH", help="Print this one file.")
@click.option("--output", default="", metavar="DIR", help="Write the files to DIR/HOST/PATH.")
@click.option("--without-directory", is_flag=True, help="From eymail.toml alone.")
@pass_app
def render(app: App, name: str, host: str, path: str, output: str, without_directory: bool) -> None:
    """Render every host's configuration files from the inventory; nothing is changed on any host.

    Without --file and --output the files are listed; --json holds their content. The source addresses
    that the directory assigns are in them. For a cluster whose mail host is not there yet, add
    --without-directory.

    \b
    Examples:
      eymail cluster render
      eymail cluster render --host relay1 --file /etc/exim4/exim4.conf
      eymail cluster render ey04 --output rendered
    """
    from eymail.ops import cluster as ops

    if path and output:
        raise click.UsageError("--file prints one file, --output writes all: give one of them")
    rendered = ops.rendering(app.env, name, host, directory=not without_directory)
    if path:
        app.show(ops.content(rendered, path))
    else:
        app.show(ops.write(rendered, output) if output else rendered)
