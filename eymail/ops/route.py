"""Where mail to an address goes, and by which rule.

The rules are those of the mail host's Exim routers, in their order: mailbox, alias, catchall,
the longest subdomain catchall; 550 for the rest. Whether Exim does so, ``verify`` asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from eymail.errors import EymailError, InvalidInput
from eymail.exim import ways
from eymail.mail.checks import NOT_CHECKED, OK
from eymail.model import Address, Failure, Result, View
from eymail.ops import route_check
from eymail.ops.route_check import Check

if TYPE_CHECKING:
    from eymail.directory import Directory
    from eymail.env import Env

MAILBOX = "mailbox"
ALIAS = "alias"
CATCHALL = "catchall"
SUBDOMAIN_CATCHALL = "subdomain catchall"
REFUSED = "refused"
NOT_OURS = "not ours"
_AT_ONCE = 100


@dataclass(frozen=True)
class Destination:
    """An end of the way: a ``mailbox`` at a host, an address that is ``not ours``, or one ``refused``."""

    address: str
    kind: str
    host: str


@dataclass(frozen=True)
class Route(Result):
    """Where mail to an address goes, as the directory says.

    ``kind`` is mailbox, alias, catchall, subdomain catchall, refused or not ours; ``rule`` says the same
    in words. ``accepted`` is whether a sender is told yes at RCPT. ``checks`` are what the mail host says,
    ``verified`` is what they come to: ok, differs, or not checked.
    """

    address: str
    kind: str
    rule: str
    destinations: tuple[Destination, ...]
    accepted: bool
    verified: str = NOT_CHECKED
    checks: tuple[Check, ...] = ()
    missing: tuple[Failure, ...] = field(default=(), metadata={"json": False})

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.missing

    @property
    def exit_code(self) -> int:
        """3 when the mail host does otherwise than the directory says."""
        return 3 if self.verified == route_check.DIFFERS else super().exit_code

    def view(self) -> View:
        columns = ("address", "kind", "rule", "goes to", "host", "verified", "remark")
        told = (self.address, self.kind, self.rule)
        remark = "; ".join(one.told() for one in self.checks if one.status != OK)
        ends = [(_end(one), one.host) for one in self.destinations] or [("", "")]
        rows = tuple((*told, end, host, self.verified, remark) for end, host in ends)
        notes = tuple(one.told() for one in self.checks)
        return View(columns, rows, f"Mail to {self.address}", "verified", notes)


def _end(destination: Destination) -> str:
    kind = "" if destination.kind == MAILBOX else f" ({destination.kind})"
    return destination.address + kind


def route(env: Env, address: str, *, verify: bool = False) -> Route:
    """Where mail to an address goes; with ``verify`` the mail host is asked as well. Raises InvalidInput."""
    found = resolve(env.directory, Address.parse(address))
    return _verified(env, [found])[0] if verify else found


def routes(env: Env, addresses: Iterable[str], *, verify: bool = False) -> Iterator[Route | EymailError]:
    """The same for many addresses, in their order; an error for each that is none."""
    waiting = iter(addresses)
    while some := tuple(islice(waiting, _AT_ONCE if verify else 1)):
        found = [_route_or_error(env.directory, one) for one in some]
        checked = iter(_verified(env, [one for one in found if isinstance(one, Route)]) if verify else ())
        for one in found:
            yield next(checked, one) if isinstance(one, Route) else one


def _route_or_error(directory: Directory, address: str) -> Route | EymailError:
    try:
        parsed = Address.parse(address)
    except InvalidInput as error:
        return error
    return resolve(directory, parsed)


def _verified(env: Env, found: list[Route]) -> list[Route]:
    asked = route_check.ask(env, [one.address for one in found]) if found else {}
    return [_compared(one, asked[one.address]) for one in found]


def _compared(found: Route, answer: route_check.Answer) -> Route:
    if isinstance(answer, EymailError):
        checks = route_check.not_asked(answer)
        return replace(found, checks=checks, missing=(Failure.of(answer),))
    ends = [(one.address, _HOW.get(one.kind, one.kind)) for one in found.destinations]
    checks = route_check.compare(answer, ends, accepted=found.accepted)
    verified = route_check.verdict(checks)
    told = tuple(one.told() for one in checks if one.status == NOT_CHECKED)
    return replace(
        found,
        verified=verified,
        checks=checks,
        missing=tuple(Failure(NOT_CHECKED.replace(" ", "-"), one) for one in told),
    )


_HOW = {MAILBOX: ways.DELIVERED, NOT_OURS: ways.SENT_ON, REFUSED: ways.UNDELIVERABLE}
"""What Exim says of each end."""


def resolve(directory: Directory, address: Address) -> Route:
    """The rule that takes an address, and the ends of every way from there."""
    found = _rule(directory, address)
    ends = tuple(dict.fromkeys(_ends(directory, address, frozenset(), set())))
    accepted = found.kind != NOT_OURS and _accepted(directory, found, frozenset({str(address)}))
    return Route(str(address), found.kind, found.rule, ends, accepted)


def _accepted(directory: Directory, found: _Rule, passed: frozenset[str]) -> bool:
    """Whether RCPT is accepted: Exim looks on behind what leads to one address, and not behind several."""
    if len(found.targets) != 1:
        return bool(found.targets) or found.kind in (MAILBOX, NOT_OURS)
    (target,) = found.targets
    if target in passed:
        return False
    return _accepted(directory, _rule(directory, Address.parse(target)), passed | {target})


@dataclass(frozen=True)
class _Rule:
    kind: str
    rule: str
    targets: tuple[str, ...] = ()
    host: str = ""


def _rule(directory: Directory, address: Address) -> _Rule:
    """The first rule that takes an address."""
    box = directory.get("mailbox", address=str(address))
    if box and box["enabled"]:
        return _Rule(MAILBOX, "a mailbox of its own", host=str(box["host"]))
    aliases = directory.find("alias", address=str(address))
    if aliases:
        targets = tuple(str(row["target"]) for row in aliases)
        return _Rule(ALIAS, f"an alias, to {', '.join(targets)}", targets)
    found = _caught(directory, address.domain)
    if box:
        return _Rule(found.kind, f"its mailbox is disabled; {found.rule}", found.targets)
    return found


def _caught(directory: Directory, domain: str) -> _Rule:
    """The rule for an address that nothing takes by its name."""
    own = directory.get("catchall", domain=domain, subdomains=False)
    if own:
        return _Rule(CATCHALL, f"catchall of {domain}", (str(own["mailbox"]),))
    above = directory.find("catchall", domain=_parents(domain), subdomains=True)
    if above:
        longest = max(above, key=lambda row: len(str(row["domain"])))
        rule = f"subdomain catchall of {longest['domain']}"
        return _Rule(SUBDOMAIN_CATCHALL, rule, (str(longest["mailbox"]),))
    if directory.get("domain", name=domain):
        return _Rule(REFUSED, f"{domain} is ours, and nothing takes this address: 550 at RCPT")
    return _Rule(NOT_OURS, f"neither {domain} nor a subdomain catchall above it is in the directory")


def _parents(domain: str) -> tuple[str, ...]:
    labels = domain.split(".")
    return tuple(".".join(labels[at:]) for at in range(1, len(labels)))


@dataclass(frozen=True)
class Chain:
    """One way of an address: every address on it, itself and the end among them, and what the end is."""

    addresses: tuple[str, ...]
    end: Destination


def chains(directory: Directory, address: Address, passed: tuple[str, ...] = ()) -> Iterator[Chain]:
    """Every way that mail to an address goes, to its end. There may be very many of them."""
    way = (*passed, str(address))
    found = _rule(directory, address)
    if str(address) in passed:
        yield Chain(passed, Destination(str(address), REFUSED, ""))
    elif not found.targets:
        yield Chain(way, Destination(str(address), found.kind, found.host))
    else:
        for target in found.targets:
            yield from chains(directory, Address.parse(target), way)


def _ends(
    directory: Directory, address: Address, passed: frozenset[str], seen: set[str]
) -> Iterator[Destination]:
    """The ends of all ways; each address is looked up once, however many ways lead through it."""
    name = str(address)
    if name in passed:
        yield Destination(name, REFUSED, "")
    elif name not in seen:
        seen.add(name)
        found = _rule(directory, address)
        for target in found.targets:
            yield from _ends(directory, Address.parse(target), passed | {name}, seen)
        if not found.targets:
            yield Destination(name, found.kind, found.host)
