"""``eymail domain``: domains that the mail host receives."""

from __future__ import annotations

import click

from eymail.cli.app import App, change_options, pass_app, server_option
from eymail.cli.names import names_of
from eymail.cli.tree import group

_domains = click.argument("domains", metavar="DOMAIN...", nargs=-1, required=True)


@group("domain")
def domain() -> None:
    """Domains that the mail host receives.

    Where domains are named, "-" reads them from standard input, one a line.

    \b
    Examples:
      eymail domain add example.com
      eymail domain list
    """


@domain.command("add")
@_domains
@change_options
@server_option
@pass_app
def add(app: App, domains: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Receive mail for each DOMAIN, in one change.

    \b
    Addresses are refused until there are mailboxes, aliases or a catchall.

    The MX is looked at: when a domain's mail goes elsewhere, to a provider for people's mail as a rule, that
    is asked about, or needs --yes; the way out is a subdomain such as app.DOMAIN.

    \b
    Examples:
      eymail domain add example.com
      eymail domain add app.example.com bücher.example --dry-run
      cut -f1 domains.tsv | eymail domain add -
    """
    from eymail.ops import domain as ops

    wanted = names_of(domains)
    app.change(lambda: ops.add(app.env, *wanted), dry_run=dry_run, yes=yes)


@domain.command("remove")
@_domains
@click.option("--purge", is_flag=True, help="Delete the mail as well, for good.")
@change_options
@pass_app
def remove(app: App, domains: tuple[str, ...], purge: bool, dry_run: bool, yes: bool) -> None:
    """Receive mail for each DOMAIN no longer, in one change.

    \b
    Its mailboxes, aliases and catchalls go with it: that is asked about, or needs
    --yes. Mail that lies in the mailboxes stays on the mail host's disk, and how much
    it is is said.

    With --purge the mail is deleted as well, also that of a domain removed before. It is the last thing done,
    and a change that did it cannot be undone.

    \b
    Examples:
      eymail domain remove example.com --dry-run
      eymail domain remove example.com --yes
      eymail domain remove example.com example.org --purge
    """
    from eymail.ops import domain as ops

    app.change(ops.remove(app.env, *names_of(domains), purge=purge), dry_run=dry_run, yes=yes)


@domain.command("list")
@pass_app
def list_(app: App) -> None:
    """Every domain, with the numbers of its mailboxes and aliases, and its catchalls.

    \b
    Examples:
      eymail domain list
      eymail domain list --plain | cut -f1
    """
    from eymail.ops import domain as ops

    app.show(ops.list_(app.env))


@domain.command("show")
@_domains
@server_option
@pass_app
def show(app: App, domains: tuple[str, ...]) -> None:
    """The mailboxes, aliases and catchalls of each DOMAIN, where its MX leads, and how much mail lies there.

    What could not be asked reads "not checked". Of several domains each is a result of its own.

    \b
    Examples:
      eymail domain show example.com
      eymail domain show example.com example.org --json
    """
    from eymail.ops import domain as ops

    wanted = names_of(domains)
    if len(wanted) == 1:
        app.show(ops.show(app.env, wanted[0]))
    else:
        app.stream(ops.shows(app.env, wanted))
