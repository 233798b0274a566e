"""Mailboxes: accounts with a password at the mail host."""

from __future__ import annotations

from eymail.ops.mailbox.accounts import add, add_several, home, make, remove, without
from eymail.ops.mailbox.detail import MailboxDetail, MailFacts, show
from eymail.ops.mailbox.listing import Mailbox, Mailboxes, list_, pages
from eymail.ops.mailbox.settings import disable, enable, password, quota

__all__ = [
    "MailFacts",
    "Mailbox",
    "MailboxDetail",
    "Mailboxes",
    "add",
    "add_several",
    "disable",
    "enable",
    "home",
    "list_",
    "make",
    "pages",
    "password",
    "quota",
    "remove",
    "show",
    "without",
]
