"""What of a mailbox can change: whether it is enabled, its quota, its password."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from eymail.directory import passwords
from eymail.errors import InvalidInput, NotFound
from eymail.model import quoted
from eymail.ops.change import Draft, titled
from eymail.ops.mailbox.accounts import caught, named
from eymail.plan import Secret

if TYPE_CHECKING:
    from eymail.directory import Directory
    from eymail.env import Env
    from eymail.plan import Plan, Row

MOST_MB = 1_000_000_000
_SIZE = re.compile(r"([0-9]{1,10}) ?(?:([MGT])(?:i?B)?)?", re.IGNORECASE)
_UNITS = {"M": 1, "G": 1 << 10, "T": 1 << 20}  # as Dovecot counts
_SHOWN = 3


def enable(env: Env, addresses: Sequence[str]) -> Plan:
    """Take mail and logins again. Raises InvalidInput, NotFound."""
    return _switched(env, addresses, "enable", True)


def disable(env: Env, addresses: Sequence[str]) -> Plan:
    """Refuse mail and logins; the mail that is there stays. Raises InvalidInput, NotFound."""
    return _switched(env, addresses, "disable", False)


def _switched(env: Env, addresses: Sequence[str], word: str, enabled: bool) -> Plan:
    wanted = named(addresses)
    draft = Draft()
    for row in rows_of(env.directory, wanted):
        if bool(row["enabled"]) is enabled:
            draft.notes.append(f"{row['address']} is {word}d already")
            continue
        draft.change("mailbox", row, {**row, "enabled": enabled})
        if not enabled:
            draft.dangers += _refused(env.directory, str(row["address"]))
    return draft.plan(titled(f"mailbox {word}", wanted))


def _refused(directory: Directory, mailbox: str) -> Iterator[str]:
    """What else is refused while a mailbox is disabled."""
    for row in directory.find("catchall", mailbox=mailbox):
        yield f"mail that the catchall of {caught(row)} takes to {mailbox} is refused as well"
    for row in directory.find("alias", target=mailbox):
        yield f"mail to the alias {row['address']} is refused as well, or comes back to its sender"


def rows_of(directory: Directory, addresses: Sequence[str]) -> tuple[Row, ...]:
    """The rows of mailboxes that have to be there, in the order asked for. Raises NotFound."""
    found = {str(row["address"]): row for row in directory.those("mailbox", "address", addresses)}
    missing = [one for one in addresses if one not in found]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        told = f"there is no mailbox {', '.join(missing[:_SHOWN])}{more}"
        raise NotFound(told, f"nothing was changed; where mail to it goes: eymail route {missing[0]}")
    return tuple(found[one] for one in addresses)


def quota(env: Env, addresses: Sequence[str], size: str) -> Plan:
    """Set the quota: megabytes, ``500M``, ``2G``, or ``none``. Raises InvalidInput, NotFound."""
    megabytes = parse_size(size)
    wanted = named(addresses)
    draft = Draft()
    for row in rows_of(env.directory, wanted):
        if row["quota_mb"] == megabytes:
            draft.notes.append(f"{row['address']} has that quota already")
        else:
            draft.change("mailbox", row, {**row, "quota_mb": megabytes})
    return draft.plan(titled("mailbox quota", wanted, "none" if megabytes is None else f"{megabytes}M"))


def parse_size(text: str) -> int | None:
    """Megabytes, of 2^20 bytes as Dovecot has them; None for ``none``. Raises InvalidInput."""
    if text.strip().lower() == "none":
        return None
    found = _SIZE.fullmatch(text.strip())
    megabytes = int(found[1]) * _UNITS[(found[2] or "M").upper()] if found and text.isascii() else 0
    if not 0 < megabytes <= MOST_MB:
        raise InvalidInput(f"{quoted(text)} is no quota", "megabytes: 500, 500M, 2G; or none, for no limit")
    return megabytes


def password(
    env: Env, addresses: Sequence[str], given: str | None = None, scheme: str = passwords.DEFAULT
) -> Plan:
    """Give mailboxes other passwords: the given one, or for each a made one that is shown once.

    Raises InvalidInput, NotFound.
    """
    wanted = named(addresses)
    if given is not None and len(wanted) > 1:
        raise InvalidInput("one password is for one mailbox", "without one, each gets a made one")
    draft = Draft()
    for row in rows_of(env.directory, wanted):
        address, stored = str(row["address"]), str(row["password"])
        if given is not None and stored.startswith(f"{{{scheme}}}") and passwords.matches(given, stored):
            draft.notes.append(f"{address} has that password already")
            continue
        chosen = passwords.make() if given is None else given
        draft.change("mailbox", row, {**row, "password": passwords.hashed(chosen, scheme)})
        if given is None:
            draft.secrets.append(Secret(f"password of {address}", chosen))
    return draft.plan(titled("mailbox password", wanted))
