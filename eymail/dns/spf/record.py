"""SPF records as they stand in the DNS, parsed to the letter (RFC 7208 sections 4.5, 4.6, 5, 6 and 12)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from eymail.dns.answers import as_text
from eymail.dns.spf import macro
from eymail.dns.spf.macro import MacroError, MacroString

VERSION = "v=spf1"
Network = IPv4Network | IPv6Network

_DIRECTIVE = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)([:/].*)?", re.DOTALL)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
_CIDR = re.compile(r"(.*?)(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?", re.DOTALL)
_LENGTHS = re.compile(r"(?:/[0-9]+)?(?://[0-9]+)?$")
_NETWORK = re.compile(r":([0-9A-Fa-f:.]+)(?:/(0|[1-9][0-9]{0,2}))?")
_FULL = {"ip4": "32", "ip6": "128"}


class Outcome(StrEnum):
    """What check_host() may say (RFC 7208 section 2.6)."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - a result, no password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


QUALIFIERS = {"+": Outcome.PASS, "-": Outcome.FAIL, "~": Outcome.SOFTFAIL, "?": Outcome.NEUTRAL}
MECHANISMS = ("all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists")
ASKING = ("include", "a", "mx", "ptr", "exists")


@dataclass(frozen=True)
class Directive:
    """A mechanism with its qualifier. ``domain`` is None where the current domain is meant.

    ``network`` is that of ip4 and ip6; ``prefixes`` those of a and mx, for IPv4 and IPv6.
    """

    text: str
    outcome: Outcome
    name: str
    domain: MacroString | None = None
    network: Network | None = None
    prefixes: tuple[int, int] = (32, 128)

    @property
    def asks(self) -> bool:
        """Whether it counts as one of ten look-ups (section 4.6.4)."""
        return self.name in ASKING

    def fixed(self, domain: str) -> Directive:
        """The same mechanism in the record of any other domain, where this one stands in ``domain``'s."""
        if not self.asks:
            return self
        parts = (domain,) if self.domain is None else macro.fixed(self.domain, domain)
        sign = self.text[: len(self.text) - len(self.text.lstrip("+-~?"))]
        lengths = _LENGTHS.search(self.text) if self.name in ("a", "mx") else None
        text = f"{sign}{self.name}:{macro.written(parts)}{lengths[0] if lengths else ''}"
        return replace(self, text=text, domain=parts)


@dataclass(frozen=True)
class Modifier:
    """``name=value``."""

    text: str
    name: str
    value: MacroString

    def fixed(self, domain: str) -> Modifier:
        """The same modifier in the record of any other domain, where this one stands in ``domain``'s."""
        value = macro.fixed(self.value, domain)
        return replace(self, text=f"{self.name}={macro.written(value)}", value=value)


@dataclass(frozen=True)
class Fault:
    """A term that is none, or one too many, and why."""

    text: str
    why: str

    def __str__(self) -> str:
        return f"{self.text}: {self.why}"


@dataclass(frozen=True)
class Record:
    """A record's terms in order; with a fault in any, receivers count all of it as an error."""

    text: str
    directives: tuple[Directive, ...]
    modifiers: tuple[Modifier, ...]
    faults: tuple[Fault, ...]

    def place(self, word: str) -> int:
        """Where a word stands in the record, to list terms as they stand there."""
        words = self.text.split(" ")
        return words.index(word) if word in words else len(words)

    def modifier(self, name: str) -> Modifier | None:
        """The redirect or exp modifier, if there is one."""
        return next((one for one in self.modifiers if one.name == name), None)

    @property
    def redirect(self) -> Modifier | None:
        """The redirect that counts: none beside an ``all`` (section 5.1)."""
        ended = any(one.name == "all" for one in self.directives)
        return None if ended else self.modifier("redirect")


def records(texts: Iterable[bytes]) -> tuple[bytes, ...]:
    """Those TXT records that are SPF records (section 4.5)."""
    version = VERSION.encode()
    found = (one for one in texts if one[: len(version)].lower() == version)
    return tuple(one for one in found if one[len(version) : len(version) + 1] in (b"", b" "))


