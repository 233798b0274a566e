"""``eymail completion``: the script that makes a shell complete eymail's commands."""

from __future__ import annotations

from dataclasses import dataclass

import click

from eymail.cli.app import App, pass_app
from eymail.cli.tree import command
from eymail.model import Result, View

SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True)
class Script(Result):
    """A shell's completion script."""

    shell: str
    script: str

    def view(self) -> View:
        return View(("script",), tuple((line,) for line in self.script.splitlines()))


def script(shell: str) -> Script:
    """The script for one of SHELLS; it asks ``eymail`` itself at each key press."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(shell)
    # The command itself is not looked at: a script knows only its name.
    return Script(shell, kind(click.Command("eymail"), {}, "eymail", "_EYMAIL_COMPLETE").source())


@command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@pass_app
def completion(app: App, shell: str) -> None:
    """Print a shell's completion script.

    \b
    Examples:
      eval "$(eymail completion bash)"         for this shell
      eymail completion bash > ~/.local/share/bash-completion/completions/eymail
      eymail completion zsh > ~/.zfunc/_eymail
      eymail completion fish > ~/.config/fish/completions/eymail.fish
    """
    app.format = app.format or "plain"  # a script is no table, on a terminal neither
    app.show(script(shell))
