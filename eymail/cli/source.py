"""``eymail source``: what mail comes from, per cluster and per customer's domain."""

from __future__ import annotations

from eymail.cli.app import App, pass_app, server_option
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
    from eymail.ops import source as ops

    app.show(ops.list_(app.env, app.cluster))
