"""Mail that lies on the mail host, of domains and of mailboxes, whoever they belong to now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eymail.errors import EymailError
from eymail.mail import maildirs
from eymail.mail.maildirs import Stored
from eymail.model import Address
from eymail.ops import reception, route_check

if TYPE_CHECKING:
    from eymail.env import Env
    from eymail.ops.change import Draft


def of_domains(env: Env, names: Sequence[str]) -> tuple[Stored | EymailError, ...]:
    """How much mail lies in each domain's folder, or why it is not known."""
    return _of(env, [maildirs.folder_of(name) for name in names])


def _of(env: Env, folders: Sequence[str]) -> tuple[Stored | EymailError, ...]:
    if not folders:
        return ()
    try:
        return maildirs.count(env.host_at(route_check.mail_host(env)), *folders)
    except EymailError as error:
        return (error,) * len(folders)


def earlier(env: Env, draft: Draft, mailboxes: Sequence[Address]) -> None:
    """Say so where mail of earlier mailboxes waits for those that are being made."""
    if not reception.here(env):
        return
    there = _of(env, [maildirs.folder_of(one.domain, one.local) for one in mailboxes])
    for mailbox, found in zip(mailboxes, there, strict=True):
        if isinstance(found, EymailError):
            draft.notes.append(
                f"whether mail of an earlier {mailbox} lies there: not checked: {found.message}"
            )
        elif found.messages:
            draft.notes.append(f"mail of an earlier {mailbox} lies there, and will be in it: {found.told()}")
