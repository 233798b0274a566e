"""``eymail spf``: which addresses a cluster sends from, what a domain's record says, and of whom."""

from __future__ import annotations

from typing import Any, BinaryIO

import click

from eymail.cli.app import App, pass_app, server_option
from eymail.cli.tree import command

_RESULTS = ("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror")


@command("spf")
@click.argument("target")
@click.option("--ip", metavar="ADDRESS", help="What the policy says of a client with this address.")
@click.option("--sender", metavar="ADDRESS", help="Its MAIL FROM; '' for a bounce.")
@click.option("--helo", metavar="NAME", help="The name in its HELO.")
@click.option(
    "--set",
    "clients",
    metavar="FILE",
    type=click.File("rb", lazy=False),
    help="Clients from FILE, - for stdin, a line each: IP SENDER HELO.",
)
@click.option(
    "--expect",
    "expected",
    type=click.Choice(_RESULTS),
    multiple=True,
    metavar="RESULT",
    help="End with 3 unless this is the result. Repeatable.",
)
@click.option(
    "--timeout",
    "deadline",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 3600),
    default=20,
    show_default=True,
    help="The deadline of an evaluation.",
)
@server_option
@pass_app
def spf(app: App, /, target: str, **options: Any) -> None:
    """Which addresses a cluster sends from; what a domain's SPF record says.

    \b
    Examples:
      eymail spf ey04
      eymail spf example.com
      eymail spf example.com --ip 192.0.2.1 --sender joe@example.com --helo mx.example.com
      eymail spf ey04 --server 192.0.2.53
    """
    given = {name: value for name, value in options.items() if value not in (None, ())}
    _checked(given)
    if "ip" in given:
        _client(app, target, **given)
    elif "clients" in given:
        _clients(app, target, **given)
    else:
        _report(app, target)


def _checked(given: dict[str, Any]) -> None:
    if "ip" in given and "clients" in given:
        raise click.UsageError("--ip is one client, --set are many: give one of them")
    for name in ("sender", "helo"):
        if name in given and "ip" not in given:
            raise click.UsageError(f"--{name} describes a client: add its --ip")
    if "expected" in given and not {"ip", "clients"} & given.keys():
        raise click.UsageError("--expect is about a client: add --ip or --set")


def _client(
    app: App,
    target: str,
    *,
    ip: str,
    deadline: float,
    sender: str = "",
    helo: str = "",
    expected: tuple[str, ...] = (),
) -> None:
    from eymail.ops.spf import check

    triple = check.Triple(ip, sender, helo)
    app.show(check.of_client(app.env, target, triple, deadline=deadline, expected=expected))


def _clients(
    app: App, target: str, *, clients: BinaryIO, deadline: float, expected: tuple[str, ...] = ()
) -> None:
    from eymail.ops.spf import many

    lines = many.lines_of(clients) if clients.seekable() else many.arriving(clients)
    app.stream(many.of_lines(app.env, target, lines, deadline=deadline, expected=expected))


def _report(app: App, target: str) -> None:
    from eymail.ops.spf import cluster

    app.show(cluster.of_target(app.env, target))
