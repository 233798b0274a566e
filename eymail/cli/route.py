"""``eymail route``: where mail to an address goes, and by which rule."""

from __future__ import annotations

from collections.abc import Iterator

import click

from eymail.cli.app import App, pass_app
from eymail.cli.names import lines
from eymail.cli.tree import command


@command("route")
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
@click.option("--verify", is_flag=True, help="Ask the mail host as well, and compare.")
@pass_app
def route(app: App, addresses: tuple[str, ...], verify: bool) -> None:
    """Where mail to each ADDRESS goes, and by which rule.

    \b
    The directory is asked, by the rules that the mail host follows: mailbox, alias,
    catchall, the longest subdomain catchall, refused. One line for each mailbox
    that the mail ends in. "-" reads addresses from standard input, one a line.

    With --verify the mail host is asked what it does: its routers (exim -bt) and its answer to RCPT, without
    a message. Exit code 3 when it does otherwise than the directory says; what could not be asked reads "not
    checked", with exit code 1. Of several addresses each is a result of its own, a JSON document a line.

    \b
    Examples:
      eymail route wombat@example.com
      eymail route incoming@foo.example.com --verify
      cut -f1 addresses.tsv | eymail route - --verify --json
    """
    from eymail.ops import route as ops

    if len(addresses) == 1 and addresses != ("-",):
        app.show(ops.route(app.env, addresses[0], verify=verify))
    else:
        app.stream(ops.routes(app.env, _each(addresses), verify=verify))


def _each(addresses: tuple[str, ...]) -> Iterator[str]:
    for address in addresses:
        if address == "-":
            yield from lines()
        else:
            yield address
