"""Domains, mailboxes, aliases, catchalls, the journal, and the views that the daemons read."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Constraints stand here as well as in code, for whoever writes SQL by hand. An address is lower-case
# printable ASCII (model.Address), at most 64 + 1 + 253 long, and its domain stands beside it.
_NAME = "length({0}) BETWEEN 3 AND 253 AND {0} NOT GLOB '*[^a-z0-9.-]*' AND instr({0}, '.') > 1"
_ADDRESS = (
    "length({0}) <= 318 AND {0} = lower({0}) AND {0} NOT GLOB '*[^!-~]*'"
    " AND instr({0}, '@') > 1 AND instr(substr({0}, instr({0}, '@') + 1), '@') = 0"
)
_OWN = "substr({0}, instr({0}, '@') + 1) = {1}"

_TABLES = (
    f"""CREATE TABLE domains (
        name TEXT NOT NULL PRIMARY KEY CHECK ({_NAME.format("name")})
    ) WITHOUT ROWID""",
    f"""CREATE TABLE mailboxes (
        address TEXT NOT NULL PRIMARY KEY CHECK ({_ADDRESS.format("address")}),
        domain TEXT NOT NULL REFERENCES domains (name),
        password TEXT NOT NULL CHECK (password LIKE '{{_%}}_%'),
        enabled BOOLEAN NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
        quota_mb INTEGER CHECK (quota_mb > 0),
        host TEXT NOT NULL DEFAULT '',
        CHECK ({_OWN.format("address", "domain")})
    ) WITHOUT ROWID""",
    f"""CREATE TABLE aliases (
        address TEXT NOT NULL CHECK ({_ADDRESS.format("address")}),
        target TEXT NOT NULL CHECK ({_ADDRESS.format("target")}),
        domain TEXT NOT NULL REFERENCES domains (name),
        PRIMARY KEY (address, target),
        CHECK ({_OWN.format("address", "domain")})
    ) WITHOUT ROWID""",
    f"""CREATE TABLE catchalls (
        domain TEXT NOT NULL REFERENCES domains (name),
        subdomains BOOLEAN NOT NULL CHECK (subdomains IN (0, 1)),
        mailbox TEXT NOT NULL REFERENCES mailboxes (address),
        PRIMARY KEY (domain, subdomains),
        CHECK (NOT subdomains OR {_OWN.format("mailbox", "domain")})
    ) WITHOUT ROWID""",
    """CREATE TABLE journal (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        who TEXT NOT NULL,
        title TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'done', 'partial', 'failed')),
        steps INTEGER NOT NULL CHECK (steps > 0),
        done INTEGER NOT NULL CHECK (done BETWEEN 0 AND steps),
        error TEXT,
        undoes INTEGER REFERENCES journal (id)
    )""",
    """CREATE TABLE journal_steps (
        entry INTEGER NOT NULL REFERENCES journal (id),
        position INTEGER NOT NULL,
        kind TEXT NOT NULL,
        place TEXT NOT NULL,
        key TEXT NOT NULL,
        before TEXT,
        after TEXT,
        hidden TEXT NOT NULL,
        PRIMARY KEY (entry, position),
        CHECK (before IS NOT NULL OR after IS NOT NULL)
    ) WITHOUT ROWID""",
)

_INDEXES = (
    "CREATE INDEX mailboxes_by_domain ON mailboxes (domain)",
    "CREATE INDEX aliases_by_domain ON aliases (domain)",
    "CREATE INDEX aliases_by_target ON aliases (target)",
    "CREATE INDEX catchalls_by_mailbox ON catchalls (mailbox)",
    "CREATE INDEX journal_steps_by_key ON journal_steps (place, key, entry)",
    # Nothing is undone twice; an undoing that did nothing does not count.
    "CREATE UNIQUE INDEX journal_undone_once ON journal (undoes) WHERE undoes IS NOT NULL AND done > 0",
)

_TRIGGERS = (
    # An address has one owner.
    """CREATE TRIGGER mailbox_is_no_alias BEFORE INSERT ON mailboxes
       WHEN EXISTS (SELECT 1 FROM aliases WHERE address = NEW.address)
       BEGIN SELECT RAISE(ABORT, 'the address is an alias'); END""",
    """CREATE TRIGGER alias_is_no_mailbox BEFORE INSERT ON aliases
       WHEN EXISTS (SELECT 1 FROM mailboxes WHERE address = NEW.address)
       BEGIN SELECT RAISE(ABORT, 'the address is a mailbox'); END""",
    # Aliases that two administrators add at the same moment must not lead in a circle.
    """CREATE TRIGGER alias_is_no_loop BEFORE INSERT ON aliases
       WHEN NEW.address IN (
           WITH RECURSIVE reached (address) AS (
               SELECT NEW.target
               UNION SELECT aliases.target FROM reached JOIN aliases ON aliases.address = reached.address)
           SELECT address FROM reached)
       BEGIN SELECT RAISE(ABORT, 'the alias leads back to itself'); END""",
    # An address is a key: it is removed and added, never renamed.
    """CREATE TRIGGER mailbox_keeps_its_address BEFORE UPDATE OF address, domain ON mailboxes
       WHEN NEW.address <> OLD.address OR NEW.domain <> OLD.domain
       BEGIN SELECT RAISE(ABORT, 'an address does not change'); END""",
    """CREATE TRIGGER alias_keeps_its_address BEFORE UPDATE ON aliases
       BEGIN SELECT RAISE(ABORT, 'an alias does not change'); END""",
)

# What Exim and Dovecot read; their names and columns stay when the tables change.
_VIEWS = (
    "CREATE VIEW exim_domains AS SELECT name AS domain FROM domains",
    "CREATE VIEW exim_mailboxes AS SELECT address, host FROM mailboxes WHERE enabled",
    """CREATE VIEW exim_aliases AS
       SELECT address, group_concat(target, ', ') AS targets FROM aliases GROUP BY address""",
    "CREATE VIEW exim_catchalls AS SELECT domain, mailbox FROM catchalls WHERE subdomains = 0",
    "CREATE VIEW exim_subdomain_catchalls AS SELECT domain, mailbox FROM catchalls WHERE subdomains = 1",
    "CREATE VIEW dovecot_users AS SELECT address, password, enabled, quota_mb FROM mailboxes",
)


def upgrade() -> None:
    for statement in (*_TABLES, *_INDEXES, *_TRIGGERS, *_VIEWS):
        op.execute(statement)
