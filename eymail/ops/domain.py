"""Domains that the mail host receives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eymail.errors import EymailError, InvalidInput, NotFound
from eymail.mail import maildirs
from eymail.mail.checks import NOT_CHECKED
from eymail.mail.maildirs import Stored
from eymail.model import Cell, Result, View, parse_domain
from eymail.ops import reception, route_check, stored
from eymail.ops.change import Draft, titled
from eymail.ops.reception import Reception

if TYPE_CHECKING:
    from eymail.directory import Directory
    from eymail.env import Env
    from eymail.plan import Plan

_UNASKED = ("mail that lies in the mailboxes stays on the mail host; how much: not checked",)
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
    """What a domain holds: its mailboxes, its aliases with their targets, its catchalls.

    ``reception`` is where its mail goes by its MX; ``stored`` what lies in its mail folders, None where that
    was not checked, and ``not_stored`` then says why.
    """

    name: str
    mailboxes: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...]
    catchall: str | None
    subdomain_catchall: str | None
    reception: Reception
    stored: Stored | None
    not_stored: str = ""

    def view(self) -> View:
        caught = ((f"*@{self.name}", self.catchall), (f"*@*.{self.name}", self.subdomain_catchall))
        rows = (
            *(("mailbox", address, None) for address in self.mailboxes),
            *(("alias", *alias) for alias in self.aliases),
            *(("catchall", *one) for one in caught if one[1]),
            *self._facts(),
        )
        return View(("kind", "address", "leads to"), rows, self.name)

    def _facts(self) -> Iterator[tuple[Cell, ...]]:
        mx = self.reception
        yield "mx", ", ".join(mx.targets), f"{mx.status}: {mx.detail}"
        yield "mail", self.name, self.stored.told() if self.stored else f"{NOT_CHECKED}: {self.not_stored}"


def notes(directory: Directory) -> tuple[str, ...]:
    """What to say beside an empty list."""
    return () if directory.exists else (NO_DIRECTORY,)


def ensure(env: Env, draft: Draft, name: str) -> None:
    """Make a domain known, if it isn't, and say so, and where its mail goes now."""
    if env.directory.get("domain", name=name) is None and not draft.adds("domain", name):
        draft.add("domain", {"name": name})
        draft.notes.append(f"{name} was not known here; it is made known")
        reception.warn(env, draft, name)


def add(env: Env, *names: str) -> Plan:
    """Receive mail for domains. Raises InvalidInput."""
    wanted = _parsed(names)
    draft = Draft()
    for name in wanted:
        if env.directory.get("domain", name=name) is not None:
            draft.notes.append(f"{name} is known already")
            continue
        draft.add("domain", {"name": name})
        reception.warn(env, draft, name)
    return draft.plan(titled("domain add", wanted))


def _parsed(names: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(parse_domain(name) for name in names))
    if not found:
        raise InvalidInput("no domain was named", "a domain looks like example.com or app.example.com")
    return found


def remove(env: Env, *names: str, purge: bool = False) -> Plan:
    """Receive mail for domains no longer; what belongs to them goes with them.

    Their mail stays on the mail host, or is deleted for good with ``purge``. Raises InvalidInput, and with
    ``purge`` what is raised where the mail host cannot be asked.
    """
    gone = _parsed(names)
    draft = Draft()
    for name in gone:
        row = env.directory.get("domain", name=name)
        if row is None:
            draft.notes.append(f"{name} is not known here")
        else:
            _empty(env.directory, draft, name, gone)
            draft.remove("domain", row)
    plan = draft.plan(titled("domain remove", gone, "--purge" if purge else ""))
    if not purge and not (plan.steps and reception.here(env)):
        return replace(plan, notes=(*plan.notes, *_UNASKED[: len(plan.steps)]))
    there = zip(gone, stored.of_domains(env, gone), strict=True)
    return _purged(env, plan, there) if purge else _kept(plan, there)


def _kept(plan: Plan, there: Iterable[tuple[str, Stored | EymailError]]) -> Plan:
    """Say what mail stays."""
    notes = [f"mail of {name}: {_told(found)}" for name, found in there]
    return replace(plan, notes=(*plan.notes, *notes))


def _told(found: Stored | EymailError) -> str:
    if isinstance(found, EymailError):
        return f"not checked: {found.message}; what there is stays"
    return f"{found.told()} on the mail host, {'stay until --purge' if found.messages else 'nothing to keep'}"


def _purged(env: Env, plan: Plan, there: Iterable[tuple[str, Stored | EymailError]]) -> Plan:
    """The plan with the mail folders' end as its last act. Raises the error where they cannot be asked."""
    steps, dangers = list(plan.steps), list(plan.dangers)
    for name, found in there:
        if isinstance(found, EymailError):
            raise found
        if found.there:
            steps.append(maildirs.removal(route_check.mail_host(env).name, name, found))
            dangers.append(f"all mail of {name} is deleted and cannot be brought back: {found.told()}")
    final = len(steps) > len(plan.steps)
    return replace(plan, steps=tuple(steps), dangers=tuple(dangers), final=final)


def _empty(directory: Directory, draft: Draft, name: str, gone: tuple[str, ...]) -> None:
    """Remove what belongs to a domain; ``gone`` are all that go in the same change."""
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
    for row in directory.leading_into(name):
        if row["domain"] not in gone:
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
    (mail,) = stored.of_domains(env, [name])
    return DomainContents(
        name,
        mailboxes,
        aliases,
        caught.get(False),
        caught.get(True),
        reception.of_domain(env, name),
        mail if isinstance(mail, Stored) else None,
        mail.message if isinstance(mail, EymailError) else "",
    )


def shows(env: Env, names: Iterable[str]) -> Iterator[DomainContents | EymailError]:
    """The same for several, an error for each that is none or not known here."""
    for name in names:
        try:
            yield show(env, name)
        except (InvalidInput, NotFound) as error:
            yield error
