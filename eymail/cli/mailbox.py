"""``eymail mailbox``: accounts at the mail host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from eymail.cli.app import App, change_options, pass_app
from eymail.cli.names import names_of, names_or_stdin
from eymail.cli.secret import given_password, password_options
from eymail.cli.tree import group

if TYPE_CHECKING:
    from eymail.ops.mailbox.importing import Mode
    from eymail.ops.mailbox.lines import Format


@group("mailbox")
def mailbox() -> None:
    """Accounts at the mail host, read by IMAP and POP3 from inside the cluster.

    \b
    Examples:
      eymail mailbox add incoming@example.com
      eymail mailbox list example.com
      eymail mailbox export --output mailboxes.csv
    """


@mailbox.command("add")
@names_or_stdin
@password_options
@change_options
@pass_app
def add(
    app: App,
    names: tuple[str, ...],
    password_stdin: bool,
    password_prompt: bool,
    scheme: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Make a mailbox, or several in one change; "-" reads their names from input.

    \b
    Without a password one is made for each; it is shown once and kept as a hash only.
    A domain is made known when it isn't.

    \b
    Examples:
      eymail mailbox add incoming@example.com
      eymail mailbox add incoming@example.com --password-prompt
      pass show incoming | eymail mailbox add incoming@example.com --password-stdin
      eymail mailbox add replies@example.com bounces@example.com
    """
    from eymail.ops import mailbox as ops

    wanted = names_of(names, password_stdin)
    password = given_password(password_stdin, password_prompt, wanted)
    if len(wanted) == 1:
        app.change(lambda: ops.add(app.env, wanted[0], password, scheme), dry_run=dry_run, yes=yes)
    else:
        app.change(lambda: ops.add_several(app.env, wanted, scheme), dry_run=dry_run, yes=yes)


