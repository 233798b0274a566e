"""One message as Exim keeps it: the grammar of a ``-H`` file, read by position and length.

A line of a value may look like anything (a blank line, ``XX``, an option), so nothing
here searches for a mark: every part is skipped by the length that stands before it.
Runs on the mail hosts, with their own python3 (3.9 or newer) and nothing else.
Source: Exim's spool_in.c, and "Format of spool files" in its specification.
"""

from __future__ import annotations

import re

MOST_RECIPIENTS = 16384
_NUMBERED_LINE = re.compile(rb"([^\0\n]*) -?\d+ -?\d+[ \t\r]*\n")
_SENDER_LINE = re.compile(rb"<([^\0\n]*)>\n")
_TIME_LINE = re.compile(rb"[ \t]*(-?\d+)[ \t]+-?\d+[^\n]*\n")
_PLAIN_OPTIONS = re.compile(rb"(?:-(?!-?(?:\([^)\n]*\))?acl[cm]? )[^\n]*\n)+")
_ACL_OPTION = re.compile(rb"--?(?:\([^)\n]*\))?acl([cm]?) (\S+) (\d+)[^\n]*\n")
_FROZEN = re.compile(rb"^-frozen", re.MULTILINE)
_WIRE_FORMAT = re.compile(rb"^-spool_file_wireformat", re.MULTILINE)
_TREE_LINE = re.compile(rb"([YN])([YN]) ([^\0\n]*)\n")
_COUNT_LINE = re.compile(rb"[ \t]*([-+]?\d+)[^\n]*\n")
_HEADER_START = re.compile(rb"(\d{1,18})([^\0])[ \t\n\v\f\r]*", re.DOTALL)

_LENGTH_AND_NUMBER = re.compile(rb"(-?\d+),-?\d+\Z")
_FLAGS = re.compile(rb"#(\d+)\Z")
_NUMBERS = re.compile(rb" \d+(?:,[\d,]*)?\Z")


class Malformed(ValueError):
    """A file is no ``-H`` file, or not a whole one."""


class Envelope:
    """What a ``-H`` file says of its message.

    ``received`` is in seconds since 1970. ``delivered`` holds the addresses already
    dealt with. ``variables`` are the message's ACL variables, ``acl_m`` left out of
    the name. ``header_size`` is in bytes, without headers that are not sent.
    """

    __slots__ = (
        "delivered",
        "frozen",
        "header_size",
        "received",
        "recipients",
        "sender",
        "variables",
        "wire",
    )

    def __init__(self) -> None:
        self.sender = b""
        self.received = 0
        self.frozen = False
        self.wire = False
        self.variables: dict[bytes, bytes] = {}
        self.delivered: set[bytes] = set()
        self.recipients: list[bytes] = []
        self.header_size = 0


def parse(data: bytes, name: bytes) -> Envelope:
    """The envelope in the file ``name`` (with its ``-H``). Raises Malformed, nothing else."""
    if not data.startswith(name + b"\n"):
        raise Malformed("the first line is not the file's name")
    envelope = Envelope()
    at = _fixed_lines(data, len(name) + 1, envelope)
    at = _options(data, at, envelope)
    at = _tree(data, at, envelope.delivered)
    at = _recipients(data, at, envelope.recipients)
    if data[at : at + 1] != b"\n":
        raise Malformed("no blank line after the recipients")
    envelope.header_size = _headers(data, at + 1)
    return envelope


def _match(pattern: re.Pattern[bytes], data: bytes, at: int, what: str) -> re.Match[bytes]:
    found = pattern.match(data, at)
    if found is None:
        raise Malformed(what)
    return found


def _number(text: bytes, what: str) -> int:
    if len(text) > 18:
        raise Malformed(what)
    return int(text)


