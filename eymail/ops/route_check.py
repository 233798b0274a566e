"""Whether the mail host does what the directory says: its routers and its answer at RCPT, compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eymail.config import HostEntry, Role
from eymail.errors import EymailError, HostError, NotFound
from eymail.exim import ways
from eymail.exim.ways import Said
from eymail.mail.checks import NOT_CHECKED, OK

if TYPE_CHECKING:
    from eymail.env import Env

DIFFERS = "differs"
ROUTERS, RCPT = "exim -bt", "RCPT"

Answer = Said | EymailError


@dataclass(frozen=True)
class Check:
    """What one question to the mail host came to: ``status`` is ok, differs, or not checked."""

    asked: str
    status: str
    detail: str

    def told(self) -> str:
        """In a line."""
        return f"{self.asked}: {self.status}: {self.detail}"


def mail_host(env: Env) -> HostEntry:
    """The mail host that the directory lies on, or the first of the inventory. Raises NotFound."""
    if env.config.directory.host:
        return env.cluster.host(env.config.directory.host)
    for entry in env.cluster.with_role(Role.MAIL):
        return entry
    raise NotFound(f"cluster {env.cluster.name} has no mail host to ask", "add one, of role mail")


def ask(env: Env, addresses: Sequence[str]) -> Mapping[str, Answer]:
    """What the mail host says of each address, or why it could not be asked."""
    try:
        entry = mail_host(env)
        said = ways.ask(env.host_at(entry), str(entry.address), list(dict.fromkeys(addresses)))
    except EymailError as error:
        return dict.fromkeys(addresses, error)
    silent = HostError(f"{entry.name}: its Exim gave no answer", "see its log")
    return {address: said.get(address, silent) for address in addresses}


def not_asked(error: EymailError) -> tuple[Check, ...]:
    """The checks where the mail host could not be asked at all."""
    return tuple(Check(asked, NOT_CHECKED, error.message) for asked in (ROUTERS, RCPT))


def compare(said: Said, ends: Iterable[tuple[str, str]], *, accepted: bool) -> tuple[Check, ...]:
    """Exim's answers beside the directory's: ``ends`` are addresses, and what becomes of mail to them."""
    return _routers(said, frozenset(ends)), _rcpt(said, accepted)


def _routers(said: Said, expected: frozenset[tuple[str, str]]) -> Check:
    if not said.ends:
        return Check(ROUTERS, NOT_CHECKED, said.not_routed)
    told = ", ".join(f"{one.address} {one.how}" for one in said.ends)
    if any(one.how == ways.UNRESOLVED for one in said.ends):
        return Check(ROUTERS, NOT_CHECKED, told)
    found = {(one.address, one.how) for one in said.ends}
    return Check(ROUTERS, OK if found == expected else DIFFERS, told)


def _rcpt(said: Said, accepted: bool) -> Check:
    told = f"{said.code} {said.words}" if said.code else said.words
    if not said.code or 400 <= said.code < 500:
        return Check(RCPT, NOT_CHECKED, told)
    return Check(RCPT, OK if (said.code < 300) == accepted else DIFFERS, told)


def verdict(checks: Iterable[Check]) -> str:
    """The worst of them."""
    found = {one.status for one in checks}
    return next((status for status in (DIFFERS, NOT_CHECKED) if status in found), OK)
