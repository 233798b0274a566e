"""Which mailboxes there are: all at once for who asks for few, page by page for a million."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eymail.model import Result, View, parse_domain
from eymail.ops import domain as domains

if TYPE_CHECKING:
    from eymail.env import Env
    from eymail.plan import Row

_PAGE = 1000


@dataclass(frozen=True)
class Mailbox:
    """A mailbox. ``quota_mb`` in megabytes, None for no limit; ``host`` is the mail host it lives at."""

    address: str
    enabled: bool
    quota_mb: int | None
    host: str

    @classmethod
    def of(cls, row: Row) -> Mailbox:
        """From the directory's row."""
        quota = row["quota_mb"]
        limit = None if quota is None else int(quota)
        return cls(str(row["address"]), bool(row["enabled"]), limit, str(row["host"]))


@dataclass(frozen=True)
class Mailboxes(Result):
    """Mailboxes, by address."""

    mailboxes: tuple[Mailbox, ...]
    notes: tuple[str, ...] = ()

    def view(self) -> View:
        rows = tuple((box.address, box.enabled, box.quota_mb, box.host) for box in self.mailboxes)
        return View(("mailbox", "enabled", "quota MB", "host"), rows, "Mailboxes", notes=self.notes)


def list_(env: Env, domain: str | None = None) -> Mailboxes:
    """The mailboxes of a domain, or all. Raises InvalidInput."""
    found = env.directory.find("mailbox", **_where(domain))
    return Mailboxes(tuple(Mailbox.of(row) for row in found), domains.notes(env.directory))


def pages(env: Env, domain: str | None = None) -> Iterator[Mailboxes]:
    """The same, a thousand at a time, each page read when it is asked for; at least one. Raises InvalidInput.

    What changes while they are read may be in it or not; nothing is in it twice.
    """
    where = _where(domain)
    notes = domains.notes(env.directory)
    for page in env.directory.pages("mailbox", _PAGE, **where):
        yield Mailboxes(tuple(Mailbox.of(row) for row in page), notes)


def _where(domain: str | None) -> dict[str, str]:
    return {} if domain is None else {"domain": parse_domain(domain)}