def _fixed_lines(data: bytes, at: int, envelope: Envelope) -> int:
    at = _match(_NUMBERED_LINE, data, at, "no login, uid and gid").end()
    sender = _match(_SENDER_LINE, data, at, "no sender")
    time = _match(_TIME_LINE, data, sender.end(), "no time of reception")
    envelope.sender = sender[1]
    envelope.received = _number(time[1], "no time of reception")
    return time.end()


def _options(data: bytes, at: int, envelope: Envelope) -> int:
    """Skip ``-x``, ``--x`` (tainted) and ``--(lookup)x``; ACL variables by their length."""
    while data[at : at + 1] == b"-":
        plain = _PLAIN_OPTIONS.match(data, at)
        if plain:
            lines = plain[0]
            envelope.frozen = envelope.frozen or _FROZEN.search(lines) is not None
            envelope.wire = envelope.wire or _WIRE_FORMAT.search(lines) is not None
            at = plain.end()
        else:
            at = _acl_variable(data, at, envelope.variables)
    return at


def _acl_variable(data: bytes, at: int, variables: dict[bytes, bytes]) -> int:
    option = _match(_ACL_OPTION, data, at, "an option without its line's end")
    end = option.end() + _number(option[3], "the length of an ACL variable")
    if end >= len(data):
        raise Malformed("an ACL variable ends with the file")
    if option[1] == b"m":
        variables[option[2]] = data[option.end() : end]
    return end + 1


def _tree(data: bytes, at: int, delivered: set[bytes]) -> int:
    """The tree of addresses dealt with, in preorder; ``XX`` when there is none."""
    if data.startswith(b"XX\n", at):
        return at + 3
    need = 1
    while need:
        node = _match(_TREE_LINE, data, at, "the tree of addresses dealt with")
        need += (node[1] == b"Y") + (node[2] == b"Y") - 1
        delivered.add(node[3])
        at = node.end()
    return at


def _recipients(data: bytes, at: int, recipients: list[bytes]) -> int:
    count_line = _match(_COUNT_LINE, data, at, "no count of recipients")
    count = _number(count_line[1], "no count of recipients")
    if count > MOST_RECIPIENTS:
        raise Malformed("too many recipients to be true")
    at = count_line.end()
    for _ in range(count):
        end = data.find(b"\n", at)
        if end <= at:
            raise Malformed("fewer recipients than counted")
        recipients.append(recipient(data[at:end]))
        at = end + 1
    return at


def recipient(line: bytes) -> bytes:
    """The address in a recipient's line, read from the right by lengths.

    What follows the address, in the order of Exim's versions: nothing;
    ``n,n,n``; ``n``; ``orcpt len,dsn errors_to len,pno#flags``, where bit 1 of the
    flags is for errors_to and bit 2 for orcpt. Raises Malformed.
    """
    if not line[-1:].isdigit():
        return line
    flags = _FLAGS.search(line)
    if flags is None:
        old = _NUMBERS.search(line)
        return line[: old.start()] if old else line
    bits = _number(flags[1], "a recipient's flags")
    rest = line[: flags.start()]
    for bit in (1, 2):
        rest = _without_field(rest) if bits & bit else rest
    return rest


def _without_field(rest: bytes) -> bytes:
    field = _LENGTH_AND_NUMBER.search(rest)
    length = _number(field[1], "a recipient's length") if field else 0
    end = field.start() - 1 - max(length, 0) - 1 if field else 0
    if end <= 0:
        raise Malformed("a recipient's length")
    return rest[:end]


def _headers(data: bytes, at: int) -> int:
    """The size of the headers that are sent; type ``*`` marks one that is not."""
    if data.find(b"\0", at) >= 0:
        raise Malformed("NUL among the headers")
    size = 0
    end = len(data)
    match = _HEADER_START.match
    while at < end:
        start = match(data, at)
        if start is None:
            raise Malformed("junk after the headers")
        digits, kind = start.groups()
        length = int(digits)
        at = start.end() + length
        if kind != b"*":
            size += length
    if at != end:
        raise Malformed("a header ends with the file")
    return size
