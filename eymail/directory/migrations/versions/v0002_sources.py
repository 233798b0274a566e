"""Source addresses of customers' own: which sender domains leave by them, and from where inside.

An address that eymail.toml dedicates may stand here without inner addresses: they are in the file then.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NAME = "length({0}) BETWEEN 3 AND 253 AND {0} NOT GLOB '*[^a-z0-9.-]*' AND instr({0}, '.') > 1"
_LABEL = "length({0}) BETWEEN 1 AND 63 AND {0} NOT GLOB '*[^a-z0-9-]*'"
_IPV4 = "length({0}) <= 15 AND {0} NOT GLOB '*[^0-9.]*' AND {0} LIKE '%_.%_.%_.%_'"

_TABLES = (
    # An address belongs to one cluster. The pair is unique so that the next table can refer to it.
    f"""CREATE TABLE source_addresses (
        address TEXT NOT NULL PRIMARY KEY CHECK ({_IPV4.format("address")}),
        cluster TEXT NOT NULL CHECK ({_LABEL.format("cluster")}),
        UNIQUE (address, cluster)
    ) WITHOUT ROWID""",
    # A host has one inner address for each source address, and an inner address is one host's.
    f"""CREATE TABLE source_inside (
        source_address TEXT NOT NULL,
        host TEXT NOT NULL CHECK ({_LABEL.format("host")}),
        cluster TEXT NOT NULL,
        inside TEXT NOT NULL CHECK ({_IPV4.format("inside")}),
        PRIMARY KEY (source_address, host),
        UNIQUE (cluster, inside),
        FOREIGN KEY (source_address, cluster) REFERENCES source_addresses (address, cluster)
    ) WITHOUT ROWID""",
    # A domain has one source address, an address any number of domains.
    f"""CREATE TABLE sources (
        sender_domain TEXT NOT NULL PRIMARY KEY CHECK ({_NAME.format("sender_domain")}),
        source_address TEXT NOT NULL REFERENCES source_addresses (address)
    ) WITHOUT ROWID""",
)

_INDEXES = ("CREATE INDEX sources_by_address ON sources (source_address)",)


def upgrade() -> None:
    for statement in (*_TABLES, *_INDEXES):
        op.execute(statement)
