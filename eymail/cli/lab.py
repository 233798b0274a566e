"""``eymail lab``: a whole cluster on this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from eymail.cli.app import App, pass_app
from eymail.cli.tree import group

F = TypeVar("F", bound=Callable[..., Any])
_WORDS: dict[str, Any] = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def _name(command: F) -> F:
    """``--name``, which every command of the lab has."""
    option = click.option("--name", metavar="LAB", default="ey04", show_default=True, help="Which lab.")
    return option(command)


@group("lab")
def lab() -> None:
    """A whole cluster, real, on this machine.

    Gateway, load balancer, relays, deferred host, mail host and slices, with a world outside of name
    servers and remote hosts that accept, refuse, stall or hang; all in Podman containers, configured by
    what `eymail cluster render` makes.

    \b
    Examples:
      eymail lab up
      eymail lab run -- eymail spf ey04
      eymail lab exec relay1 -- exim4 -bp
      eymail lab down
    """


@lab.command("up")
@_name
@click.option(
    "--release", type=click.Choice(["bookworm", "trixie"]), default="bookworm", show_default=True,
    help="The Debian release of its hosts.",
)  # fmt: skip
@pass_app
def up(app: App, name: str, release: str) -> None:
    """Bring a lab up; the first time, build its image.

    \b
    Examples:
      eymail lab up
      eymail lab up --name second
    """
    from eymail.ops import lab as ops

    with app.progress() as progress:
        status = ops.up(name, release, progress)
    if app.verbose:
        app.printer.note(f"podman: {', '.join(status.engine)}")
    app.show(status)


@lab.command("down")
@_name
@click.option("--images", is_flag=True, help="Remove the images too, where no other lab uses them.")
@pass_app
def down(app: App, name: str, images: bool) -> None:
    """Take a lab down; nothing of it is left but its image.

    \b
    Examples:
      eymail lab down
      eymail lab down --images
    """
    from eymail.ops import lab as ops

    app.show(ops.down(name, images=images))


@lab.command("status")
@_name
@pass_app
def status(app: App, name: str) -> None:
    """Every host, and whether its services answer. Exit code 3 when one does not.

    \b
    Examples:
      eymail lab status
    """
    from eymail.ops import lab as ops

    app.show(ops.status_of(name))


@lab.command("env")
@_name
@pass_app
def env(app: App, name: str) -> None:
    """Print what a shell needs to use the lab.

    \b
    Examples:
      eval "$(eymail lab env)"
    """
    from eymail.ops import lab as ops

    app.show(ops.environment(name))


@lab.command("exec", context_settings=_WORDS)
@_name
@click.argument("host")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(name: str, host: str, command: tuple[str, ...]) -> None:
    """Run a command inside a host of the lab; its exit code is handed on.

    \b
    Examples:
      eymail lab exec deferred1 -- exim4 -bp
      eymail lab exec slice1 -- swaks --server smtp --from a@example.com --to b@accept.example
    """
    from eymail.ops import lab as ops

    ops.execute(name, host, _after_dashes(command))


@lab.command("run", context_settings=_WORDS)
@_name
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(name: str, command: tuple[str, ...]) -> None:
    """Run a command as an administrator outside the cluster: your files, the lab's network.

    \b
    Examples:
      eymail lab run -- eymail queue summary
      eymail lab run -- ssh -F ~/.local/state/eymail/lab/ey04/ssh_config relay1
    """
    from eymail.ops import lab as ops

    ops.run(name, _after_dashes(command))


def _after_dashes(command: tuple[str, ...]) -> tuple[str, ...]:
    return command[1:] if command[0] == "--" else command
