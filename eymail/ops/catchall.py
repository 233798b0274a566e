"""Catchalls: all otherwise unknown addresses of a domain, or of its subdomains, to one mailbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eymail.errors import InvalidInput, NotFound
from eymail.model import Address, Result, View, parse_domain
from eymail.ops import domain as domains
from eymail.ops import mailbox as mailboxes
from eymail.ops import stored, wildcard
from eymail.ops.change import Draft

if TYPE_CHECKING:
    from eymail.env import Env
    from eymail.plan import Plan

USUAL = "catchall"


@dataclass(frozen=True)
class Catchall:
    """What takes a domain's unknown addresses, or with ``subdomains`` all of its subdomains'."""

    domain: str
    subdomains: bool
    mailbox: str


@dataclass(frozen=True)
class Catchalls(Result):
    """Catchalls, by domain."""

    catchalls: tuple[Catchall, ...]
    notes: tuple[str, ...] = ()

    def view(self) -> View:
        rows = tuple((_pattern(one.domain, one.subdomains), one.mailbox) for one in self.catchalls)
        return View(("addresses", "mailbox"), rows, "Catchalls", notes=self.notes)


def _pattern(domain: str, subdomains: bool) -> str:
    return f"*@*.{domain}" if subdomains else f"*@{domain}"


def add(env: Env, domain: str, to: str | None = None, *, subdomains: bool = False) -> Plan:
    """Send a domain's unknown addresses, or its subdomains', to one mailbox.

    The domain and its usual mailbox ``catchall@domain`` are made when they don't exist. Subdomains'
    mail needs a wildcard MX, which is a step where the zone is ours and a line to publish elsewhere.
    Raises InvalidInput, NotFound when another mailbox is named that isn't there.
    """
    name = parse_domain(domain)
    mailbox = Address(USUAL, name) if to is None else Address.parse(to)
    if subdomains and mailbox.domain != name:
        raise InvalidInput(
            f"{mailbox} is not a mailbox of {name}", "subdomains are caught in their own domain"
        )
    draft = Draft()
    domains.ensure(env, draft, name)
    _mailbox(env, draft, mailbox, usual=mailbox == Address(USUAL, name))
    _lead(env, draft, {"domain": name, "subdomains": subdomains, "mailbox": str(mailbox)})
    if subdomains:
        dns = wildcard.needed(env, name)
        draft.steps += dns.steps
        draft.notes += dns.notes
    options = (f" --to {mailbox}" if to else "") + (" --subdomains" if subdomains else "")
    return draft.plan(f"catchall add {name}{options}")


def _mailbox(env: Env, draft: Draft, mailbox: Address, *, usual: bool) -> None:
    row = env.directory.get("mailbox", address=str(mailbox))
    if row is None and not usual:
        raise NotFound(f"there is no mailbox {mailbox}", f"make it first: eymail mailbox add {mailbox}")
    if row is None:
        mailboxes.make(env, draft, mailbox)
        stored.earlier(env, draft, [mailbox])
        draft.notes.append(f"mailbox {mailbox} was not there; it is made")
    elif not row["enabled"]:
        draft.notes.append(f"careful: mailbox {mailbox} is disabled and takes no mail")


def _lead(env: Env, draft: Draft, wanted: dict[str, str | bool]) -> None:
    present = env.directory.get("catchall", domain=wanted["domain"], subdomains=wanted["subdomains"])
    if present is None:
        draft.add("catchall", wanted)
    elif present != wanted:
        draft.change("catchall", present, wanted)
        draft.notes.append(f"until now it led to {present['mailbox']}")
    else:
        pattern = _pattern(str(wanted["domain"]), bool(wanted["subdomains"]))
        draft.notes.append(f"{pattern} leads to {wanted['mailbox']} already")


def remove(env: Env, domain: str, *, subdomains: bool = False) -> Plan:
    """Refuse a domain's unknown addresses again; its mailbox stays. Raises InvalidInput."""
    name = parse_domain(domain)
    draft = Draft()
    present = env.directory.get("catchall", domain=name, subdomains=subdomains)
    if present is None:
        draft.notes.append(f"there is no catchall of {_pattern(name, subdomains)}")
    else:
        draft.remove("catchall", present)
        draft.notes.append(f"mailbox {present['mailbox']} stays, and so does its mail")
        if subdomains:
            draft.notes.append(
                f"a wildcard, *.{name} MX, stays in the DNS if it is there: mail it brings is refused"
            )
    return draft.plan(f"catchall remove {name}{' --subdomains' if subdomains else ''}")


def list_(env: Env, domain: str | None = None) -> Catchalls:
    """The catchalls of a domain, or all. Raises InvalidInput."""
    where = {} if domain is None else {"domain": parse_domain(domain)}
    found = env.directory.find("catchall", **where)
    catchalls = (Catchall(str(one["domain"]), bool(one["subdomains"]), str(one["mailbox"])) for one in found)
    return Catchalls(tuple(catchalls), domains.notes(env.directory))
