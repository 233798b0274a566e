"""Macros in SPF records: their grammar, and what they stand for (RFC 7208 section 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote

LONGEST_NAME = 253
EXPLAINING = "crt"
"""Letters that only explanations may use (section 7.2)."""

IpAddress = IPv4Address | IPv6Address
_MACRO = re.compile(r"%(?:([%_-])|\{([slodiphcrtv])([0-9]*)(r?)([-.+,/_=]*)\})", re.IGNORECASE)
_ENDS_IN_MACRO = re.compile(f"(?:{_MACRO.pattern})$", re.IGNORECASE)
_ESCAPES = {"%": "%", "_": " ", "-": "%20"}
_LITERAL = re.compile(r"[!-$&-~]+")
_LITERAL_OR_SPACE = re.compile(r"[ -$&-~]+")
_TOP_LABEL = re.compile(r"\.(?=[a-z0-9-]*[a-z-])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.?", re.IGNORECASE)


class MacroError(ValueError):
    """Text that is no macro-string."""


@dataclass(frozen=True)
class Macro:
    """``%{letter digits r delimiters}``; ``upper`` when its value is to be escaped as in a URL."""

    letter: str
    upper: bool
    keep: int
    reverse: bool
    delimiters: str

    def __str__(self) -> str:
        letter = self.letter.upper() if self.upper else self.letter
        delimiters = "" if self.delimiters == "." else self.delimiters
        return f"%{{{letter}{self.keep or ''}{'r' if self.reverse else ''}{delimiters}}}"


MacroString = tuple[str | Macro, ...]


def parse(text: str, *, spaces: bool = False) -> MacroString:
    """The literals and macros of a macro-string, of an explain-string with ``spaces``. Raises MacroError."""
    literal = _LITERAL_OR_SPACE if spaces else _LITERAL
    parts: list[str | Macro] = []
    at = 0
    while at < len(text):
        match = _MACRO.match(text, at) or literal.match(text, at)
        if match is None:
            raise MacroError(_no_piece(text[at : at + 20]))
        parts.append(_part(match))
        at = match.end()
    return tuple(parts)


def _no_piece(text: str) -> str:
    if text.startswith("%"):
        return f"{text} begins with no macro"
    return f"{text!r} begins with a character that cannot stand there"


def _part(match: re.Match[str]) -> str | Macro:
    if match.re is not _MACRO:
        return match[0]
    if match[1]:
        return _ESCAPES[match[1]]
    if match[3] and not int(match[3]):
        raise MacroError(f"{match[0]} keeps no part")
    keep = int(match[3][-4:]) if match[3] else 0
    if len(match[3]) > 4:  # more parts than a name can have, however many digits say so
        keep = LONGEST_NAME
    return Macro(match[2].lower(), match[2].isupper(), keep, bool(match[4]), match[5] or ".")


def parse_domain_spec(text: str) -> MacroString:
    """A domain-spec: a macro-string that ends in a macro or a top label (section 7.1). Raises MacroError."""
    parts = parse(text)
    if not parts:
        raise MacroError("a domain is missing")
    if any(isinstance(part, Macro) and part.letter in EXPLAINING for part in parts):
        raise MacroError("c, r and t stand in explanations only")
    if _ENDS_IN_MACRO.search(text):
        return parts
    label = text.removesuffix(".").rfind(".")
    if label < 0 or not _TOP_LABEL.fullmatch(text, label):
        raise MacroError("it ends in no top-level domain")
    return parts


def written(parts: MacroString) -> str:
    """A macro-string as it stands in a record."""
    return "".join(_written(part) if isinstance(part, str) else str(part) for part in parts)


def _written(literal: str) -> str:
    return literal.replace("%", "%%").replace(" ", "%_")


def fixed(parts: MacroString, domain: str) -> MacroString:
    """The same with the current domain put in where ``d`` stands, so that it means the same elsewhere."""
    here = {"d": domain}
    return tuple(
        _value(part, here) if isinstance(part, Macro) and part.letter == "d" else part for part in parts
    )


def letters(parts: MacroString) -> str:
    """The letters of the macros in it, in lower case."""
    return "".join(part.letter for part in parts if isinstance(part, Macro))


def expand(parts: MacroString, values: Mapping[str, str]) -> str:
    """The text that a macro-string stands for; ``values`` are those of its letters (section 7.3)."""
    return "".join(part if isinstance(part, str) else _value(part, values) for part in parts)


def expand_domain(parts: MacroString, values: Mapping[str, str]) -> str:
    """The name that a domain-spec stands for, cut on its left to 253 characters, without a last dot."""
    name = expand(parts, values).removesuffix(".")
    while len(name) > LONGEST_NAME and "." in name:
        name = name.partition(".")[2]
    return name


def _value(macro: Macro, values: Mapping[str, str]) -> str:
    value = values[macro.letter]
    if macro.keep or macro.reverse or macro.delimiters != ".":
        pieces = re.split(f"[{re.escape(macro.delimiters)}]", value)
        if macro.reverse:
            pieces.reverse()
        value = ".".join(pieces[-macro.keep :])
    return quote(value, safe="", errors="surrogateescape") if macro.upper else value


def nibbles(address: IpAddress) -> str:
    """The ``i`` macro: dotted decimal, or the dotted nibbles of an IPv6 address."""
    return str(address) if address.version == 4 else ".".join(f"{int(address):032X}")
