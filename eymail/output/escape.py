"""Nothing from outside reaches a screen raw.

Control characters (C0, DEL, C1), bidirectional overrides and line separators are
written as escapes, so mail, DNS answers and banners cannot drive a terminal.
"""

from __future__ import annotations

import unicodedata

from eymail.model import Cell

_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def clean(text: str) -> str:
    """The text with every character that could act on a terminal escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(char) if unicodedata.category(char) in _UNSAFE else char for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def plain_cell(cell: Cell) -> str:
    """A cell for a pipe: empty for None, yes or no for a truth value."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return clean(str(cell))
