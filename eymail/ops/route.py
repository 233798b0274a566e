"""Where mail to an address goes, and by which rule.

The rules are those of the mail host's Exim routers, in their order: mailbox, alias, catchall,
the longest subdomain catchall; 550 for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eymail.model import Address, Result, View

if TYPE_CHECKING:
    from eymail.directory import Directory
    from eymail.env import Env

MAILBOX = "mailbox"
ALIAS = "alias"
CATCHALL = "catchall"
SUBDOMAIN_CATCHALL = "subdomain catchall"
REFUSED = "refused"
NOT_OURS = "not ours"
NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Destination:
    """An end of the way: a ``mailbox`` at a host, an address that is ``not ours``, or one ``refused``."""

    address: str
    kind: str
    host: str


@dataclass(frozen=True)
class Route(Result):
    """Where mail to an address goes. ``verified`` says whether the mail host itself was asked.

    ``kind`` is mailbox, alias, catchall, subdomain catchall, refused or not ours;
    ``rule`` says the same in words.
    """

    address: str
    kind: str
    rule: str
    destinations: tuple[Destination, ...]
    verified: str = NOT_CHECKED
    notes: tuple[str, ...] = ()

    def view(self) -> View:
        columns = ("address", "kind", "rule", "goes to", "host", "verified")
        told = (self.address, self.kind, self.rule)
        ends = [(_end(one), one.host) for one in self.destinations] or [("", "")]
        rows = tuple((*told, end, host, self.verified) for end, host in ends)
        return View(columns, rows, f"Mail to {self.address}", columns[-1], self.notes)


def _end(destination: Destination) -> str:
    kind = "" if destination.kind == MAILBOX else f" ({destination.kind})"
    return destination.address + kind


def route(env: Env, address: str) -> Route:
    """Where mail to an address goes, by the directory alone. Raises InvalidInput."""
    return resolve(env.directory, Address.parse(address))


def resolve(directory: Directory, address: Address) -> Route:
    """The rule that takes an address, and the ends of every way from there."""
    found = _rule(directory, address)
    ends = _ends(directory, address, frozenset())
    return Route(str(address), found.kind, found.rule, tuple(dict.fromkeys(ends)))


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


def _ends(directory: Directory, address: Address, passed: frozenset[str]) -> tuple[Destination, ...]:
    found = _rule(directory, address)
    if str(address) in passed:
        return (Destination(str(address), REFUSED, ""),)
    if not found.targets:
        return (Destination(str(address), found.kind, found.host),)
    ways = (_ends(directory, Address.parse(one), passed | {str(address)}) for one in found.targets)
    return tuple(end for way in ways for end in way)
