"""``eymail spf``: which addresses a cluster sends from, what a domain's record says, and of whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from eymail.cli.app import App, Seconds, pass_app, server_option
from eymail.cli.tree import command

_RESULTS = ("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror")


class _Lines(click.File):
    """click ends in a RuntimeError where standard input is closed."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        try:
            return super().convert(value, parameter, context)
        except RuntimeError:
            self.fail("standard input is closed", parameter, context)


@command("spf")
@click.argument("target")
@click.option("--ip", metavar="ADDRESS", help="What the policy says of a client with this address.")
@click.option("--sender", metavar="ADDRESS", help="Its MAIL FROM; '' for a bounce.")
@click.option("--helo", metavar="NAME", help="The name in its HELO.")
@click.option(
    "--set",
    "clients",
    metavar="FILE",
    type=_Lines("rb", lazy=False),
    help="Many clients, from FILE, - for stdin; a line each: IP SENDER HELO.",
)
@click.option(
    "--expect",
    "expected",
    type=click.Choice(_RESULTS, case_sensitive=False),
    multiple=True,
    metavar="RESULT",
    help="With --ip or --set: end with 3 unless this is the result. Repeatable.",
)
@click.option("--check", is_flag=True, help="End with 3 when something is wrong, for cron.")
@click.option("--flatten", is_flag=True, help="The record with every include resolved to networks.")
@click.option("--at", metavar="NAME", help="With --flatten: where that is published; TARGET by default.")
@click.option("--diff", is_flag=True, help="With --flatten: end with 3 when something else is published.")
@click.option("--observe", is_flag=True, help="Send a message through the cluster: what is seen outside?")
@click.option("--to", metavar="ADDRESS", help="With --observe: where to; in the lab a host there.")
@click.option(
    "--timeout",
    "deadline",
    metavar="SECONDS",
    type=Seconds(0.1, 3600),
    default=20,
    show_default=True,
    help="The deadline of an evaluation.",
)
@server_option
@pass_app
def spf(app: App, /, target: str, deadline: float, **options: Any) -> None:
    """Which addresses a cluster sends from; what a domain's SPF record says, and of whom.

    TARGET is a cluster: its source addresses as published, one a line in a pipe, beside what the
    inventory says. With --observe a message is sent through it, to see which address it really has.

    Or TARGET is a domain: the tree of its record with all that it leads to, what of the ten look-ups it
    takes, whether each source address of each cluster may send for it, every fault, and what to publish.

    With --ip it is the result that a receiving server would come to (RFC 7208), with the terms that
    decided. TARGET may then be '': the sender's domain is meant, or the HELO name.

    With --flatten it is the record with all includes resolved to the fewest networks, in several parts where
    it would be too long for one. From cron: keep the record with the includes at a name of its own, and
    compare what it comes to with what you publish, as in the last example.

    \b
    Examples:
      eymail spf ey04
      eymail spf ey04 --observe
      eymail spf example.com
      eymail spf example.com --check -q --plain
      eymail spf example.com --ip 192.0.2.1 --sender joe@example.com --helo mx.example.com
      eymail spf '' --ip 192.0.2.1 --sender joe@example.com --expect pass
      eymail spf example.com --set -
      eymail spf _spf-source.example.com --flatten --at example.com --diff
    """
    given = {name: value for name, value in options.items() if value not in (None, (), False)}
    _check(given)
    way = next((way for name, way in _WAYS.items() if name in given), _report)
    way(app, target, deadline, given)


_BELONGS = {
    "sender": ("ip",), "helo": ("ip",), "expected": ("ip", "clients"),
    "at": ("flatten",), "diff": ("flatten",), "to": ("observe",),
}  # fmt: skip
_OPTION = {"clients": "set", "expected": "expect"}


def _check(given: Mapping[str, Any]) -> None:
    """Options that ask for different things, or belong to one that is missing."""
    if "check" in given and any(name in given for name in _WAYS):
        raise click.UsageError("--check goes with the report on a cluster or a domain")
    ways = [f"--{_OPTION.get(name, name)}" for name in _WAYS if name in given]
    if len(ways) > 1:
        raise click.UsageError(f"{' and '.join(ways)} ask for different things: give one of them")
    for name, owners in _BELONGS.items():
        if name in given and not any(owner in given for owner in owners):
            wanted = " or ".join(f"--{_OPTION.get(owner, owner)}" for owner in owners)
            raise click.UsageError(f"--{_OPTION.get(name, name)} goes with {wanted}")


def _client(app: App, target: str, deadline: float, given: Mapping[str, Any]) -> None:
    from eymail.ops.spf import check

    triple = check.Triple(given["ip"], given.get("sender", ""), given.get("helo", ""))
    expected = given.get("expected", ())
    app.show(check.of_client(app.env, target, triple, deadline=deadline, expected=expected))


def _clients(app: App, target: str, deadline: float, given: Mapping[str, Any]) -> None:
    from eymail.ops.spf import many

    file = given["clients"]
    lines = many.lines_of(file) if file.seekable() else many.arriving(file)
    app.stream(many.of_lines(app.env, target, lines, deadline=deadline, expected=given.get("expected", ())))


def _flat(app: App, target: str, deadline: float, given: Mapping[str, Any]) -> None:
    from eymail.ops.spf import flatten

    at, diff = given.get("at", ""), given.get("diff", False)
    app.show(flatten.of_target(app.env, target, at, diff=diff, deadline=deadline))


def _observed(app: App, target: str, deadline: float, given: Mapping[str, Any]) -> None:
    from eymail.ops.spf import cluster

    to = given.get("to", "")
    app.show(cluster.of_cluster(app.env, target, deadline=deadline, observed=True, to=to))


def _report(app: App, target: str, deadline: float, given: Mapping[str, Any]) -> None:
    from eymail.ops.spf import report

    app.show(report.of_target(app.env, target, deadline=deadline, check=given.get("check", False)))


_WAYS = {"ip": _client, "clients": _clients, "flatten": _flat, "observe": _observed}
