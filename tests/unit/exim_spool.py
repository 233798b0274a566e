"""Writes spool files as Exim does, for the tests and the benchmark.

Written from the grammar in Exim's specification, apart from the reader under test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HEADERS = (
    (
        "P",
        b"Received: from slice1 by deferred1 with esmtp (Exim 4.96)\n\t(envelope-from <joe@app.example>)\n",
    ),
    (" ", b"Subject: wombat\n"),
    ("F", b"From: joe@app.example\n"),
)


@dataclass(frozen=True)
class RecipientLine:
    """A recipient with what may stand behind it: nothing, Exim 3's or 4's numbers, or DSN data."""

    address: bytes
    behind: bytes = b""

    @classmethod
    def with_dsn(cls, address: bytes, orcpt: bytes, errors_to: bytes, parent: int = -1) -> RecipientLine:
        data = b" %s %d,%d %s %d,%d#3" % (orcpt, len(orcpt), 3, errors_to, len(errors_to), parent)
        return cls(address, data)


@dataclass(frozen=True)
class Written:
    """All that a ``-H`` file says."""

    id: bytes = b"1rKDq4-000Ayz-2b"
    login: bytes = b"Debian-exim"
    uid: int = 100
    gid: int = 102
    sender: bytes = b"joe@app.example"
    received: int = 1_700_000_000
    options: Sequence[bytes] = (b"-received_time_usec .123456", b"-helo_name slice1", b"--host_name slice1")
    variables: Sequence[tuple[bytes, bytes, bytes]] = ()  # prefix such as b"--aclm", name, value
    delivered: Sequence[bytes] = ()
    recipients: Sequence[RecipientLine] = (RecipientLine(b"ann@busy.example"),)
    headers: Sequence[tuple[str, bytes]] = field(default=HEADERS)

    def header_file(self) -> bytes:
        parts = [
            b"%s-H\n%s %d %d\n" % (self.id, self.login, self.uid, self.gid),
            b"<%s>\n%d 0\n" % (self.sender, self.received),
            *(option + b"\n" for option in self.options),
            *(b"%s %s %d\n%s\n" % (what, name, len(value), value) for what, name, value in self.variables),
            _tree(sorted(set(self.delivered))) or b"XX\n",
            b"%d\n" % len(self.recipients),
            *(line.address + line.behind + b"\n" for line in self.recipients),
            b"\n",
            *(b"%03d%s %s" % (len(text), kind.encode(), text) for kind, text in self.headers),
        ]
        return b"".join(parts)

    def size(self, body: bytes) -> int:
        """The message's size as ``exim -bp`` shows it."""
        return sum(len(text) for kind, text in self.headers if kind != "*") + len(body) + 1

    def into(
        self, spool: Path, *, body: bytes = b"body\n", log: bytes | None = b"", sub: str = "", queue: str = ""
    ) -> None:
        """Put the message into a spool; ``sub`` is a split layout's letter."""
        name = self.id.decode()
        base = spool / queue
        for part in ("input", "msglog"):
            (base / part / sub).mkdir(parents=True, exist_ok=True)
        (base / "input" / sub / f"{name}-H").write_bytes(self.header_file())
        (base / "input" / sub / f"{name}-D").write_bytes(self.id + b"-D\n" + body)
        if log is not None:
            (base / "msglog" / sub / name).write_bytes(log)


def _tree(addresses: Sequence[bytes]) -> bytes:
    """A balanced tree in preorder: whether there is a left and a right branch, and the address."""
    if not addresses:
        return b""
    middle = len(addresses) // 2
    left, right = addresses[:middle], addresses[middle + 1 :]
    mark = (b"Y" if left else b"N") + (b"Y" if right else b"N")
    return mark + b" " + addresses[middle] + b"\n" + _tree(left) + _tree(right)


def message_id(number: int, *, long: bool = False) -> bytes:
    """An id that is different for each number."""
    return b"1rKDq4-%011d-%04d" % (number, number % 9999) if long else b"1rKDq4-%06d-2b" % number


def deferral(recipient: bytes, error: bytes) -> bytes:
    """A line of a message's log."""
    return b"2023-11-14 22:13:20 %s R=dnslookup T=remote_smtp defer %s\n" % (recipient, error)


REFUSED = b"(111): Connection refused"
GREYLISTED = (
    b"(-44) H=mx.busy.example [198.18.0.62]: SMTP error from remote mail server"
    b" after RCPT TO:<ann@busy.example>: 451 4.7.1 Greylisted, come back in 287 seconds"
)
NOT_YET = b"(-54): retry time not reached for any host for 'busy.example'"
