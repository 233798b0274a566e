"""What every command shares: its global options, its environment, its one way to answer."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from eymail.env import Env
    from eymail.errors import EymailError
    from eymail.model import Result
    from eymail.output import Printer
    from eymail.plan import Plan

F = TypeVar("F", bound=Callable[..., Any])


class Seconds(click.FloatRange):
    """A span that is a number between two others; to FloatRange "nan" is between any."""

    name = "seconds"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        number: float = super().convert(value, parameter, context)
        if math.isnan(number):
            self.fail(f"{value!r} is no number of seconds.", parameter, context)
        return number


class OutputError(Exception):
    """Standard output takes no more: a full disk, for instance. Nothing can be said there, then."""


class App:
    """The global options of this run, and what is made from them on first use."""

    def __init__(self, format: str = "") -> None:
        self.config: str | None = None
        self.cluster = ""
        self.format = format
        self.quiet = False
        self.verbose = 0
        self.color = "auto"
        self.server: tuple[str, ...] = ()
        self.command = ""
        self._env: Env | None = None

    @property
    def env(self) -> Env:
        """The environment that operations work in."""
        from eymail.env import Env

        if self._env is None:
            ask = partial(click.confirm, err=True) if sys.stdin.isatty() and sys.stderr.isatty() else None
            progress = self._progress if sys.stderr.isatty() and not self.quiet else lambda _message: None
            self._env = Env(self.config, self.cluster, servers=self.server, ask=ask, progress=progress)
        return self._env

    @property
    def printer(self) -> Printer:
        """Writes in the format asked for: a table on a terminal, plain lines in a pipe."""
        from eymail.output import Format, Printer

        chosen = self.format or (Format.TABLE if sys.stdout.isatty() else Format.PLAIN)
        return Printer(Format(chosen), self.color, self.quiet)

    def show(self, result: Result) -> None:
        """Print a result and end with its exit code."""
        applied = "; the change is made, see eymail history" if getattr(result, "done", ()) else ""
        with _writing(applied):
            self.printer.result(self.command, result)
            sys.stdout.flush()
        if result.exit_code:
            click.get_current_context().exit(result.exit_code)

    def stream(self, results: Iterable[Result | EymailError]) -> None:
        """Print results as they come, a line each; end with 1 after an error, else with the last bad code."""
        from eymail.model import Failure, Result
        from eymail.output import Format

        printer = self.printer
        format = Format.PLAIN if printer.format is Format.TABLE else printer.format
        printer = replace(printer, format=format, quiet=True)
        code = 0
        for result in results:
            with _writing():
                if isinstance(result, Result):
                    printer.result(self.command, result)
                    code = code or result.exit_code
                else:
                    printer.error(self.command, Failure.of(result))
                    code = 1
                sys.stdout.flush()
        if code:
            click.get_current_context().exit(code)

    def pages(self, results: Iterable[Result], field: str) -> None:
        """Print results whose tuples ``field`` are one list, each as it comes; end with 1 after an error."""
        with _writing():
            failure = self.printer.pages(self.command, results, field)
            sys.stdout.flush()
        if failure:
            click.get_current_context().exit(1)

    def write(self, lines: Iterable[str]) -> None:
        """Write lines of a file format as they come, to standard output."""
        with _writing():
            for line in lines:
                sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def remark(self, error: EymailError) -> None:
        """Tell of an error that ends a part of the work and not all of it."""
        self.printer.note("; ".join(part for part in (error.message, error.hint) if part))

    def change(
        self,
        plan: Plan | Callable[[], Plan],
        *,
        dry_run: bool,
        yes: bool,
        apply: Callable[[Plan], Result] | None = None,
    ) -> None:
        """Show a plan, ask when it is dangerous, apply it, show what became of it.

        ``apply`` stands in for ops.change.apply where more is to be done with the outcome. What makes
        the plan, in place of the plan, makes it once more when it was overtaken by another change.
        """
        planned = plan() if callable(plan) else plan
        if dry_run:
            self.show(planned)
            return
        if planned.steps and planned.dangers and not yes:
            self._confirm(planned)
        self.show(self._applied(planned, plan if callable(plan) else None, apply or self._apply))

    def _apply(self, plan: Plan) -> Result:
        from eymail.ops import change

        return change.apply(self.env, plan)

    def _applied(
        self, plan: Plan, again: Callable[[], Plan] | None, apply: Callable[[Plan], Result]
    ) -> Result:
        """A stale plan has changed nothing: it is made again, once, unless there would be more to confirm."""
        from eymail.errors import StalePlan

        try:
            return apply(plan)
        except StalePlan:
            newer = again() if again else None
            if newer is None or not set(newer.dangers) <= set(plan.dangers):
                raise
            return apply(newer)

    def _confirm(self, plan: Plan) -> None:
        from eymail.errors import Refused

        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise Refused(f"{plan.title}: {'; '.join(plan.dangers)}", "nobody could be asked; add --yes")
        for danger in plan.dangers:
            self.printer.note(f"careful: {danger}")
        if not click.confirm(f"{plan.title}?", err=True):
            raise Refused(f"{plan.title}: not confirmed", "nothing was changed")

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """Long work's running commentary: one line on a terminal, nothing anywhere else."""
        told = sys.stderr.isatty() and not self.quiet
        try:
            yield self._progress if told else lambda _message: None
        finally:
            if told:
                self._progress("")

    def _progress(self, message: str) -> None:
        click.echo(f"\r\x1b[K{message}", err=True, nl=False)

    def close(self) -> None:
        if self._env is not None:
            self._env.close()


@contextmanager
def _writing(applied: str = "") -> Iterator[None]:
    """Raises OutputError when standard output takes no more."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"the result could not be written: {error.strerror}{applied}") from error


pass_app = click.make_pass_decorator(App, ensure=True)


def _store(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    given = context.get_parameter_source(parameter.name or "") is not click.core.ParameterSource.DEFAULT
    if given and not context.resilient_parsing:
        setattr(context.ensure_object(App), parameter.name or "", value)


def _store_format(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(App).format = parameter.name or ""


_SILENT: dict[str, Any] = {"expose_value": False, "callback": _store}
_FORMAT: dict[str, Any] = {"expose_value": False, "callback": _store_format, "is_flag": True}
_GLOBAL = (
    click.option("--config", metavar="FILE", help="Configuration file.", **_SILENT),
    click.option("--cluster", metavar="NAME", help="The cluster meant.", **_SILENT),
    click.option("--json", help="JSON output.", **_FORMAT),
    click.option("--plain", help="Tab-separated lines, as in a pipe.", **_FORMAT),
    click.option("-q", "--quiet", is_flag=True, help="No notes.", **_SILENT),
    click.option("-v", "--verbose", count=True, help="Say more; show tracebacks.", **_SILENT),
    click.option(
        "--color", type=click.Choice(["auto", "always", "never"]), help="Colour, auto by default.", **_SILENT
    ),
)


def global_options(command: F) -> F:
    """The options that stand on ``eymail`` itself and on every command alike."""
    for option in reversed(_GLOBAL):
        command = option(command)
    return command


def change_options(command: F) -> F:
    """``--dry-run`` and ``--yes``, which every change has."""
    command = click.option("--yes", is_flag=True, help="Do not ask.")(command)
    return click.option("--dry-run", is_flag=True, help="Show the plan, change nothing.")(command)


def server_option(command: F) -> F:
    """``--server``, which every command has that asks the DNS."""
    return click.option(
        "--server", metavar="ADDRESS[:PORT]", multiple=True, expose_value=False, callback=_store,
        help="Ask this name server. Repeatable.",
    )(command)  # fmt: skip
