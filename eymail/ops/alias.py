"""Aliases: addresses that lead to others, inside or outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from eymail.errors import InvalidInput, NotFound, Refused
from eymail.model import Address, Result, View, parse_domain
from eymail.ops import domain as domains
from eymail.ops import mailbox as mailboxes
from eymail.ops import route
from eymail.ops.change import Draft
from eymail.ops.route import Chain

if TYPE_CHECKING:
    from eymail.directory import Directory
    from eymail.env import Env
    from eymail.plan import Plan

_MOST_CHAINS = 1000


@dataclass(frozen=True)
class Alias:
    """An alias and the addresses that it leads to."""

    address: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Aliases(Result):
    """Aliases, by address."""

    aliases: tuple[Alias, ...]
    notes: tuple[str, ...] = ()

    def view(self) -> View:
        rows = tuple((alias.address, target) for alias in self.aliases for target in alias.targets)
        return View(("alias", "leads to"), rows, "Aliases", notes=self.notes)


@dataclass(frozen=True)
class AliasChains(Result):
    """Every way from an alias to its ends, by way of other aliases and catchalls."""

    address: str
    chains: tuple[Chain, ...]
    notes: tuple[str, ...] = ()

    def view(self) -> View:
        columns = ("alias", "by way of", "ends at", "kind", "host")
        rows = tuple(
            (
                self.address,
                " to ".join(one.addresses[1:-1]),
                one.end.address,
                one.end.kind,
                one.end.host,
            )
            for one in self.chains
        )
        return View(columns, rows, f"Alias {self.address}", "kind", self.notes)


def add(env: Env, address: str, targets: tuple[str, ...]) -> Plan:
    """Let an address lead to others, beside those that it leads to already.

    Raises InvalidInput, Refused when it is a mailbox or would lead back to itself.
    """
    alias = Address.parse_name(address)
    wanted = _targets(targets, Address.parse_name)
    if env.directory.get("mailbox", address=str(alias)) is not None:
        raise Refused(f"{alias} is a mailbox", "an address is one or the other")
    draft = Draft()
    present = {row["target"] for row in env.directory.find("alias", address=str(alias))}
    for target in (target for target in wanted if target not in present):
        _refuse_loop(env.directory, str(alias), (target,))
        if not draft.steps:
            domains.ensure(env, draft, alias.domain)
        draft.add("alias", {"address": str(alias), "target": target, "domain": alias.domain})
        draft.notes += _dead_end(env.directory, target)
    return draft.plan(f"alias add {alias} {' '.join(wanted)}")


def _targets(targets: tuple[str, ...], parse: Callable[[str], Address]) -> tuple[str, ...]:
    if not targets:
        raise InvalidInput("no target was named", "eymail alias add info@example.com joe@example.com")
    return tuple(dict.fromkeys(str(parse(target)) for target in targets))


def _refuse_loop(directory: Directory, alias: str, chain: tuple[str, ...]) -> None:
    """Follow every alias from the end of the chain. The chains that are there hold no loop."""
    if chain[-1] == alias:
        told = " to ".join((alias, *chain))
        raise Refused(f"the alias would lead back to itself: {told}", "nothing was changed")
    for row in directory.find("alias", address=chain[-1]):
        _refuse_loop(directory, alias, (*chain, str(row["target"])))


def _dead_end(directory: Directory, target: str) -> tuple[str, ...]:
    found = route.resolve(directory, Address.parse(target))
    return (f"careful: {target} is taken by nothing here yet",) if found.kind == route.REFUSED else ()


def remove(env: Env, address: str, targets: tuple[str, ...] = ()) -> Plan:
    """Let an address lead no longer to these targets, or to any. Raises InvalidInput."""
    alias = str(Address.parse(address))
    gone = _targets(targets, Address.parse) if targets else ()
    rows = env.directory.find("alias", address=alias)
    chosen = [row for row in rows if not gone or row["target"] in gone]
    draft = Draft()
    if rows and len(chosen) == len(rows):
        mailboxes.without(env.directory, draft, alias)
    for row in chosen:
        draft.remove("alias", row)
    if not chosen:
        draft.notes.append(f"there is no alias {alias}" + (f" to {' or '.join(gone)}" if gone else ""))
    return draft.plan(f"alias remove {' '.join((alias, *gone))}")


def chains(env: Env, address: str) -> AliasChains:
    """Where an alias leads, by way of what, to every end. Raises InvalidInput, NotFound."""
    alias = Address.parse(address)
    if not env.directory.find("alias", address=str(alias)):
        raise NotFound(f"there is no alias {alias}", f"where mail to it goes: eymail route {alias}")
    found = tuple(islice(route.chains(env.directory, alias), _MOST_CHAINS + 1))
    more = (f"more than {_MOST_CHAINS} ways; these are the first",) if len(found) > _MOST_CHAINS else ()
    return AliasChains(str(alias), found[:_MOST_CHAINS], more)


def list_(env: Env, domain: str | None = None) -> Aliases:
    """The aliases of a domain, or all. Raises InvalidInput."""
    where = {} if domain is None else {"domain": parse_domain(domain)}
    targets: dict[str, list[str]] = {}
    for row in env.directory.find("alias", **where):
        targets.setdefault(str(row["address"]), []).append(str(row["target"]))
    aliases = tuple(Alias(address, tuple(found)) for address, found in targets.items())
    return Aliases(aliases, domains.notes(env.directory))
