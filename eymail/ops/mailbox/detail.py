"""One mailbox: its row, what leads to it, and what Dovecot on its mail host says of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from eymail.errors import EymailError, NotFound
from eymail.mail import dovecot
from eymail.mail.checks import NOT_CHECKED
from eymail.model import Address, Cell, Result, View
from eymail.ops.mailbox.accounts import caught
from eymail.ops.mailbox.listing import Mailbox

if TYPE_CHECKING:
    from eymail.env import Env


@dataclass(frozen=True)
class MailFacts:
    """What is in a mailbox. Where it could not be asked, ``not_checked`` says why, and the rest is None.

    ``newest`` is None as well when there is no message, ``last_login`` when the log tells of none;
    ``login_not_checked`` says why the log could not be asked.
    """

    messages: int | None = None
    bytes: int | None = None
    newest: datetime | None = None
    last_login: datetime | None = None
    not_checked: str = ""
    login_not_checked: str = ""

    def rows(self) -> Iterator[tuple[Cell, Cell]]:
        """For a table of facts."""
        if self.not_checked:
            for name in ("messages", "size", "newest message", "last login"):
                yield name, f"{NOT_CHECKED}: {self.not_checked}"
            return
        yield "messages", self.messages
        yield "size", f"{self.bytes} bytes"
        yield "newest message", _told(self.newest) or "none"
        unknown = f"{NOT_CHECKED}: {self.login_not_checked}" if self.login_not_checked else "none in the log"
        yield "last login", _told(self.last_login) or unknown


def _told(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%SZ}"


@dataclass(frozen=True)
class MailboxDetail(Result):
    """A mailbox, its mail, and what leads to it: aliases, catchalls (``*.DOMAIN`` for subdomains')."""

    mailbox: Mailbox
    mail: MailFacts
    aliases: tuple[str, ...]
    catchalls: tuple[str, ...]

    def view(self) -> View:
        box = self.mailbox
        rows: tuple[tuple[Cell, ...], ...] = (
            ("address", box.address),
            ("enabled", box.enabled),
            ("quota MB", box.quota_mb),
            ("host", box.host),
            *self.mail.rows(),
            *(("alias", one) for one in self.aliases),
            *(("catchall", one) for one in self.catchalls),
        )
        return View(("fact", "value"), rows, box.address)


def show(env: Env, address: str) -> MailboxDetail:
    """One mailbox. Raises InvalidInput, NotFound."""
    mailbox = str(Address.parse(address))
    row = env.directory.get("mailbox", address=mailbox)
    if row is None:
        raise NotFound(f"there is no mailbox {mailbox}", f"where mail to it goes: eymail route {mailbox}")
    aliases = tuple(str(one["address"]) for one in env.directory.find("alias", target=mailbox))
    catchalls = tuple(caught(one) for one in env.directory.find("catchall", mailbox=mailbox))
    box = Mailbox.of(row)
    return MailboxDetail(box, _mail(env, box), aliases, catchalls)


def _mail(env: Env, box: Mailbox) -> MailFacts:
    if not box.host:
        return MailFacts(not_checked="no mail host is named for it")
    if not box.enabled:
        return MailFacts(not_checked="Dovecot does not look into a disabled mailbox")
    try:
        found = dovecot.facts(env.host(box.host), box.address)
    except EymailError as error:
        return MailFacts(not_checked=error.message)
    unlogged = "" if found.logged else "Dovecot keeps no log file there"
    return MailFacts(found.messages, found.bytes, found.newest, found.login, login_not_checked=unlogged)
