"""Domains that the mail host receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eymail.errors import NotFound
from eymail.model import Result, View, parse_domain
from eymail.ops.change import Draft

if TYPE_CHECKING:
    from eymail.directory import Directory
    from eymail.env import Env
    from eymail.plan import Plan

NO_DIRECTORY = "there is no directory yet; the first change makes it"


@dataclass(frozen=True)
class Domain:
    """A domain in numbers. ``aliases`` counts addresses; the catchalls are mailboxes."""

    name: str
    mailboxes: int
    aliases: int
    catchall: str | None
    subdomain_catchall: str | None


@dataclass(frozen=True)
class Domains(Result):
    """Every domain of the directory, by name."""

    domains: tuple[Domain, ...]
    notes: tuple[str, ...] = ()

    def view(self) -> View:
        columns = ("domain", "mailboxes", "aliases", "catchall", "subdomain catchall")
        rows = ((d.name, d.mailboxes, d.aliases, d.catchall, d.subdomain_catchall) for d in self.domains)
        return View(columns, tuple(rows), "Domains", notes=self.notes)


@dataclass(frozen=True)
class DomainContents(Result):
    """What a domain holds: its mailboxes, its aliases with their targets, its catchalls."""

    name: str
    mailboxes: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...]
    catchall: str | None
    subdomain_catchall: str | None

    def view(self) -> View:
        caught = ((f"*@{self.name}", self.catchall), (f"*@*.{self.name}", self.subdomain_catchall))
        rows = (
            *(("mailbox", address, None) for address in self.mailboxes),
            *(("alias", *alias) for alias in self.aliases),
            *(("catchall", *one) for one in caught if one[1]),
        )
        return View(("kind", "address", "leads to"), rows, self.name)


def notes(directory: Directory) -> tuple[str, ...]:
    """What to say beside an empty list."""
    return () if directory.exists else (NO_DIRECTORY,)


def ensure(env: Env, draft: Draft, name: str) -> None:
    """Make a domain known, if it isn't, and say so."""
    if env.directory.get("domain", name=name) is None and not draft.adds("domain", name):
        draft.add("domain", {"name": name})
        draft.notes.append(f"{name} was not known here; it is made known")


def add(env: Env, domain: str) -> Plan:
    """Receive mail for a domain. Raises InvalidInput."""
    name = parse_domain(domain)
    draft = Draft()
    if env.directory.get("domain", name=name) is None:
        draft.add("domain", {"name": name})
    else:
        draft.notes.append(f"{name} is known already")
    return draft.plan(f"domain add {name}")


def remove(env: Env, domain: str) -> Plan:
    """Receive mail for a domain no longer; what belongs to it goes with it. Raises InvalidInput."""
    name = parse_domain(domain)
    draft = Draft()
    row = env.directory.get("domain", name=name)
    if row is None:
        draft.notes.append(f"{name} is not known here")
    else:
        _empty(env.directory, draft, name)
        draft.remove("domain", row)
    return draft.plan(f"domain remove {name}")


def _empty(directory: Directory, draft: Draft, name: str) -> None:
    mailboxes = directory.find("mailbox", domain=name)
    addresses = {row["address"] for row in mailboxes}
    caught = (
        row for row in directory.find("catchall") if name == row["domain"] or row["mailbox"] in addresses
    )
    for place, found in (
        ("catchall", tuple(caught)),
        ("alias", directory.find("alias", domain=name)),
        ("mailbox", mailboxes),
    ):
        for row in found:
            draft.remove(place, row)
        if found:
            draft.dangers.append(
                f"with {name} {'goes' if len(found) == 1 else 'go'} {_counted(len(found), place)}"
            )
    if mailboxes:
        draft.notes.append("mail that lies in the mailboxes stays on the mail host")
    for row in directory.leading_into(name):
        draft.dangers.append(f"alias {row['address']} will lead outside, to {row['target']}")


def _counted(number: int, noun: str) -> str:
    plural = {"mailbox": "mailboxes", "alias": "aliases"}.get(noun, f"{noun}s")
    return f"{number} {noun if number == 1 else plural}"


def list_(env: Env) -> Domains:
    """Every domain that the mail host receives."""
    directory = env.directory
    mailboxes, aliases = directory.count("mailbox"), directory.count("alias")
    caught = {(row["domain"], row["subdomains"]): str(row["mailbox"]) for row in directory.find("catchall")}
    names = [str(row["name"]) for row in directory.find("domain")]
    domains = (
        Domain(
            name,
            mailboxes.get(name, 0),
            aliases.get(name, 0),
            caught.get((name, False)),
            caught.get((name, True)),
        )
        for name in names
    )
    return Domains(tuple(domains), notes(directory))


def show(env: Env, domain: str) -> DomainContents:
    """What a domain holds. Raises InvalidInput, NotFound."""
    name = parse_domain(domain)
    directory = env.directory
    if directory.get("domain", name=name) is None:
        raise NotFound(f"{name} is not known here", f"make it known: eymail domain add {name}")
    caught = {row["subdomains"]: str(row["mailbox"]) for row in directory.find("catchall", domain=name)}
    mailboxes = tuple(str(row["address"]) for row in directory.find("mailbox", domain=name))
    rows = directory.find("alias", domain=name)
    aliases = tuple((str(row["address"]), str(row["target"])) for row in rows)
    return DomainContents(name, mailboxes, aliases, caught.get(False), caught.get(True))
