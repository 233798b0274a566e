"""The entry point, and the one place where an error becomes text, an envelope and an exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from eymail import __version__
from eymail.cli.app import App, OutputError, global_options
from eymail.cli.tree import Root

USAGE = 2
INTERRUPTED = 130


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": None})
@click.version_option(__version__, "--version", prog_name="eymail", message="%(prog)s %(version)s")
@global_options
def eymail() -> None:
    """Administer the e-mail of clusters: addresses, MX, catchalls, queues, tunnels.

    \b
    Examples:
      eymail spf ey04                  which address do we send from
      eymail catchall add example.com  take every address of a domain
      eymail queue summary             what is stuck, and why
      eymail tunnel imap slice1        reach the mail host from outside
    """


def main() -> None:
    """Run the command line; never a traceback unless ``-v`` asks for one."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (for the whole run)
    if sys.stdout is None:
        sys.exit("eymail: standard output is closed, so nothing was done")
    app = App(format="json" if "--json" in _own_arguments() else "")
    code = _run(app)
    app.close()
    sys.exit(code if isinstance(code, int) else 0)


def _run(app: App) -> object:
    try:
        code = eymail.main(prog_name="eymail", standalone_mode=False, obj=app)
        sys.stdout.flush()
    except BrokenPipeError:
        return _without_output()
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(app)
    except OutputError as error:
        click.echo(f"eymail: {error}", err=True)
        return _without_output()
    except Exception as error:
        return _fail(app, error)
    return code


def _without_output() -> int:
    """Nothing more can be written: let Python's own last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _own_arguments() -> list[str]:
    arguments = sys.argv[1:]
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _interrupted(app: App) -> int:
    from eymail.model import Failure

    app.printer.error(app.command, Failure("interrupted", "interrupted"))
    return INTERRUPTED


def _fail(app: App, error: Exception) -> int:
    from eymail.errors import EymailError
    from eymail.model import Failure

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return USAGE
    if isinstance(error, click.ClickException):
        app.printer.error(app.command, Failure("usage", error.format_message(), _usage_hint(error)))
        return USAGE
    if isinstance(error, EymailError):
        app.printer.error(app.command, *(Failure.of(one) for one in error.parts))
        return error.exit_code
    if app.verbose:
        raise error
    kind = f"{type(error).__name__}: {error}"
    app.printer.error(app.command, Failure("internal", f"unexpected: {kind}", "add -v for the traceback"))
    return 1


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"see {context.command_path} --help" if context else "see eymail --help"