@mailbox.command("password")
@names_or_stdin
@password_options
@change_options
@pass_app
def password(
    app: App,
    names: tuple[str, ...],
    password_stdin: bool,
    password_prompt: bool,
    scheme: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Give a mailbox another password, or several a made one each; "-" reads names from input.

    \b
    A made password is shown once and kept as a hash only. A password of your own has
    8 characters or more. From now on logins need the new one.

    \b
    Examples:
      eymail mailbox password incoming@example.com
      eymail mailbox password incoming@example.com --password-prompt
      pass show incoming | eymail mailbox password incoming@example.com --password-stdin
      eymail mailbox password incoming@example.com --scheme SHA512-CRYPT
    """
    from eymail.ops import mailbox as ops

    wanted = names_of(names, password_stdin)
    given = given_password(password_stdin, password_prompt, wanted)
    app.change(ops.password(app.env, wanted, given, scheme), dry_run=dry_run, yes=yes)


@mailbox.command("enable")
@names_or_stdin
@change_options
@pass_app
def enable(app: App, names: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Take mail and logins of mailboxes again; "-" reads their names from input.

    \b
    Examples:
      eymail mailbox enable incoming@example.com
      cat names.txt | eymail mailbox enable -
    """
    from eymail.ops import mailbox as ops

    app.change(ops.enable(app.env, names_of(names)), dry_run=dry_run, yes=yes)


@mailbox.command("disable")
@names_or_stdin
@change_options
@pass_app
def disable(app: App, names: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Refuse mail and logins of mailboxes; "-" reads their names from input.

    \b
    What lies in them stays. In a domain with a catchall, mail to a disabled mailbox
    goes to the catchall. Where a catchall or an alias leads to one, what they take is
    refused as well: that is asked about, or needs --yes.

    \b
    Examples:
      eymail mailbox disable incoming@example.com --dry-run
      eymail mailbox disable incoming@example.com replies@example.com
    """
    from eymail.ops import mailbox as ops

    app.change(ops.disable(app.env, names_of(names)), dry_run=dry_run, yes=yes)


@mailbox.command("quota")
@names_or_stdin
@click.argument("size", metavar="SIZE|none")
@change_options
@pass_app
def quota(app: App, names: tuple[str, ...], size: str, dry_run: bool, yes: bool) -> None:
    """Bound how much mail a mailbox holds, or several; "-" reads their names from input.

    \b
    SIZE is in megabytes, or as 500M, 2G, 1T; none is no limit. Mail to a full mailbox
    waits at the mail host; it is not bounced at once.

    \b
    Examples:
      eymail mailbox quota incoming@example.com 500M
      eymail mailbox quota incoming@example.com replies@example.com 2G
      eymail mailbox quota incoming@example.com none
    """
    from eymail.ops import mailbox as ops

    app.change(ops.quota(app.env, names_of(names), size), dry_run=dry_run, yes=yes)


@mailbox.command("remove")
@names_or_stdin
@change_options
@pass_app
def remove(app: App, names: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Remove mailboxes, in one change; "-" reads their names from input.

    \b
    Aliases and catchalls that lead to them go as well: that is asked about, or needs
    --yes. Mail that lies in them stays on the mail host's disk.

    \b
    Examples:
      eymail mailbox remove incoming@example.com --dry-run
      eymail mailbox remove incoming@example.com --yes
    """
    from eymail.ops import mailbox as ops

    app.change(ops.remove(app.env, *names_of(names)), dry_run=dry_run, yes=yes)


@mailbox.command("list")
@click.argument("domain", required=False)
@click.option("--domain", "filter", metavar="DOMAIN", help="The same as DOMAIN.")
@pass_app
def list_(app: App, domain: str | None, filter: str | None) -> None:
    """All mailboxes, or those of DOMAIN, printed as they are read.

    \b
    Examples:
      eymail mailbox list
      eymail mailbox list example.com --plain | cut -f1
      eymail mailbox list --domain example.com --json
    """
    from eymail.ops import mailbox as ops

    if domain and filter and domain != filter:
        raise click.UsageError("two domains were named")
    app.pages(ops.pages(app.env, domain or filter), "mailboxes")


@mailbox.command("show")
@click.argument("address")
@pass_app
def show(app: App, address: str) -> None:
    """The mailbox ADDRESS, its mail and last login, and what leads to it.

    \b
    Mail and login are asked of Dovecot on its mail host; "not checked" where that could
    not be done. The last login is the last one in Dovecot's log.

    \b
    Examples:
      eymail mailbox show catchall@example.com
      eymail mailbox show catchall@example.com --json
    """
    from eymail.ops import mailbox as ops

    app.show(ops.show(app.env, address))


@mailbox.command("export")
@click.option("--format", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True,
              help="CSV with a heading, or a JSON object a line.")  # fmt: skip
@click.option("--output", metavar="FILE", help="Write to FILE, for nobody but its owner.")
@click.option("--domain", metavar="DOMAIN", help="What belongs to DOMAIN alone.")
@pass_app
def export(app: App, format: str, output: str | None, domain: str | None) -> None:
    """Domains, mailboxes, aliases and catchalls, for eymail mailbox import.

    \b
    An export holds the password hashes, as nothing else that eymail prints does: keep
    it as you keep passwords. A file is made with mode 0600.

    \b
    Examples:
      eymail mailbox export --output mailboxes.csv
      eymail mailbox export --format jsonl --domain example.com --output example.jsonl
      eymail mailbox export | gpg --encrypt --recipient admin > mailboxes.gpg
    """
    from eymail.ops.mailbox import exporting
    from eymail.ops.mailbox.lines import Format

    if output:
        app.show(exporting.to_file(app.env, output, Format(format), domain))
        return
    if app.format == "json":
        raise click.UsageError(
            "--json tells of a file that was written; add --output, or take --format jsonl"
        )
    app.printer.note(f"careful: {exporting.WARNING}")
    if exporting.open_to_others(1):
        app.printer.note(
            "careful: others can read the file that it goes to; --output makes one that they cannot"
        )
    app.write(line for _, line in exporting.lines(app.env, Format(format), domain))


@mailbox.command("import")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--format", type=click.Choice(["csv", "jsonl", "passwd"]), help="Guessed from the first line.")
@click.option("--update", is_flag=True, help="Change what is there and differs.")
@click.option("--replace", is_flag=True, help="And remove what is not in FILE.")
@change_options
@pass_app
def import_(
    app: App, file: str, format: str | None, update: bool, replace: bool, dry_run: bool, yes: bool
) -> None:
    """Make the mailboxes, aliases and catchalls of FILE, or of input ("-"), all or none.

    \b
    FILE is what eymail mailbox export writes: CSV under a heading with some of kind,
    address, password, enabled, quota_mb, host, target; or JSON objects with these, one
    a line; or lines as Dovecot's passwd-file (a@b:{SCHEME}hash), docker-mailserver
    (a@b|{SCHEME}hash) and Postfix's virtual aliases (a@b c@d,e@f, @b c@d) have them.
    A hash is taken as it is: BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, ARGON2ID,
    SCRAM-SHA-256. A password is hashed; {PLAIN} before it says that it is one.
    Of passwd lines, uid, gid, home and the like are left out.

    \b
    Every line is checked first, and every bad one is told by its number; nothing is
    changed then. What a line doesn't say stays as it is. With --replace, whatever is
    not in FILE goes: that is asked about, or needs --yes.

    \b
    Examples:
      eymail mailbox import mailboxes.csv --dry-run
      eymail mailbox import mailboxes.csv --update
      eymail mailbox import mailboxes.csv --replace --dry-run
      cat /etc/dovecot/users | eymail mailbox import - --format passwd
    """
    from eymail.ops.mailbox import importing

    try:
        with click.open_file(file, "rb") as stream:
            records = importing.read(stream, _format(format))
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror}") from error
    app.change(
        lambda: importing.plan(app.env, records, _mode(update, replace)),
        dry_run=dry_run,
        yes=yes,
        apply=lambda plan: importing.apply(app.env, plan, records),
    )


def _format(name: str | None) -> Format | None:
    from eymail.ops.mailbox.lines import Format

    return None if name is None else Format(name)


def _mode(update: bool, replace: bool) -> Mode:
    from eymail.ops.mailbox.importing import Mode

    return Mode.REPLACE if replace else Mode.UPDATE if update else Mode.ADD
