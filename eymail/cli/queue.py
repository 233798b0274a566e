"""``eymail queue``: what is stuck, where and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from eymail.cli.app import App, F, pass_app
from eymail.cli.tree import group

if TYPE_CHECKING:
    from eymail.ops.queue import Filters, Where


def _span(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    from eymail.ops.queue import parse_span

    return None if value is None else parse_span(value)


_FILTERS = (
    click.option("--host", "hosts", metavar="NAME", multiple=True,
                 help="Only this host's queue. Repeatable."),
    click.option("--spool", metavar="DIR", default="",
                 help="Read the spool in DIR on this machine, as it lies."),
    click.option("--to", "recipients", metavar="PATTERN", multiple=True,
                 help="To this recipient; joe@example.com or '*@example.*'. Repeatable."),
    click.option("--from", "senders", metavar="PATTERN", multiple=True,
                 help="From this sender; <> for bounces. Repeatable."),
    click.option("--domain", "domains", metavar="PATTERN", multiple=True,
                 help="To this recipient domain; example.com or '*.example.com'. Repeatable."),
    click.option("--reason", "reasons", metavar="WORDS", multiple=True,
                 help="Held up for this reason: a part of it, such as refused or 451. Repeatable."),
    click.option("--older", metavar="SPAN", callback=_span, help="Older than 90s, 10m, 2h, 3d."),
    click.option("--younger", metavar="SPAN", callback=_span, help="Younger than that."),
    click.option("--frozen", is_flag=True, help="Frozen messages only."),
    click.option("--id", "ids", metavar="ID", multiple=True,
                 help="The message of this queue id. Repeatable."),
    click.option("--timeout", "deadline", metavar="SECONDS", type=click.IntRange(1, 3600), default=30,
                 show_default=True, help="How long to wait for hosts; those that are slower are named."),
)  # fmt: skip


def _filters(command: F) -> F:
    """Where to look and what for, the same for every command on queues."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def _meant(hosts: tuple[str, ...], spool: str, deadline: float, **filters: Any) -> tuple[Where, Filters]:
    from eymail.ops.queue import Filters, Where

    return Where(hosts, spool, deadline), Filters(**filters)


@group("queue")
def queue() -> None:
    """What is stuck, where and why.

    \b
    The queues of all relays, the deferred host and the mail host are read where
    they lie, over SSH, side by side.
    Filters: values of one option add to each other, different options narrow.

    \b
    Examples:
      eymail queue summary
      eymail queue list --domain example.com --older 2h
    """


@queue.command("summary")
@_filters
@pass_app
def summary(app: App, /, **options: Any) -> None:
    """Messages by host, recipient domain and reason, the most first.

    \b
    A reason is the last error by its meaning: hosts and numbers are left out,
    SMTP codes kept. Where Exim says only that it is not yet time to try again,
    the real cause is looked up in its retry database.
    A message that waits for several domains or reasons is counted in each row.
    Exit code 1 when a host did not answer; it is named, the others are shown.

    \b
    Examples:
      eymail queue summary
      eymail queue summary --host deferred1 --reason 'timed out'
      eymail queue summary --spool /var/spool/exim4 --json
    """
    from eymail.ops import queue as ops

    app.show(ops.summary(app.env, *_meant(**options)))


@queue.command("list")
@_filters
@pass_app
def list_(app: App, /, **options: Any) -> None:
    """Messages one by one, the oldest first, with the recipients still to be served.

    \b
    Examples:
      eymail queue list --frozen
      eymail queue list --to '*@example.com' --older 1d --plain | cut -f1
      eymail queue list --from '<>' --json
    """
    from eymail.ops import queue as ops

    app.show(ops.messages(app.env, *_meant(**options)))
