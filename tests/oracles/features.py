"""What a case has in it, read off its zones and client: the words by which deviations are explained."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.oracles.case import Case
from tests.oracles.making import Records
from tests.oracles.zones import ANY, txt_parts

_GOOD = r"%\{[a-zA-Z][0-9]*[rR]?[-.+,/_=]*\}"
_ASKING = re.compile(r"(?i)(?<=[ +?~-])(?:a|mx|ptr|include|exists|redirect)(?=[:=/ ]|$)", re.MULTILINE)
_REVERSED = re.compile(r"\bptr\b|%\{p")
_IN_TEXTS = {
    "macro i": r"%\{[iI]",
    "macro R": r"%\{[a-zA-Z][0-9]*R",
    "odd transformer": rf"(?!{_GOOD})%\{{[a-zA-Z][^}}]*\}}",
    "unclosed macro": r"%\{[^} ]*( |$)",
    "unknown letter": r"%\{[^slodiphcrtvSLODIPHCRTV]",
    "explaining letter": r"(:|redirect=)%\{[crtCRT]",
    "delimiters alone": r"%\{[a-zA-Z][-.+,/_=]*[-+,/_=][-.+,/_=]*\}",
    "delimiters joined": r"%\{[^slSL}][0-9]*r?[-.+,/_=]*[-+,/_=][-.+,/_=]*\}",
    "no digits of it": r"%\{[a-zA-Z]0+[^0-9]",
    "control characters": r"[\x00-\x09\x0b-\x1f\x7f]|line\nbreak",
    "non-ASCII": r"[^\x00-\x7f]",
    "percent at the end": r"(^|[^%])%$",
    "two percents at the end": r"%%$",
    "modifier in capitals": r"(?<![a-z])(?!redirect|exp)(?i:redirect|exp)=",
    "redirect near the limit": r"(?i)redirect=",
    "mx": r"(?i)\bmx\b",
    "ip6": r"(?i)\bip6:",
    "capitals in a name": r"[:=]\S*%\{[A-Z]",
    "empty label": r"\.\.\w",
    "p twice": r"%\{p\S*%\{p",
    "p explained": r"%\{p",
}
_OF_CLIENT: dict[str, Callable[[Case], object]] = {
    "IPv6 client": lambda case: ":" in case.ip and not case.ip.lower().startswith("::ffff:"),
    "IPv4 client": lambda case: ":" not in case.ip or case.ip.lower().startswith("::ffff:"),
    "label over 63": lambda case: re.search(r"[^.@]{64}", case.sender),
    "several @": lambda case: case.sender.count("@") > 1,
    "single label": lambda case: "." not in case.domain,
    "empty local part": lambda case: case.sender and not case.sender.rpartition("@")[0],
    "HELO alone": lambda case: not case.sender,
    "no HELO": lambda case: not case.helo,
    "nobody": lambda case: not case.helo and not case.sender,
    "U-labels": lambda case: not case.domain.isascii(),
    "last dot": lambda case: case.domain.endswith("."),
    "domain in capitals": lambda case: case.domain != case.domain.lower(),
    "empty last part": lambda case: re.search(r"[-.+,/_=](@|$)", f"{case.sender}\n{case.helo}", re.MULTILINE),
    "long domain": lambda case: len(case.sender) > 60,
    "empty label of the local part": lambda case: re.search(r"(^|\.)\.|\.@", case.sender),
}
_OF_ZONES: dict[str, Callable[[Case], object]] = {
    "voids": lambda case: any(name not in case.zones for name in _exchangers(case)),
    "PTR in capitals": lambda case: any(str(name) != str(name).lower() for name in _values(case, "PTR")),
    "over ten exchangers": lambda case: sum(1 for _ in _exchangers(case)) > 10,
    "dangling alias": lambda case: any(name not in case.zones for name in _values(case, "CNAME")),
    "void names": lambda case: any(str(name).lower() not in case.zones for name in _values(case, "PTR")),
    "reverse itself in trouble": lambda case: "3.2.0.192.in-addr.arpa" in _troubled(case),
    "reverse trouble": lambda case: _troubled(case) & {*_values(case, "PTR"), "3.2.0.192.in-addr.arpa"},
}


def features(case: Case) -> frozenset[str]:
    """Of what the case's domain leads to, other names of its zones left out."""
    case = replace(case, zones=_led_to(case))
    texts = "\n".join(_texts(case))
    found = {word for word, pattern in _IN_TEXTS.items() if re.search(pattern, texts, re.MULTILINE)}
    if len(_ASKING.findall(texts)) < 9:
        found.discard("redirect near the limit")
    found |= {word for word, has in (*_OF_CLIENT.items(), *_OF_ZONES.items()) if has(case)}
    return case.kinds | found


def _led_to(case: Case) -> Records:
    """The names that stand in a record of one before, from the domain on; all, where macros name them."""
    names = {name.lower(): list(records) for name, records in case.zones.items()}
    reached: Records = {}
    waiting = [case.domain.lower().rstrip(".")]
    while waiting:
        name = waiting.pop()
        reached[name] = names.get(name, [])
        text = "\n".join(map(repr, reached[name])).lower()
        if re.search(r"[:=]\S*%\{", text):
            return names
        named = (
            other for other in names if other in text or (other.endswith(".arpa") and _REVERSED.search(text))
        )
        waiting += [other for other in named if other not in reached and other not in waiting]
    return reached


def _texts(case: Case) -> Iterator[str]:
    for value in _values(case, "TXT"):
        yield value if isinstance(value, str) else b"".join(txt_parts(value)).decode("latin-1")


def _values(case: Case, kind: str) -> Iterator[object]:
    return (value for records in case.zones.values() for type_, value in records if type_ == kind)


def _exchangers(case: Case) -> Iterator[object]:
    return (value[1] for value in _values(case, "MX") if isinstance(value, tuple))


def _troubled(case: Case) -> set[object]:
    return {name for name, records in case.zones.items() if any(type_ == ANY for type_, _ in records)}
