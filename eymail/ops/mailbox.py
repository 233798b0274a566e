"""Mailboxes: accounts with a password at the mail host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eymail.config import Role
from eymail.directory import passwords
from eymail.errors import NotFound, Refused
from eymail.model import Address, Cell, Result, View, parse_domain
from eymail.ops import domain as domains
from eymail.ops import stored
from eymail.ops.change import Draft
from eymail.plan import Secret

if TYPE_CHECKING:
    from eymail.directory import Directory
    from eymail.env import Env
    from eymail.plan import Plan, Row


@dataclass(frozen=True)
class Mailbox:
    """A mailbox. ``quota_mb`` in megabytes, None for no limit; ``host`` is the mail host it lives at."""

    address: str
    enabled: bool
    quota_mb: int | None
    host: str


@dataclass(frozen=True)
class Mailboxes(Result):
    """Mailboxes, by address."""

    mailboxes: tuple[Mailbox, ...]
    notes: tuple[str, ...] = ()

    def view(self) -> View:
        rows = tuple((box.address, box.enabled, box.quota_mb, box.host) for box in self.mailboxes)
        return View(("mailbox", "enabled", "quota MB", "host"), rows, "Mailboxes", notes=self.notes)


@dataclass(frozen=True)
class MailboxDetail(Result):
    """A mailbox and what leads to it: aliases, and catchalls (``*.`` and the domain for subdomains')."""

    mailbox: Mailbox
    aliases: tuple[str, ...]
    catchalls: tuple[str, ...]

    def view(self) -> View:
        box = self.mailbox
        rows: tuple[tuple[Cell, ...], ...] = (
            ("address", box.address),
            ("enabled", box.enabled),
            ("quota MB", box.quota_mb),
            ("host", box.host),
            *(("alias", one) for one in self.aliases),
            *(("catchall", one) for one in self.catchalls),
        )
        return View(("fact", "value"), rows, box.address)


def add(env: Env, address: str, password: str | None = None) -> Plan:
    """Make a mailbox; without a password one is made and shown once. Raises InvalidInput, Refused."""
    mailbox = Address.parse_name(address)
    draft = Draft()
    present = env.directory.get("mailbox", address=str(mailbox))
    if present is None:
        make(env, draft, mailbox, password)
    elif password is None or passwords.matches(password, str(present["password"])):
        draft.notes.append(f"{mailbox} is there already; its password is as it was")
    else:
        raise Refused(f"{mailbox} is there already, with another password", "nothing was changed")
    return draft.plan(f"mailbox add {mailbox}")


def make(env: Env, draft: Draft, mailbox: Address, password: str | None = None) -> None:
    """Add a mailbox, and its domain where it isn't known. Raises InvalidInput, Refused."""
    alias = env.directory.get("alias", address=str(mailbox))
    if alias is not None:
        hint = f"an address is one or the other; eymail alias remove {mailbox}"
        raise Refused(f"{mailbox} is an alias, to {alias['target']}", hint)
    domains.ensure(env, draft, mailbox.domain)
    chosen = passwords.make() if password is None else password
    draft.add("mailbox", _row(mailbox, passwords.hashed(chosen), home(env)))
    stored.earlier(env, draft, mailbox)
    if password is None:
        draft.secrets.append(Secret(f"password of {mailbox}", chosen))


def _row(mailbox: Address, password: str, host: str) -> Row:
    return {
        "address": str(mailbox),
        "domain": mailbox.domain,
        "password": password,
        "enabled": True,
        "quota_mb": None,
        "host": host,
    }


def home(env: Env) -> str:
    """The mail host at which a new mailbox lives; nothing where no inventory names one."""
    if env.config.directory.host:
        return env.config.directory.host
    try:
        hosts = env.cluster.with_role(Role.MAIL)
    except NotFound:
        return ""
    return hosts[0].name if hosts else ""


def remove(env: Env, address: str) -> Plan:
    """Remove a mailbox, and what leads to it alone. Raises InvalidInput."""
    mailbox = str(Address.parse(address))
    draft = Draft()
    row = env.directory.get("mailbox", address=mailbox)
    if row is None:
        draft.notes.append(f"there is no mailbox {mailbox}")
        return draft.plan(f"mailbox remove {mailbox}")
    for caught in env.directory.find("catchall", mailbox=mailbox):
        draft.remove("catchall", caught)
        draft.dangers.append(f"with it goes the catchall of {_caught(caught)}")
    without(env.directory, draft, mailbox)
    draft.remove("mailbox", row)
    draft.notes.append("mail that lies in it stays on the mail host")
    return draft.plan(f"mailbox remove {mailbox}")


def without(directory: Directory, draft: Draft, address: str) -> None:
    """Remove the aliases that lead to an address which is going, and those that lead to them alone."""
    for row in directory.find("alias", target=address):
        draft.remove("alias", row)
        draft.dangers.append(f"with {address} goes the alias {row['address']} to it")
        left = [one for one in directory.find("alias", address=row["address"]) if one["target"] != address]
        if not left:
            without(directory, draft, str(row["address"]))


def _caught(row: Row) -> str:
    return f"*.{row['domain']}" if row["subdomains"] else str(row["domain"])


def list_(env: Env, domain: str | None = None) -> Mailboxes:
    """The mailboxes of a domain, or all. Raises InvalidInput."""
    where = {} if domain is None else {"domain": parse_domain(domain)}
    found = env.directory.find("mailbox", **where)
    return Mailboxes(tuple(_mailbox(row) for row in found), domains.notes(env.directory))


def show(env: Env, address: str) -> MailboxDetail:
    """One mailbox. Raises InvalidInput, NotFound."""
    mailbox = str(Address.parse(address))
    row = env.directory.get("mailbox", address=mailbox)
    if row is None:
        raise NotFound(f"there is no mailbox {mailbox}", f"where mail to it goes: eymail route {mailbox}")
    aliases = tuple(str(one["address"]) for one in env.directory.find("alias", target=mailbox))
    catchalls = tuple(_caught(one) for one in env.directory.find("catchall", mailbox=mailbox))
    return MailboxDetail(_mailbox(row), aliases, catchalls)


def _mailbox(row: Row) -> Mailbox:
    quota = row["quota_mb"]
    return Mailbox(
        str(row["address"]), bool(row["enabled"]), None if quota is None else int(quota), str(row["host"])
    )
