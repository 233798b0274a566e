"""``eymail source``: what mail comes from, per cluster and per customer's domain."""

from __future__ import annotations

import click

from eymail.cli.app import App, change_options, pass_app, server_option
from eymail.cli.tree import group


@group("source")
def source() -> None:
    """The addresses that a cluster's mail comes from: its own, and customers' dedicated ones.

    \b
    Examples:
      eymail source list
      eymail source assign example.com 203.0.113.12 --dry-run
      eymail source release example.com
    """


@source.command("list")
@server_option
@pass_app
def list_(app: App) -> None:
    """Every source address: for whom it is, who said so, and whether the DNS agrees.

    \b
    "in SPF" is the cluster's own record; "PTR leads back" asks whether the name that
    the address has leads to the address again, as receivers want it. What could not
    be asked reads "not checked". --cluster NAME shows one cluster.

    \b
    Examples:
      eymail source list
      eymail source list --cluster ey04 --json
    """
    from eymail.ops.source import listing as ops

    app.show(ops.of_clusters(app.env, app.cluster))


@source.command("assign")
@click.argument("domain")
@click.argument("address")
@click.option("--inside", multiple=True, metavar="HOST=ADDRESS",
              help="Where HOST sends from for it; a free inner address otherwise.")  # fmt: skip
@click.option("--prove", default="", metavar="MAILBOX", help="Prove it by a message to this address outside.")
@server_option
@change_options
@pass_app
def assign(
    app: App, domain: str, address: str, inside: tuple[str, ...], prove: str, dry_run: bool, yes: bool
) -> None:
    """Let mail from DOMAIN leave by ADDRESS, which may be other domains' as well, and no other address.

    \b
    All that it needs is in the plan: the directory, the gateway, relays and deferred
    hosts, the cluster's SPF record, the address's name and its PTR. Where the zones
    are not ours the lines to publish are told. A file that is not as eymail renders
    it is left alone, and so is everything else then. The same command completes what
    was interrupted.

    \b
    At the end a message proves which address the outside sees: in the lab by itself,
    on a real cluster with --prove, and you look there.

    \b
    Examples:
      eymail source assign example.com 203.0.113.12 --dry-run
      eymail source assign example.com 203.0.113.12 --prove me@example.org
      eymail source assign example.com 203.0.113.12 --inside relay1=10.44.0.114
    """
    from eymail.ops.source import change as ops
    from eymail.ops.source import proof

    plan = ops.assign(app.env, domain, address, inside)
    app.change(plan, dry_run=dry_run, yes=yes, apply=proof.applying(app.env, domain, prove))


@source.command("release")
@click.argument("domain")
@click.option("--prove", default="", metavar="MAILBOX", help="Prove it by a message to this address outside.")
@server_option
@change_options
@pass_app
def release(app: App, domain: str, prove: str, dry_run: bool, yes: bool) -> None:
    """Let mail from DOMAIN leave by the cluster's own address again.

    The address that it had goes with it, when no other domain has it.

    \b
    Examples:
      eymail source release example.com --dry-run
      eymail source release example.com
    """
    from eymail.ops.source import change as ops
    from eymail.ops.source import proof

    plan = ops.release(app.env, domain)
    app.change(plan, dry_run=dry_run, yes=yes, apply=proof.applying(app.env, domain, prove))
