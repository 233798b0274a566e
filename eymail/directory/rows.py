"""Steps from rows: what identifies a row of each place, and which of its fields are never shown."""

from __future__ import annotations

from eymail.plan import Row, Step

KIND = "directory"
_HIDDEN = {"mailbox": ("password",)}


def key_of(place: str, row: Row) -> str:
    """What a row is called in plans, messages and the journal."""
    if place == "domain":
        return str(row["name"])
    if place == "alias":
        return f"{row['address']} to {row['target']}"
    if place == "catchall":
        return f"*.{row['domain']}" if row["subdomains"] else str(row["domain"])
    if place == "source":
        return str(row["sender_domain"])
    if place == "source_inside":
        return f"{row['inside']} on {row['host']}"
    return str(row["address"])


def step(place: str, before: Row | None, after: Row | None) -> Step:
    """The step from one row to another; None is no row."""
    row = after if before is None else before
    assert row is not None
    return Step(KIND, place, key_of(place, row), before, after, _HIDDEN.get(place, ()))
