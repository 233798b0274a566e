"""One printer for all results: a table on a terminal, tab-separated lines in a pipe.

The result goes to stdout and nothing else does; notes and errors go to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO

from eymail.errors import EymailError
from eymail.model import Failure, Result, View
from eymail.output.escape import clean, plain_cell
from eymail.output.json import closing, envelope, error_envelope, item, opening


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    PLAIN = "plain"
    JSON = "json"


@dataclass(frozen=True)
class Printer:
    """Writes results in one format. ``color`` is always, never or auto."""

    format: Format
    color: str = "auto"
    quiet: bool = False
    out: TextIO | None = None
    err: TextIO | None = None

    def result(self, command: str, result: Result) -> None:
        """The result on stdout; its notes and failures on stderr."""
        if self.format is Format.JSON:
            self._out(envelope(command, result))
            return
        view = result.view()
        if self.format is Format.TABLE:
            self._table(view)
        else:
            self._plain(view)
        for failure in result.failures:
            self._failure(failure)

    def pages(self, command: str, results: Iterable[Result], field: str) -> Failure | None:
        """Results that are one by their tuples ``field``, printed as they come, as one table or envelope.

        Gives what kept further ones away, where something did, and has told it then. Raises what is in
        the way of the first one.
        """
        pages = iter(results)
        first = next(pages)
        if self.format is Format.JSON:
            return self._json_pages(command, first, pages, field)
        self.result(command, first)
        try:
            for page in pages:
                self._rows(page.view())
        except EymailError as error:
            self._failure(Failure.of(error))
            return Failure.of(error)
        return None

    def _json_pages(self, command: str, page: Result, pages: Iterator[Result], field: str) -> Failure | None:
        failure, comma = None, ""
        self._out(opening(command, field), end="")
        try:
            while True:
                for value in getattr(page, field):
                    self._out(comma + item(value), end="")
                    comma = ", "
                page = next(pages)
        except StopIteration:
            pass
        except EymailError as error:
            failure = Failure.of(error)
        self._out(closing(page, field, (failure,) if failure else ()))
        return failure

    def error(self, command: str, *failures: Failure) -> None:
        """An error, or several, that left no result."""
        if self.format is Format.JSON:
            self._out(error_envelope(command, *failures))
            return
        for failure in failures:
            self._failure(failure)

    def note(self, message: str) -> None:
        """A remark beside the result."""
        if not self.quiet:
            print(clean(message), file=self.err or sys.stderr)

    def _out(self, line: str, end: str = "\n") -> None:
        print(line, file=self.out or sys.stdout, end=end)

    def _plain(self, view: View) -> None:
        self._rows(view)
        self._notes(view.notes)

    def _rows(self, view: View) -> None:
        for row in view.rows if view.plain is None else view.plain:
            self._out("\t".join(plain_cell(cell) for cell in row))

    def _table(self, view: View) -> None:
        from eymail.output.table import print_table

        print_table(view, self.out or sys.stdout, self.color)
        self._notes(view.notes)

    def _notes(self, notes: Iterable[str]) -> None:
        for note in notes:
            self.note(note)

    def _failure(self, failure: Failure) -> None:
        stream = self.err or sys.stderr
        print(f"eymail: {clean(failure.message)}", file=stream)
        if failure.hint:
            print(f"  {clean(failure.hint)}", file=stream)
