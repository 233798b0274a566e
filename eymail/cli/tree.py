"""Groups and commands of the tree: lazy at the top, the global options everywhere."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

import click

from eymail.cli.app import App, global_options
from eymail.cli.registry import COMMANDS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Command(click.Command):
    """A command that notes its own name, for the JSON envelope, before it runs."""

    def invoke(self, ctx: click.Context) -> Any:
        ctx.ensure_object(App).command = _name(ctx)
        return super().invoke(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.ensure_object(App).command = _name(ctx)
        return super().parse_args(ctx, args)


def _name(context: click.Context) -> str:
    return " ".join(context.command_path.split()[1:])


class Group(click.Group):
    """A noun: its commands carry the global options, and so does it."""

    command_class = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.ensure_object(App).command = _name(ctx)
        return super().parse_args(ctx, args)

    @overload
    def command(self, function: Callable[..., Any], /) -> click.Command: ...
    @overload
    def command(self, *args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], click.Command]: ...
    def command(self, *args: Any, **kwargs: Any) -> Any:
        if args and callable(args[0]):
            return self.command(*args[1:], **kwargs)(args[0])
        make = super().command(*args, **kwargs)
        return lambda function: make(global_options(function))


def command(*args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """A command that stands at the top of the tree."""
    make = click.command(*args, cls=Command, **kwargs)
    return lambda function: make(global_options(function))


def group(*args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], Group]:
    """A noun that stands at the top of the tree."""
    make = click.group(*args, cls=Group, **kwargs)
    return lambda function: make(global_options(function))


class Root(click.Group):
    """``eymail`` itself: knows every command's name and help, loads one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found: click.Command = getattr(importlib.import_module(entry.module), entry.attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise _unknown_command(name)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].help) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        names = (name for name in COMMANDS if name.startswith(incomplete))
        return [CompletionItem(name, help=COMMANDS[name].help) for name in names]


def _unknown_command(name: str) -> Exception:
    from eymail.errors import InvalidInput
    from eymail.model import quoted
    from eymail.toml_table import nearest

    return InvalidInput(f"no such command {quoted(name)}", nearest(name, COMMANDS))
