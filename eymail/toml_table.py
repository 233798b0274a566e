"""A table of a TOML file, read key by key, that knows which keys were asked for.

What is left when a table is finished was misspelt, and the error says which key
comes nearest. Every error names the file and the whole key.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from eymail.errors import ConfigError, InvalidInput

T = TypeVar("T")


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint with the known word that comes nearest, else with all of them."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(words)}" if words else ""


class Table:
    """A view of one table; ``where`` is its dotted name, empty for the top."""

    def __init__(self, file: str, where: str, values: object) -> None:
        self._file = file
        self._where = where
        if not isinstance(values, Mapping):
            raise ConfigError(f"{file}: {where} must be a table", f"write [{where}]")
        self._values: Mapping[str, object] = values
        self._asked: set[str] = set()

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def error(self, key: str, problem: str, hint: str = "") -> ConfigError:
        return ConfigError(f"{self._file}: {self._name(key)} {problem}", hint)

    def text(self, key: str, default: str = "") -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self.error(key, "must be a string")
        return value

    def number(self, key: str, default: float) -> float:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 86400:
            raise self.error(key, "must be a positive number")
        return float(value)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "must be a list of strings")
        return tuple(value)

    def parsed(self, key: str, parse: Callable[[str], T], default: str) -> T:
        return self._parse(key, parse, self.text(key, default))

    def required(self, key: str, parse: Callable[[str], T]) -> T:
        if key not in self._values:
            raise self.error(key, "is missing")
        return self._parse(key, parse, self.text(key))

    def optional(self, key: str, parse: Callable[[str], T]) -> T | None:
        self._asked.add(key)
        return self.required(key, parse) if key in self._values else None

    def each(self, key: str, parse: Callable[[str], T]) -> Iterator[T]:
        for item in self.texts(key):
            yield self._parse(key, parse, item)

    def table(self, key: str) -> Table:
        return Table(self._file, self._name(key), self._get(key, {}))

    def tables(self, key: str) -> Iterator[tuple[str, Table]]:
        """The tables inside the table ``key``, with their names."""
        outer = self.table(key)
        for name in outer:
            yield name, outer.table(name)

    def list_of_tables(self, key: str) -> Iterator[Table]:
        value = self._get(key, [])
        if not isinstance(value, list):
            raise self.error(key, "must be a list of tables", f"write [[{self._name(key)}]]")
        for item in value:
            yield Table(self._file, self._name(key), item)

    def finish(self) -> None:
        """Raises ConfigError when a key was never asked for: it is not one of ours."""
        for key in self._values:
            if key not in self._asked:
                raise self.error(key, "is not a known setting", nearest(key, self._asked))

    def _get(self, key: str, default: object) -> object:
        self._asked.add(key)
        return self._values.get(key, default)

    def _parse(self, key: str, parse: Callable[[str], T], text: str) -> T:
        try:
            return parse(text)
        except InvalidInput as error:
            raise self.error(key, f"is wrong: {error.message}", error.hint) from error
        except ValueError as error:
            raise self.error(key, f"is wrong: {error}") from error

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key
