"""Mailboxes made and removed, with what leads to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eymail.config import Role
from eymail.directory import passwords
from eymail.errors import InvalidInput, NotFound, Refused
from eymail.model import Address
from eymail.ops import domain as domains
from eymail.ops import stored
from eymail.ops.change import Draft, titled
from eymail.plan import Secret

if TYPE_CHECKING:
    from eymail.directory import Directory
    from eymail.env import Env
    from eymail.plan import Plan, Row


def named(addresses: Sequence[str]) -> tuple[str, ...]:
    """The addresses in canonical form, each once. Raises InvalidInput."""
    found = tuple(dict.fromkeys(str(Address.parse(one)) for one in addresses))
    if not found:
        raise InvalidInput("no mailbox was named", "an address looks like incoming@example.com")
    return found


def add(env: Env, address: str, password: str | None = None, scheme: str = passwords.DEFAULT) -> Plan:
    """Make a mailbox; without a password one is made and shown once. Raises InvalidInput, Refused."""
    return _added(env, (address,), password, scheme)


def add_several(env: Env, addresses: Sequence[str], scheme: str = passwords.DEFAULT) -> Plan:
    """Make mailboxes in one change, each with a made password. Raises InvalidInput, Refused."""
    return _added(env, addresses, None, scheme)


def _added(env: Env, addresses: Sequence[str], password: str | None, scheme: str) -> Plan:
    wanted = dict.fromkeys(Address.parse_name(one) for one in addresses)
    if password is not None:
        passwords.check(password, scheme)
    draft = Draft()
    made = []
    for mailbox in wanted:
        present = env.directory.get("mailbox", address=str(mailbox))
        if present is None:
            make(env, draft, mailbox, password, scheme)
            made.append(mailbox)
        elif password is None or passwords.matches(password, str(present["password"])):
            draft.notes.append(f"{mailbox} is there already; its password is as it was")
        else:
            hint = f"nothing was changed; another one: eymail mailbox password {mailbox}"
            raise Refused(f"{mailbox} is there already, with another password", hint)
    stored.earlier(env, draft, made)
    return draft.plan(titled("mailbox add", [str(one) for one in wanted]))


def make(
    env: Env, draft: Draft, mailbox: Address, password: str | None = None, scheme: str = passwords.DEFAULT
) -> None:
    """Add a mailbox, and its domain where it isn't known. Raises InvalidInput, Refused."""
    alias = env.directory.get("alias", address=str(mailbox))
    if alias is not None:
        hint = f"an address is one or the other; eymail alias remove {mailbox}"
        raise Refused(f"{mailbox} is an alias, to {alias['target']}", hint)
    domains.ensure(env, draft, mailbox.domain)
    chosen = passwords.make() if password is None else password
    draft.add("mailbox", row_of(mailbox, passwords.hashed(chosen, scheme), home(env)))
    if password is None:
        draft.secrets.append(Secret(f"password of {mailbox}", chosen))


def row_of(mailbox: Address, password: str, host: str) -> Row:
    """The row of a new mailbox; ``password`` is its hash."""
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


def remove(env: Env, *addresses: str) -> Plan:
    """Remove mailboxes, and what leads to them alone. Raises InvalidInput."""
    gone = named(addresses)
    draft = Draft()
    for mailbox in gone:
        _removed(env.directory, draft, mailbox)
    if draft.steps:
        draft.notes.append(f"mail that lies in {'it' if len(gone) == 1 else 'them'} stays on the mail host")
    return draft.plan(titled("mailbox remove", gone))


def _removed(directory: Directory, draft: Draft, mailbox: str) -> None:
    row = directory.get("mailbox", address=mailbox)
    if row is None:
        draft.notes.append(f"there is no mailbox {mailbox}")
        return
    for found in directory.find("catchall", mailbox=mailbox):
        draft.remove("catchall", found)
        draft.dangers.append(f"with it goes the catchall of {caught(found)}")
    without(directory, draft, mailbox)
    draft.remove("mailbox", row)


def without(directory: Directory, draft: Draft, address: str) -> None:
    """Remove the aliases that lead to an address which is going, and those that lead to them alone."""
    for row in directory.find("alias", target=address):
        draft.remove("alias", row)
        draft.dangers.append(f"with {address} goes the alias {row['address']} to it")
        left = [one for one in directory.find("alias", address=row["address"]) if one["target"] != address]
        if not left:
            without(directory, draft, str(row["address"]))


def caught(row: Row) -> str:
    """What a catchall's row takes: a domain, or ``*.`` and the domain."""
    return f"*.{row['domain']}" if row["subdomains"] else str(row["domain"])
