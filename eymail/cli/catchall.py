"""``eymail catchall``: take all of a domain, or of its subdomains."""

from __future__ import annotations

import click

from eymail.cli.app import App, change_options, pass_app, server_option
from eymail.cli.tree import group


@group("catchall")
def catchall() -> None:
    """All otherwise unknown addresses of a domain, or of its subdomains, to one mailbox.

    \b
    Mailboxes and aliases always win over a catchall; of several subdomain
    catchalls the longest domain wins.

    \b
    Examples:
      eymail catchall add example.com
      eymail catchall add example.com --subdomains
      eymail catchall list
    """


@catchall.command("add")
@click.argument("domain")
@click.option("--to", metavar="MAILBOX", help="Another mailbox than catchall@DOMAIN; it must be there.")
@click.option("--subdomains", is_flag=True, help="Every address of every subdomain of DOMAIN.")
@change_options
@server_option
@pass_app
def add(app: App, domain: str, to: str | None, subdomains: bool, dry_run: bool, yes: bool) -> None:
    """Send every unknown address of DOMAIN to one mailbox, catchall@DOMAIN as a rule.

    \b
    The domain and that mailbox are made when they don't exist; a password that was
    made is shown once. A catchall that leads elsewhere is changed.

    With --subdomains the DNS has to hold a wildcard MX. It is looked for; where it is missing it is part of
    the change if the zone is yours ([clusters.NAME.update]), and told as a line to publish if not. Names that
    no wildcard covers (RFC 4592) are named.

    \b
    Examples:
      eymail catchall add example.com
      eymail catchall add example.com --to incoming@example.com
      eymail catchall add example.com --subdomains --dry-run
    """
    from eymail.ops import catchall as ops

    app.change(lambda: ops.add(app.env, domain, to, subdomains=subdomains), dry_run=dry_run, yes=yes)


@catchall.command("remove")
@click.argument("domain")
@click.option("--subdomains", is_flag=True, help="The one of DOMAIN's subdomains.")
@change_options
@pass_app
def remove(app: App, domain: str, subdomains: bool, dry_run: bool, yes: bool) -> None:
    """Refuse unknown addresses of DOMAIN again. The mailbox and its mail stay.

    \b
    Examples:
      eymail catchall remove example.com
      eymail catchall remove example.com --subdomains
    """
    from eymail.ops import catchall as ops

    app.change(ops.remove(app.env, domain, subdomains=subdomains), dry_run=dry_run, yes=yes)


@catchall.command("list")
@click.argument("domain", required=False)
@pass_app
def list_(app: App, domain: str | None) -> None:
    """All catchalls, or those of DOMAIN.

    \b
    Examples:
      eymail catchall list
      eymail catchall list example.com --json
    """
    from eymail.ops import catchall as ops

    app.show(ops.list_(app.env, domain))
