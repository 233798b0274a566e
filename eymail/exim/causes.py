"""Why a message is still here: its last error, as Exim wrote it down.

The message's own log tells it, unless it says only "retry time not reached": then the
real cause is in the retry database, under the recipient, its domain, or the host that
the domain's mail goes to.
Runs on the mail hosts, with their own python3 (3.9 or newer) and nothing else.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence

# A local part may be quoted and hold anything; parents stand in <> behind the address.
_ADDRESS = rb'(?:"(?:[^"\\\n]|\\.)*"@[^\s>:]+|[^\s"<>]+)'
_STAMP = rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [-+]\d{4})? "
_DEFERRED = re.compile(
    rb"(?:" + _STAMP + rb")?(" + _ADDRESS + rb")((?: <" + _ADDRESS + rb">)*)"
    rb"(?: [A-Za-z]+=\S+)* (?:routing |delivery )?defer \(-?\d+\):? ?(.*)",
    re.DOTALL,
)
_FAILED = re.compile(
    rb"(?:" + _STAMP + rb")?(?:routing|\S+ transport|delivery) failed for (.+?): (.*)",
    re.DOTALL,
)
_FUSED = re.compile(rb"(?<=.)" + _STAMP + rb"(?=" + _ADDRESS + rb"[^\n]{0,200} defer \(-?\d+\))")
_LAST_PARENT = re.compile(rb"<(" + _ADDRESS + rb")>\Z")
_RETRY_ENTRY = re.compile(rb"^  ([TR]:.*?) (-?\d+) (-?\d+) (.*)$", re.MULTILINE)
_ROUTED_HOST = re.compile(rb"^ +host (\S+) +\[([0-9A-Fa-f.:]+)\]", re.MULTILINE)
_SAFE_ADDRESS = re.compile(rb"[A-Za-z0-9_+][A-Za-z0-9_.+-]*@[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z]+\Z")
# A host named by its address stands in brackets since 4.98.
_HOST_KEY = re.compile(rb"T:(\[[^\]]+\]|[^:@]+):")
_MESSAGE_ID = re.compile(rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}\Z")
_HIDING = b"retry time not reached"
_HIDDEN_DOMAIN = re.compile(rb"retry time not reached for any host for '([^']+)'")
_UNKNOWN_HOSTS_ASKED = 20


NO_ERROR = (b"", b"", b"")


def last_errors(log: bytes) -> dict[bytes, tuple[bytes, bytes, bytes]]:
    """By recipient: the last error, the last that names a real cause, and the address that had it.

    The latter two are empty if there is none. An alias's error counts for the recipient
    that stands in the message.
    """
    errors: dict[bytes, tuple[bytes, bytes, bytes]] = {}
    for line in log.split(b"\n"):
        for recipient, address, text in _records(line):
            real = errors.get(recipient, NO_ERROR)[1:] if is_hiding(text) else (text, address)
            errors[recipient] = (text, *real)
    return errors


def _records(line: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """The errors in one line: it may hold two records fused, or one without its stamp.

    Each as the recipient in the message, the address tried, and the text.
    """
    deferrals = line.count(b" defer (")
    parts: list[bytes] = [line] if deferrals < 2 else _FUSED.split(line)
    for part in parts if deferrals else ():
        found = _DEFERRED.match(part)
        if found:
            address, parents, text = found.groups()
            parent = _LAST_PARENT.search(parents) if parents else None
            yield (parent[1] if parent else address), address, text
    failed = None if deferrals else _FAILED.match(line)
    if failed:
        yield failed[1], failed[1], failed[2]


def is_hiding(error: bytes) -> bool:
    """Whether the error says only that it is not yet time to try again."""
    return _HIDING in error


def hidden_domain(error: bytes, recipient: bytes) -> bytes:
    """The domain whose hosts are not yet tried again; an alias's, when it led elsewhere."""
    named = _HIDDEN_DOMAIN.search(error)
    return (named[1] if named else recipient.rpartition(b"@")[2]).lower()


class RetryDatabase:
    """What Exim remembers of past failures: by key, the error's text (150 bytes at most)."""

    def __init__(self, errors: dict[bytes, bytes]) -> None:
        self._errors = errors
        self._by_host: dict[bytes, bytes] = {}
        self._by_message: dict[bytes, bytes] = {}
        for key, text in errors.items():
            host = _HOST_KEY.match(key)
            message_id = key.rpartition(b":")[2]
            if host and _MESSAGE_ID.match(message_id):
                self._by_message[message_id] = text
            elif host:
                self._by_host[host[1].strip(b"[]").lower()] = text

    @classmethod
    def parse(cls, dump: bytes) -> RetryDatabase:
        """From what ``exim_dumpdb SPOOL retry`` prints."""
        return cls({entry[1]: entry[4] for entry in _RETRY_ENTRY.finditer(dump)})

    def of_message(self, recipient: bytes, sender: bytes, message_id: bytes) -> bytes:
        """The error kept for this recipient of this message; empty if there is none."""
        domain = recipient.rpartition(b"@")[2].lower()
        keys = (
            b"R:%s:<%s>" % (recipient, sender),
            b"R:%s" % recipient,
            b"R:%s" % domain,
            b"T:%s" % recipient,
            b"T:%s:<%s>" % (recipient, sender),
        )
        found = (self._errors[key] for key in keys if key in self._errors)
        return next(found, b"") or self._by_message.get(message_id, b"")

    def of_hosts(self, hosts: Iterable[bytes]) -> bytes:
        """The error kept for one of these hosts; empty if there is none."""
        found = (self._by_host[host.lower()] for host in hosts if host.lower() in self._by_host)
        return next(found, b"")


def read_retry_database(spool: str, commands: Sequence[str] = ("exim_dumpdb",)) -> RetryDatabase | None:
    """The retry database of a spool; None when it cannot be read here."""
    for command in commands:
        dump = _output([command, spool, "retry"], 20)
        if dump is not None:
            return RetryDatabase.parse(dump)
    return None


def routed_hosts(exim: str, recipients: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    """By domain: the hosts that Exim would send to, asked of a few recipients at once.

    Only addresses without anything special in them are asked about.
    """
    asked = [address for address in recipients if _SAFE_ADDRESS.match(address)][:_UNKNOWN_HOSTS_ASKED]
    hosts: dict[bytes, list[bytes]] = {}
    if not asked:
        return hosts
    answer = _output([exim, "-bt", *(address.decode("ascii") for address in asked)], 10) or b""
    domain = b""
    for line in answer.split(b"\n"):
        host = _ROUTED_HOST.match(line)
        if host:
            hosts.setdefault(domain, []).append(host[1])
        elif not line.startswith(b" "):
            domain = line.split(b" ")[0].rpartition(b"@")[2].lower()
    return hosts


def _output(argv: list[str], seconds: float) -> bytes | None:
    """What a program prints; None when it is missing, too slow, or prints nothing and fails."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 or done.stdout else None
