"""The directory's tables, as queries see them.

What holds them together (checks, triggers, indexes, views) is in the migrations, which make them.
"""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Integer, MetaData, Table, Text

metadata = MetaData()

domains = Table("domains", metadata, Column("name", Text, primary_key=True))

mailboxes = Table(
    "mailboxes",
    metadata,
    Column("address", Text, primary_key=True),
    Column("domain", Text, ForeignKey("domains.name"), nullable=False),
    Column("password", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("quota_mb", Integer),
    Column("host", Text, nullable=False),
)

# One row for each target.
aliases = Table(
    "aliases",
    metadata,
    Column("address", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("domain", Text, ForeignKey("domains.name"), nullable=False),
)

catchalls = Table(
    "catchalls",
    metadata,
    Column("domain", Text, ForeignKey("domains.name"), primary_key=True),
    Column("subdomains", Boolean, primary_key=True),
    Column("mailbox", Text, ForeignKey("mailboxes.address"), nullable=False),
)

# A dedicated source address, where the inner addresses for it are, and the sender domains that leave by it.
source_addresses = Table(
    "source_addresses",
    metadata,
    Column("address", Text, primary_key=True),
    Column("cluster", Text, nullable=False),
)

source_inside = Table(
    "source_inside",
    metadata,
    Column("source_address", Text, ForeignKey("source_addresses.address"), primary_key=True),
    Column("host", Text, primary_key=True),
    Column("cluster", Text, nullable=False),
    Column("inside", Text, nullable=False),
)

sources = Table(
    "sources",
    metadata,
    Column("sender_domain", Text, primary_key=True),
    Column("source_address", Text, ForeignKey("source_addresses.address"), nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("error", Text),
    Column("undoes", Integer, ForeignKey("journal.id")),
)

journal_steps = Table(
    "journal_steps",
    metadata,
    Column("entry", Integer, ForeignKey("journal.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Column("hidden", JSON, nullable=False),
)

# A step's place, and the table that it is in.
PLACES = {
    "domain": domains,
    "mailbox": mailboxes,
    "alias": aliases,
    "catchall": catchalls,
    "source": sources,
    "source_address": source_addresses,
    "source_inside": source_inside,
}