@lru_cache(maxsize=4096)
def parse(record: bytes) -> Record:
    """The terms of an SPF record, and every fault among them."""
    text = as_text(record)
    directives: list[Directive] = []
    modifiers: list[Modifier] = []
    faults: list[Fault] = []
    for word in (part for part in record[len(VERSION) :].split(b" ") if part):
        try:
            term = _term(_ascii(word))
        except (MacroError, ValueError) as error:
            faults.append(Fault(as_text(word), str(error)))
            continue
        if isinstance(term, Directive):
            directives.append(term)
        else:
            faults += _twice(term, modifiers)
            modifiers.append(term)
    return Record(text, tuple(directives), tuple(modifiers), tuple(faults))


def _ascii(word: bytes) -> str:
    if not all(33 <= byte < 127 for byte in word):
        raise ValueError("it has characters that no term has")
    return word.decode("ascii")


def _twice(term: Modifier, before: Iterable[Modifier]) -> list[Fault]:
    """redirect and exp may each stand once (section 6)."""
    again = term.name in ("redirect", "exp") and any(one.name == term.name for one in before)
    return [Fault(term.text, f"{term.name} stands there already")] if again else []


def _term(word: str) -> Directive | Modifier:
    if match := _MODIFIER.fullmatch(word):
        return _modifier(word, match[1].lower(), match[2])
    match = _DIRECTIVE.fullmatch(word)
    if match is None or match[2].lower() not in MECHANISMS:
        raise ValueError(_unknown(word, match))
    name = match[2].lower()
    return _READERS[name](word, QUALIFIERS[match[1] or "+"], name, match[3] or "")


def _unknown(word: str, match: re.Match[str] | None) -> str:
    if match is None:
        return "a modifier has no qualifier" if "=" in word else "it is no SPF term"
    return f"SPF has no mechanism {match[2]}"


def _modifier(word: str, name: str, value: str) -> Modifier:
    if name in ("redirect", "exp"):
        return Modifier(word, name, _domain(value))
    return Modifier(word, name, macro.parse(value))


def _domain(value: str) -> MacroString:
    try:
        return macro.parse_domain_spec(value)
    except MacroError as error:
        raise ValueError(f"{value} is no domain: {error}" if value else str(error)) from error


def _all(word: str, outcome: Outcome, name: str, rest: str) -> Directive:
    if rest:
        raise ValueError("nothing may follow all")
    return Directive(word, outcome, name)


def _named(word: str, outcome: Outcome, name: str, rest: str) -> Directive:
    """include, exists and ptr: a domain, and no prefix length."""
    if not rest and name == "ptr":
        return Directive(word, outcome, name)
    if not rest.startswith(":"):
        raise ValueError(f"{name} wants a domain after a colon")
    return Directive(word, outcome, name, _domain(rest[1:]))


def _hosts(word: str, outcome: Outcome, name: str, rest: str) -> Directive:
    """a and mx: a domain or none, then a prefix length or two or none."""
    match = _CIDR.fullmatch(rest)
    assert match is not None
    prefixes = (int(match[2] or 32), int(match[3] or 128))
    if prefixes[0] > 32 or prefixes[1] > 128:
        raise ValueError("no address has a prefix that long")
    if match[1].startswith("/"):
        raise ValueError(f"{match[1]} is no prefix length")
    domain = _domain(match[1][1:]) if match[1] else None
    return Directive(word, outcome, name, domain, prefixes=prefixes)


def _address(word: str, outcome: Outcome, name: str, rest: str) -> Directive:
    """ip4 and ip6: an address, then a prefix length or none."""
    match = _NETWORK.fullmatch(rest)
    try:
        network = ip_network(f"{match[1]}/{match[2] or _FULL[name]}", strict=False) if match else None
    except ValueError:
        network = None
    if network is None or network.version != int(name[2]):
        raise ValueError(f"{name} wants an IPv{name[2]} address, or a network, after a colon")
    return Directive(word, outcome, name, network=network)


_READERS = {
    "all": _all,
    "include": _named,
    "exists": _named,
    "ptr": _named,
    "a": _hosts,
    "mx": _hosts,
    "ip4": _address,
    "ip6": _address,
}
