"""The whole tree by name, so that help and completion load no command they don't show.

A name leads to the module that holds it, the attribute there, and its one-line help.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """Where a top-level command is, and what ``eymail --help`` says of it."""

    module: str
    attribute: str
    help: str


COMMANDS = {
    "alias": Entry("eymail.cli.alias", "alias", "Addresses that lead to a mailbox."),
    "catchall": Entry("eymail.cli.catchall", "catchall", "Take all of a domain, or of its subdomains."),
    "cluster": Entry("eymail.cli.cluster", "cluster", "The inventory, and every host's configuration."),
    "completion": Entry("eymail.cli.completion", "completion", "Print a shell's completion script."),
    "domain": Entry("eymail.cli.domain", "domain", "Domains that the mail host receives."),
    "history": Entry("eymail.cli.history", "history", "The changes made: who, when, what."),
    "lab": Entry("eymail.cli.lab", "lab", "A whole cluster, real, on this machine."),
    "mailbox": Entry("eymail.cli.mailbox", "mailbox", "Accounts at the mail host."),
    "mx": Entry("eymail.cli.mx", "mx", "Where a domain's mail is received."),
    "queue": Entry("eymail.cli.queue", "queue", "What is stuck, where and why."),
    "route": Entry("eymail.cli.route", "route", "Where mail to an address goes, and by which rule."),
    "source": Entry("eymail.cli.source", "source", "The addresses that mail comes from."),
    "spf": Entry("eymail.cli.spf", "spf", "Which addresses a cluster sends from."),
    "tunnel": Entry("eymail.cli.tunnel", "tunnel", "Reach the cluster's mail from outside."),
    "undo": Entry("eymail.cli.history", "undo", "Take a change back."),
}
