"""A line of an export or an import: a domain, a mailbox, an alias or a catchall, checked by itself.

Whatever format it came in, it is cells by name here, and leaves as a record in canonical form or as an
InvalidInput. A password may stand in any cell by mistake: only what looks like an address is ever shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eymail.directory import hashes, passwords
from eymail.errors import InvalidInput
from eymail.model import Address, Cell, parse_domain, quoted
from eymail.ops.mailbox.settings import MOST_MB
from eymail.toml_table import nearest

if TYPE_CHECKING:
    from eymail.plan import Row

KINDS = ("domain", "mailbox", "alias", "catchall")
COLUMNS = ("kind", "address", "password", "enabled", "quota_mb", "host", "target")
_TAKES = {
    "domain": {"kind", "address"},
    "mailbox": {"kind", "address", "password", "enabled", "quota_mb", "host"},
    "alias": {"kind", "address", "target"},
    "catchall": {"kind", "address", "target"},
}
_TRUTH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_BARE_DIGEST = re.compile(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{128}")


@dataclass(frozen=True)
class Record:
    """What one line says, in canonical form.

    ``address`` is a domain's name, an address, or what a catchall takes: ``*@example.com``, or
    ``*@*.example.com``. ``password`` is a hash with its scheme, ``plain`` a password to be hashed;
    at most one is set. A mailbox's other fields are in ``settings`` by their column, where the line
    has them: what it doesn't say stays as it is.
    """

    line: int
    kind: str
    address: str
    target: str = ""
    password: str | None = field(default=None, repr=False)
    plain: str | None = field(default=None, repr=False)
    settings: Mapping[str, Cell] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        """The domain that it belongs to."""
        return self.address.rpartition("@")[2].removeprefix("*.")

    @property
    def key(self) -> tuple[str, str, str]:
        """What may stand in a file once."""
        return self.kind, self.address, self.target if self.kind == "alias" else ""


def exported(place: str, row: Row) -> dict[str, Cell]:
    """The cells of a directory's row, without those that its kind doesn't have."""
    if place == "domain":
        return {"kind": place, "address": row["name"]}
    if place == "mailbox":
        return {"kind": place, **{name: row[name] for name in COLUMNS[1:-1]}}
    if place == "alias":
        return {"kind": place, "address": row["address"], "target": row["target"]}
    taken = f"*@{'*.' if row['subdomains'] else ''}{row['domain']}"
    return {"kind": place, "address": taken, "target": row["mailbox"]}


def record(line: int, cells: Mapping[str, Cell]) -> Record:
    """The record of a line's cells; an empty text is a cell that is not there. Raises InvalidInput."""
    kind = _text(cells, "kind") or "mailbox"
    if kind not in KINDS:
        raise InvalidInput("the kind is none that is known", f"one of {', '.join(KINDS)}")
    strange = [name for name, cell in cells.items() if cell not in (None, "") and name not in _TAKES[kind]]
    if strange:
        told = f"{'an' if kind == 'alias' else 'a'} {kind} has no {quoted(strange[0])}"
        raise InvalidInput(told, nearest(strange[0], _TAKES[kind]))
    address = _text(cells, "address")
    if not address or (kind != "domain" and "@" not in address):
        raise InvalidInput("there is no address", "an address looks like incoming@example.com")
    make = {"domain": _domain, "mailbox": _mailbox, "alias": _alias, "catchall": _catchall}[kind]
    return make(line, address, cells)


def _domain(line: int, address: str, cells: Mapping[str, Cell]) -> Record:
    return Record(line, "domain", parse_domain(address))


def _mailbox(line: int, address: str, cells: Mapping[str, Cell]) -> Record:
    name = str(Address.parse_name(address))
    stored, plain = _password(_text(cells, "password"))
    settings: dict[str, Cell] = {}
    if cells.get("enabled") not in (None, ""):
        settings["enabled"] = _enabled(cells["enabled"])
    if "quota_mb" in cells:
        settings["quota_mb"] = _quota(cells["quota_mb"])
    host = _text(cells, "host")
    if host:
        if not _HOST.fullmatch(host):
            raise InvalidInput(
                "the host is none that can be", "a host's short name, as in eymail cluster list"
            )
        settings["host"] = host
    return Record(line, "mailbox", name, password=stored, plain=plain, settings=settings)


def _alias(line: int, address: str, cells: Mapping[str, Cell]) -> Record:
    name, target = (str(Address.parse_name(one)) for one in (address, _target(cells)))
    if name == target:
        raise InvalidInput(f"the alias {name} leads to itself", "leave it out, or name another target")
    return Record(line, "alias", name, target)


def _catchall(line: int, address: str, cells: Mapping[str, Cell]) -> Record:
    if not address.startswith("*@"):
        raise InvalidInput(f"{quoted(address)} is no catchall", "write *@example.com, or *@*.example.com")
    below = address.startswith("*@*.")
    domain = parse_domain(address[4 if below else 2 :])
    target = Address.parse(_target(cells))
    if below and target.domain != domain:
        raise InvalidInput(
            f"{target} is not a mailbox of {domain}", "subdomains are caught in their own domain"
        )
    return Record(line, "catchall", f"*@{'*.' if below else ''}{domain}", str(target))


def _target(cells: Mapping[str, Cell]) -> str:
    target = _text(cells, "target")
    if not target:
        raise InvalidInput("there is no target", "the address that it leads to")
    return target


def _text(cells: Mapping[str, Cell], name: str) -> str:
    cell = cells.get(name)
    if cell is None or isinstance(cell, str):
        return cell or ""
    raise InvalidInput(f"{name} is no text", "write it in quotation marks")


def _password(text: str) -> tuple[str | None, str | None]:
    """The hash or the password that a cell holds."""
    if not text:
        return None, None
    plain = hashes.plain(text)
    if plain is None and not hashes.looks_like_one(text):
        if _BARE_DIGEST.fullmatch(text):
            told = "the password looks like a hash whose scheme is not told"
            raise InvalidInput(told, "if it is a password, write {PLAIN} before it")
        plain = text
    if plain is not None:
        return None, passwords.check(plain)
    stored = hashes.canonical(text)
    wrong = hashes.problem(stored)
    if wrong:
        raise InvalidInput(wrong, "if it is a password, write {PLAIN} before it; or let eymail make one")
    return stored, None


def _enabled(cell: Cell) -> bool:
    if isinstance(cell, bool):
        return cell
    found = _TRUTH.get(cell.lower()) if isinstance(cell, str) else None
    if found is None:
        raise InvalidInput("enabled is neither yes nor no", "an empty cell leaves it as it is")
    return found


def _quota(cell: Cell) -> int | None:
    if cell is None or (isinstance(cell, str) and cell.lower() in ("", "none")):
        return None
    digits = isinstance(cell, str) and cell.isascii() and cell.isdigit() and len(cell) < 12
    number = int(cell) if digits or (isinstance(cell, int) and not isinstance(cell, bool)) else 0
    if not 0 < number <= MOST_MB:
        raise InvalidInput("quota_mb is no number of megabytes", "a whole one; none for no limit")
    return number
