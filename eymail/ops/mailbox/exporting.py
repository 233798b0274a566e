"""Everything that an import would make again, with the password hashes: the one place that gives them."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from eymail.errors import EymailError
from eymail.model import Cell, Result, View, parse_domain
from eymail.ops.mailbox.lines import Format
from eymail.ops.mailbox.records import COLUMNS, exported
from eymail.ops.mailbox.world import PLACES

if TYPE_CHECKING:
    from eymail.env import Env

WARNING = "it holds the password hashes: keep it as you keep passwords"


@dataclass(frozen=True)
class Exported(Result):
    """An export that was written to a file, and how many of each kind it holds."""

    file: str
    counts: tuple[tuple[str, int], ...]

    def view(self) -> View:
        return View(("kind", "lines"), self.counts, f"Exported to {self.file}", notes=(WARNING,))


def lines(env: Env, format: Format, domain: str | None = None) -> Iterator[tuple[str, str]]:
    """Each line with its kind, which for a heading is nothing; everything as it is at one moment.

    Raises InvalidInput, DirectoryError, HostError.
    """
    wanted = None if domain is None else parse_domain(domain)
    told = _json if format is Format.JSONL else _csv
    if format is Format.CSV:
        yield "", ",".join(COLUMNS)
    for place, row in env.directory.snapshot(*PLACES):
        if wanted is None or row["name" if place == "domain" else "domain"] == wanted:
            yield place, told(exported(place, row))


def _json(cells: dict[str, Cell]) -> str:
    return json.dumps(cells, ensure_ascii=False)


def _csv(cells: dict[str, Cell]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(_cell(cells.get(name)) for name in COLUMNS)
    return text.getvalue()


def _cell(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "" if cell is None else str(cell)


def to_file(env: Env, file: str, format: Format, domain: str | None = None) -> Exported:
    """Write the export whole or not at all, for nobody but its owner. Raises EymailError and as ``lines``."""
    place = Path(file)
    try:
        descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".eymail-")  # mode 0600
        try:
            with open(descriptor, "w", encoding="utf-8") as new:  # noqa: PTH123 (it is open already)
                counts = Counter(_written(new, lines(env, format, domain)))
                os.fsync(descriptor)
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EymailError(
            f"cannot write {file}: {error.strerror}", "is its folder there, and yours?"
        ) from error
    return Exported(file, tuple((kind, counts[kind]) for kind in PLACES))


def _written(new: IO[str], found: Iterator[tuple[str, str]]) -> Iterator[str]:
    for kind, line in found:
        new.write(line + "\n")
        yield kind
    new.flush()


def open_to_others(descriptor: int) -> bool:
    """Whether an export goes into a file that others than its owner may read."""
    found = os.fstat(descriptor)
    return stat.S_ISREG(found.st_mode) and bool(found.st_mode & 0o077)
