"""What a mail host's Exim says of addresses: its routers' answer, read, and its answer at RCPT."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pkgutil import get_data
from typing import TYPE_CHECKING, Any

from eymail.errors import HostError

if TYPE_CHECKING:
    from eymail.hosts import Host

DELIVERED = "delivered"
SENT_ON = "sent on"
UNDELIVERABLE = "undeliverable"
UNRESOLVED = "cannot be resolved now"
DISCARDED = "discarded"

_PER_ADDRESS = 3.0
_SHOWN = 200
_HEAD = re.compile(r"(?P<address>\S+)(?:   \[duplicate, would not be delivered\])?")
_WAY = re.compile(r"  router = (?P<router>\S+), transport = (?P<transport>\S+)")
_LAST = (
    (re.compile(r"(?P<address>\S+) is undeliverable(?:: (?P<why>.*))?"), UNDELIVERABLE),
    (re.compile(r"(?P<address>\S+) cannot be resolved at this time(?:: (?P<why>.*))?"), UNRESOLVED),
    (re.compile(r"mail to (?P<address>\S+) is discarded"), DISCARDED),
)
_LOCAL = frozenset({"dovecot"})


@dataclass(frozen=True, order=True)
class End:
    """Where one way of an address ends: ``how`` is delivered, sent on, undeliverable, and so on."""

    address: str
    how: str
    detail: str = ""


@dataclass(frozen=True)
class Said:
    """Exim's answers for one address.

    ``ends`` are those of ``exim -bt``, ``code`` and ``words`` its answer to RCPT. Where it could not be
    asked, ``ends`` are empty or ``code`` is 0, and ``not_routed`` or ``words`` says why.
    """

    ends: tuple[End, ...]
    not_routed: str
    code: int
    words: str


def ask(host: Host, server: str, addresses: Sequence[str]) -> Mapping[str, Said]:
    """Ask Exim on a host of addresses in canonical form; ``server`` is where its port 25 listens.

    Raises HostError.
    """
    request = json.dumps({"server": server, "addresses": list(addresses)})
    program = get_data("eymail.exim", "routing.py") or b""
    timeout = 60 + _PER_ADDRESS * len(addresses)
    done = host.run(["python3", "-I", "-", request], input=program, timeout=timeout)
    return dict(_answers(host.name, done.stdout))


def _answers(host: str, output: bytes) -> Iterator[tuple[str, Said]]:
    for line in output.splitlines():
        try:
            told = json.loads(line)
            yield str(told["address"]), _said(told["routed"], told["rcpt"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            hint = "does its shell print something at login?"
            raise HostError(f"{host}: the answer of its Exim makes no sense", hint) from error


def _said(routed: Mapping[str, Any], rcpt: Mapping[str, Any]) -> Said:
    ends = ends_of(str(routed.get("said", "")))
    why = str(routed.get("error") or routed.get("complaint") or routed.get("said") or "it said nothing")
    words = str(rcpt.get("error") or rcpt.get("said", ""))
    return Said(ends, "" if ends else _short(why), int(rcpt.get("code", 0)), _short(words))


def _short(text: str) -> str:
    return " ".join(text.split())[:_SHOWN]


def ends_of(text: str) -> tuple[End, ...]:
    """The ends in what ``exim -bt`` prints, sorted; none when it is not understood.

    Each end opens with its address or a sentence, followed by its parents and its router and transport.
    """
    found: set[End] = set()
    head = ""
    for line in text.splitlines():
        last = _last(line)
        way = _WAY.fullmatch(line)
        if last:
            found.add(last)
        elif way and head:
            how = DELIVERED if way["transport"] in _LOCAL else SENT_ON
            found.add(End(head, how, f"router {way['router']}, transport {way['transport']}"))
        elif match := _HEAD.fullmatch(line):
            head = match["address"].lower()
    return tuple(sorted(found))


def _last(line: str) -> End | None:
    for form, how in _LAST:
        if match := form.fullmatch(line):
            return End(match["address"].lower(), how, match.groupdict().get("why") or "")
    return None
