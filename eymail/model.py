"""The values everything else speaks in: domains, addresses, results and views.

Text from outside becomes one of these, or an ``InvalidInput``, before it gets
any further. Nothing here holds a connection or imports anything heavy.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from eymail.errors import EymailError, InvalidInput

Cell = str | int | float | bool | None

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# Without the slash of RFC 5322 section 3.2.3: a mailbox is a directory of that name.
_DOT_ATOM = re.compile(r"[a-z0-9!#$%&'*+=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+=?^_`{|}~-]+)*")
_SHOWN_OF_BAD_INPUT = 60
# Local parts that are legal, and not what they seem to be to shells, to Exim's lists, or to people.
_STUMBLES = (
    (re.compile(r"^-"), "what begins with '-' is an option to programs"),
    (re.compile(r"\*"), "'*' stands for any address; for those there is eymail catchall"),
    (re.compile(r"[$`]"), "'$' and '`' make it a variable or a command to shells and to Exim"),
    (re.compile(r"^[|#]"), "what begins with '|' or '#' is a command or a comment to Exim"),
)


def quoted(text: str) -> str:
    """Text from outside, shortened and quoted for a message to a person."""
    short = text if len(text) <= _SHOWN_OF_BAD_INPUT else text[:_SHOWN_OF_BAD_INPUT] + "…"
    return repr(short)


def parse_domain(text: str, *, service_labels: bool = False) -> str:
    """The domain in its canonical form: A-labels, lower case, no trailing dot.

    ``service_labels`` admits labels with underscores, such as ``_spf`` (RFC 8552).
    Raises InvalidInput. Sources: RFC 1035 section 2.3.4, RFC 5890 section 2.3.1.
    """
    name = _to_ascii(text.removesuffix("."), text).lower()
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or not all(_LABEL.fullmatch(part) for part in labels):
        raise _bad_domain(text)
    if labels[-1].isdigit():  # no top-level domain is (RFC 3696 section 2)
        raise _bad_domain(text, "that is more like an IP address; ")
    if not service_labels and "_" in name:
        raise _bad_domain(text)
    return name


def _to_ascii(name: str, text: str) -> str:
    if name.isascii():
        return name
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise _bad_domain(text) from error


def _bad_domain(text: str, why: str = "") -> InvalidInput:
    return InvalidInput(
        f"{quoted(text)} is not a domain name",
        f"{why}a domain looks like example.com or app.example.com",
    )


@dataclass(frozen=True, order=True)
class Address:
    """A mail address in canonical form; both parts in lower case.

    Exim lower-cases the local part before it looks a mailbox up, so two
    addresses that differ in case only are one address here as well.
    """

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """An address from text. Raises InvalidInput. Source: RFC 5321 section 4.1.2."""
        local, at, domain = text.rpartition("@")
        local = local.lower()
        if not at or len(local) > 64 or not _DOT_ATOM.fullmatch(local):
            raise InvalidInput(
                f"{quoted(text)} is not a mail address",
                "an address looks like incoming@example.com",
            )
        return cls(local, parse_domain(domain))

    @classmethod
    def parse_name(cls, text: str) -> Address:
        """An address that a mailbox or an alias may be given, or an alias lead to. Raises InvalidInput.

        The mail host receives others as well, for a catchall; but at these, programs stumble.
        """
        address = cls.parse(text)
        for found, why in _STUMBLES:
            if found.search(address.local):
                told = f"{quoted(text)} cannot name a mailbox or an alias: {why}"
                raise InvalidInput(told, "a catchall takes mail to such an address all the same")
        return address

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


@dataclass(frozen=True)
class Failure:
    """What could not be done or asked, inside a result that has more to tell."""

    code: str
    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: EymailError) -> Failure:
        return cls(error.code, error.message, error.hint)


@dataclass(frozen=True)
class Twig:
    """A branch of a tree for people: a line, its state (ok, error, not checked, ...), what hangs on it."""

    label: str
    state: str = ""
    twigs: tuple[Twig, ...] = ()


@dataclass(frozen=True)
class View:
    """A result laid out for people and pipes: one table, and a tree where it is one.

    ``rows`` hold one cell a column. ``status_column`` names the column whose
    words (ok, failed, not checked, ...) decide a row's colour. ``notes`` are said
    beside the table (on stderr in plain output), never in it. ``plain`` are the rows
    for a pipe where they are not those of the table. ``tree`` stands above the table,
    ``footer`` below it, in lines that are never broken, to be copied.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    status_column: str = ""
    notes: tuple[str, ...] = ()
    plain: tuple[tuple[Cell, ...], ...] | None = None
    tree: Twig | None = None
    footer: tuple[str, ...] = ()


class Result(ABC):
    """What an operation gives. Each one is a frozen dataclass.

    Its fields are its JSON (fields with metadata ``{"json": False}`` are left out),
    its ``view`` is its table and its plain lines.
    """

    @abstractmethod
    def view(self) -> View:
        """The same facts as a table."""

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What is missing from this result, and why; then its status is partial."""
        return ()

    @property
    def exit_code(self) -> int:
        """The process's exit code when this result was obtained."""
        return 1 if self.failures else 0
