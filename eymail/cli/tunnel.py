"""``eymail tunnel``: reach the cluster's mail from outside."""

from __future__ import annotations

import os
import sys

import click

from eymail.cli.app import App, pass_app
from eymail.cli.tree import command

PASSWORD_VARIABLE = "EYMAIL_PASSWORD"  # noqa: S105 (a variable's name, not a password)


@command("tunnel")
@click.argument("service", type=click.Choice(["imap", "pop3", "smtp"]))
@click.argument("slice_name", metavar="SLICE")
@click.option(
    "--local-port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="P",
    help="Listen here; else a free one.",
)
@click.option("--test", "tested", is_flag=True, help="Try the way and the service, listen on nothing.")
@click.option("--user", default="", metavar="U", help="With --test: log in as this mailbox.")
@click.option("--password-stdin", is_flag=True, help="With --user: read the password from stdin.")
@pass_app
def tunnel(
    app: App, service: str, slice_name: str, local_port: int, tested: bool, user: str, password_stdin: bool
) -> None:
    """Reach the cluster's IMAP, POP3 or SMTP from outside, through a slice.

    Prints a host and port of this machine, and leads what connects there to the mail host (for smtp: to the
    relays) until Ctrl-C. With --test it tries every step instead, and ends with exit code 3 when one fails.
    SLICE is a host of the inventory, or any host that ssh knows. The password of --user is asked for, read
    from stdin, or taken from EYMAIL_PASSWORD.

    \b
    Examples:
      eymail tunnel imap slice1
      eymail tunnel pop3 slice1 --local-port 1100
      eymail tunnel imap slice1 --test --user catchall@example.com
    """
    from eymail.ops import tunnel as ops

    if tested:
        app.show(ops.test(app.env, service, slice_name, user, _password(user, password_stdin)))
        return
    if user or password_stdin:
        raise click.UsageError("--user and --password-stdin go with --test")
    with ops.opened(app.env, service, slice_name, local_port, app.remark) as (opened, serve):
        app.show(opened)
        try:
            serve()
        except KeyboardInterrupt:
            app.printer.note("the tunnel is closed")
            click.get_current_context().exit(130)


def _password(user: str, password_stdin: bool) -> str:
    if not user:
        return ""
    if password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is None and sys.stdin.isatty():
        password = click.prompt(f"Password of {user}", hide_input=True, err=True)
    if password is None:
        raise click.UsageError(f"no password for {user}: add --password-stdin, or set {PASSWORD_VARIABLE}")
    return password
