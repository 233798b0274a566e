"""An SPF record's terms as they stand in it (RFC 7208 section 4.6), and what they name by themselves.

Nothing here asks the DNS: what an include leads to is handed in.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eymail.dns.answers import as_text

VERSION = "v=spf1"
RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_ASKING = ("include", "a", "mx", "ptr", "exists")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_TERM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)(?:([:=])(.*)|(/.*))?", re.DOTALL)
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")


@dataclass(frozen=True)
class Term:
    """A mechanism or modifier.

    ``text`` is how it stands in the record, ``name`` in lower case, empty when it is no term at all.
    ``value`` is what follows ``:`` or ``=``, or a prefix length with its slash. A modifier has no qualifier.
    """

    text: str
    qualifier: str
    name: str
    value: str
    modifier: bool

    @property
    def network(self) -> Network | None:
        """The network of an ip4 or ip6 mechanism; None for any other, or when it is none (section 5.6)."""
        if self.name not in ("ip4", "ip6") or self.modifier:
            return None
        address, slash, prefix = self.value.partition("/")
        try:
            parsed = ipaddress.ip_address(address)
            wanted = parsed.version == int(self.name[2]) and "%" not in address
            if not wanted or (slash and not _PREFIX.fullmatch(prefix)):
                return None
            return ipaddress.ip_network((address, int(prefix or parsed.max_prefixlen)), strict=False)
        except ValueError:
            return None


@dataclass(frozen=True)
class Verdict:
    """Whether a record's own words name an address: yes, no, or not checked; ``by`` which of them."""

    named: str
    by: str


def records(raw: Iterable[bytes]) -> tuple[str, ...]:
    """Those TXT records that are SPF records, as text (section 4.5)."""
    version = VERSION.encode()
    found = (one for one in raw if one[: len(version)].lower() == version)
    return tuple(as_text(one) for one in found if one[len(version) : len(version) + 1] in (b"", b" "))


def terms(record: str) -> tuple[Term, ...]:
    """The terms of an SPF record, in order."""
    return tuple(_term(word) for word in record.split(" ")[1:] if word)


def _term(word: str) -> Term:
    match = _TERM.fullmatch(word)
    if match is None:
        return Term(word, "+", "", "", modifier=False)
    modifier = match[3] == "=" and not match[1]
    value = match[4] if match[4] is not None else match[5] or ""
    return Term(word, match[1] or "+", match[2].lower(), value, modifier)


def faults(record: Iterable[Term]) -> tuple[str, ...]:
    """The terms that are none, as they stand there; one is enough to void the record (section 4.6)."""
    return tuple(term.text for term in record if not term.modifier and not _is_mechanism(term))


def _is_mechanism(term: Term) -> bool:
    if term.name in ("ip4", "ip6"):
        return term.network is not None
    return term.name == "all" or term.name in _ASKING


def verdict(record: Sequence[Term], included: Mapping[str, Sequence[Term]], address: IpAddress) -> Verdict:
    """What a record says of an address by ip4, ip6 and all, its own and those of records that it leads to.

    ``included`` are the terms of such records, by the text of the include or redirect that leads there. A
    mechanism that would have to be asked for, and comes before the one that decides, makes it "not
    checked", unless both say the same.
    """
    unknown: list[Term] = []
    mechanisms = [term for term in record if not term.modifier]
    for term in mechanisms:
        matches = _matches(term, included, address)
        if matches:
            others = [one for one in unknown if one.qualifier != term.qualifier]
            return _not_followed(others) if others else _decided(term)
        if matches is None:
            unknown.append(term)
    if unknown:
        return _not_followed(unknown)
    return _redirected(record, included, address)


def _matches(term: Term, included: Mapping[str, Sequence[Term]], address: IpAddress) -> bool | None:
    """Does a mechanism match an address? None when that would have to be asked for."""
    if term.name in ("ip4", "ip6"):
        return term.network is not None and address in term.network
    if term.name == "include" and term.text in included:
        # It matches when the included record's result is pass, and not otherwise (section 5.2).
        return {"yes": True, "no": False}.get(verdict(included[term.text], {}, address).named)
    return True if term.name == "all" else None


def _redirected(
    record: Sequence[Term], included: Mapping[str, Sequence[Term]], address: IpAddress
) -> Verdict:
    """Where no mechanism matches, the record that redirect names decides (section 6.1)."""
    redirect = next((term for term in record if term.modifier and term.name == "redirect"), None)
    if redirect is None:
        return Verdict("no", "named by no term")
    if redirect.text not in included:
        return _not_followed([redirect])
    there = verdict(included[redirect.text], {}, address)
    return Verdict(there.named, f"{redirect.text}: {there.by}")


def _decided(term: Term) -> Verdict:
    result = RESULTS[term.qualifier]
    return Verdict("yes", term.text) if result == "pass" else Verdict("no", f"{term.text} says {result}")


def _not_followed(unknown: list[Term]) -> Verdict:
    return Verdict("not checked", f"not followed: {' '.join(term.text for term in unknown)}")
