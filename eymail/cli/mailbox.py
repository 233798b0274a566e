"""``eymail mailbox``: accounts at the mail host."""

from __future__ import annotations

import sys

import click

from eymail.cli.app import App, change_options, pass_app
from eymail.cli.tree import group


@group("mailbox")
def mailbox() -> None:
    """Accounts at the mail host, read by IMAP and POP3 from inside the cluster.

    \b
    Examples:
      eymail mailbox add incoming@example.com
      eymail mailbox list example.com
    """


@mailbox.command("add")
@click.argument("address")
@click.option("--password-stdin", is_flag=True, help="Take the password from the first line of input.")
@click.option("--password-prompt", is_flag=True, help="Ask for the password, twice.")
@change_options
@pass_app
def add(
    app: App, address: str, password_stdin: bool, password_prompt: bool, dry_run: bool, yes: bool
) -> None:
    """Make a mailbox ADDRESS.

    \b
    Without a password one is made; it is shown once and kept as a hash only.
    The domain is made known when it isn't.

    \b
    Examples:
      eymail mailbox add incoming@example.com
      eymail mailbox add incoming@example.com --password-prompt
      pass show incoming | eymail mailbox add incoming@example.com --password-stdin
    """
    from eymail.ops import mailbox as ops

    password = _password(password_stdin, password_prompt)
    app.change(lambda: ops.add(app.env, address, password), dry_run=dry_run, yes=yes)


def _password(from_stdin: bool, prompt: bool) -> str | None:
    if from_stdin and prompt:
        raise click.UsageError("--password-stdin and --password-prompt exclude each other")
    if from_stdin:
        return _first_line()
    if not prompt:
        return None
    if not sys.stdin.isatty():
        raise click.UsageError("--password-prompt needs a terminal; use --password-stdin")
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return asked


def _first_line() -> str:
    """The first line of standard input, of a sane length."""
    line = sys.stdin.buffer.readline(4096)
    try:
        return line.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise click.UsageError("the password is not UTF-8") from error


@mailbox.command("remove")
@click.argument("address")
@change_options
@pass_app
def remove(app: App, address: str, dry_run: bool, yes: bool) -> None:
    """Remove the mailbox ADDRESS.

    \b
    Aliases and catchalls that lead to it go with it: that is asked about, or needs
    --yes. Mail that lies in it stays on the mail host's disk.

    \b
    Examples:
      eymail mailbox remove incoming@example.com --dry-run
      eymail mailbox remove incoming@example.com --yes
    """
    from eymail.ops import mailbox as ops

    app.change(ops.remove(app.env, address), dry_run=dry_run, yes=yes)


@mailbox.command("list")
@click.argument("domain", required=False)
@pass_app
def list_(app: App, domain: str | None) -> None:
    """All mailboxes, or those of DOMAIN.

    \b
    Examples:
      eymail mailbox list
      eymail mailbox list example.com --plain | cut -f1
    """
    from eymail.ops import mailbox as ops

    app.show(ops.list_(app.env, domain))


@mailbox.command("show")
@click.argument("address")
@pass_app
def show(app: App, address: str) -> None:
    """The mailbox ADDRESS, and the aliases and catchalls that lead to it.

    \b
    Examples:
      eymail mailbox show catchall@example.com
      eymail mailbox show catchall@example.com --json
    """
    from eymail.ops import mailbox as ops

    app.show(ops.show(app.env, address))
