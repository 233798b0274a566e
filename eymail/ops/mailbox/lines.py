"""An import file, line by line: CSV, JSON Lines, passwd lines; each line by itself.

A line is a record in every format, quoted or not: no address, hash or name holds a line break. So a
broken line spoils no other one, each is told by its number, and none is held longer than it is read.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import IO, Any

from eymail.errors import InvalidInput
from eymail.model import Cell, quoted
from eymail.ops.mailbox.records import COLUMNS, Record, record
from eymail.toml_table import nearest

LONGEST = 8192
_ADDRESS = re.compile(r"[^@:\s]*@[^:|\s]*")
_QUOTA = re.compile(r"userdb_quota_rule=\*:(?:storage|bytes)=([0-9]{1,9})([MGT]?)", re.IGNORECASE)
_UNITS = {"": 0, "M": 1, "G": 1 << 10, "T": 1 << 20}

Cells = dict[str, Cell]


class Format(StrEnum):
    """What an import may be written in."""

    CSV = "csv"
    JSONL = "jsonl"
    PASSWD = "passwd"  # noqa: S105 (a format's name)


def records(stream: IO[bytes], format: Format | None = None) -> Iterator[Record | tuple[int, InvalidInput]]:
    """The records of a file, or a line's number and what is wrong with it.

    The format is guessed from the first line where none is given.
    """
    parse: Callable[[str], Iterable[Cells]] | None = None
    for number, line in _lines(stream):
        if isinstance(line, InvalidInput):
            yield number, line
            continue
        try:
            if parse is None:
                parse = _parser(format or guess(line), line)
                if isinstance(parse, _Csv):
                    continue
            for cells in parse(line):
                yield record(number, cells)
        except InvalidInput as error:
            yield number, error
            if parse is None:
                return  # of CSV whose heading is wrong nothing can be told


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, str | InvalidInput]]:
    """Lines that hold something, without their ends."""
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        whole = line.endswith(b"\n") or len(line) <= LONGEST
        while not line.endswith(b"\n") and (more := stream.readline(1 << 16)):
            line = more
        text = _text(line, number) if whole else InvalidInput(f"the line is longer than {LONGEST} bytes")
        if text:
            yield number, text


def _text(line: bytes, number: int) -> str | InvalidInput:
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return InvalidInput("the line is not UTF-8", "iconv can make it so")
    if not text.strip() or text.startswith("#"):
        return ""
    if any(ord(char) < 32 and char != "\t" for char in text):
        return InvalidInput("the line holds control characters", "what wrote this file?")
    return text


def guess(line: str) -> Format:
    """The format of a file by its first line. Raises InvalidInput."""
    if line.lstrip().startswith("{"):
        return Format.JSONL
    found = _ADDRESS.match(line)
    if found and "," not in found[0]:
        return Format.PASSWD
    if not found and "address" in line.lower():
        return Format.CSV
    hint = f"CSV begins with a line of column names, such as {','.join(COLUMNS)}"
    raise InvalidInput("this is neither CSV nor JSON Lines nor passwd lines", hint)


def _parser(format: Format, line: str) -> Callable[[str], Iterable[Cells]]:
    if format is Format.CSV:
        return _Csv(line)
    return _json if format is Format.JSONL else _passwd


class _Csv:
    """Rows under a heading. Raises InvalidInput."""

    def __init__(self, heading: str) -> None:
        self._columns = [cell.strip().lower() for cell in _split(heading)]
        unknown = [one for one in self._columns if one not in COLUMNS]
        if unknown and "address" in self._columns:  # or it may be no heading, and hold a password
            raise InvalidInput(f"the column {quoted(unknown[0])} is not known", nearest(unknown[0], COLUMNS))
        if unknown or "address" not in self._columns or len(set(self._columns)) < len(self._columns):
            hint = f"a heading is {','.join(COLUMNS)}"
            raise InvalidInput("the heading has no address, or a column twice", hint)

    def __call__(self, line: str) -> Iterator[Cells]:
        cells = _split(line)
        if len(cells) != len(self._columns):
            told = f"{len(cells)} cells where the heading has {len(self._columns)}"
            raise InvalidInput(told, "a comma inside a cell needs quotation marks around it")
        found: Cells = dict(zip(self._columns, cells, strict=True))
        if found.get("kind") not in (None, "", "mailbox"):
            found = {name: cell for name, cell in found.items() if cell}
        yield found


def _split(line: str) -> list[str]:
    try:
        (cells,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError) as error:
        raise InvalidInput(
            "a quotation mark is not closed, or not at a cell's end", "CSV doubles them"
        ) from error
    return cells


def _json(line: str) -> Iterator[Cells]:
    try:
        found = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("the line is not JSON", "one object a line") from error
    if not isinstance(found, dict):
        raise InvalidInput("the line is no JSON object", 'such as {"address": "incoming@example.com"}')
    for name, value in found.items():
        if name not in COLUMNS:
            raise InvalidInput(f"the field {quoted(name)} is not known", nearest(name, COLUMNS))
        if not (value is None or isinstance(value, str | int)):
            raise InvalidInput(f"{name} is neither text nor a whole number nor yes or no")
    yield found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise InvalidInput("a field is there twice", "which one is meant?")
    return dict(pairs)


def _passwd(line: str) -> Iterator[Cells]:
    """Dovecot's ``a@b:{SCHEME}hash:...``, docker-mailserver's ``a@b|{SCHEME}hash``, Postfix's ``a@b c@d``."""
    found = _ADDRESS.match(line)
    if found is None:
        raise InvalidInput(
            "the line does not begin with an address", "such as incoming@example.com:{SCHEME}..."
        )
    address, rest = found[0], line[found.end() :]
    if rest[:1] in (":", "|"):
        yield _account(address, rest[0], rest[1:])
        return
    targets = re.split(r"[,\s]+", rest.strip())
    catchall = address.startswith("@")
    for target in targets if targets != [""] else ():
        yield {"kind": "catchall" if catchall else "alias", "address": address, "target": target} | (
            {"address": f"*{address}"} if catchall else {}
        )
    if targets == [""]:
        raise InvalidInput("there is neither a password nor a target", "what does the address lead to?")


def _account(address: str, separator: str, rest: str) -> Cells:
    password, _, extra = rest.partition(separator)
    if password and not password.startswith(("{", "$")):
        told = "the password's scheme is not told"
        raise InvalidInput(told, "write {PLAIN} before a password, {CRYPT} before a hash of crypt(3)")
    cells: Cells = {"kind": "mailbox", "address": address, "password": password}
    quota = _QUOTA.search(extra)
    if quota:
        size = int(quota[1]) * _UNITS[quota[2].upper()] or -(-int(quota[1]) // (1 << 20))
        cells["quota_mb"] = size or None
    return cells
