"""The folders that mail lies in on a mail host: how much it is, and their removal.

Dovecot keeps a mailbox's mail in ``/var/vmail/DOMAIN/NAME/Maildir`` (cluster/templates/dovecot.conf.j2).
Both questions are programs that run on the host, which needs its python3 and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eymail.errors import HostError, InDoubt, InvalidInput, Refused, StalePlan
from eymail.model import quoted
from eymail.plan import Row, Step

if TYPE_CHECKING:
    from eymail.hosts import Host

KIND = "mail"
ROOT = "/var/vmail"
_TIMEOUT = 600.0

# A message is a file in cur or new of a folder; a folder that goes away meanwhile holds none.
_COUNT = """\
import json, os, stat, sys
def count(folder):
    messages = size = 0
    for place, folders, files in os.walk(folder):
        if os.path.basename(place) in ("cur", "new"):
            for name in files:
                try:
                    found = os.lstat(os.path.join(place, name))
                except FileNotFoundError:
                    continue
                messages += stat.S_ISREG(found.st_mode)
                size += found.st_size
    return [os.path.isdir(folder), messages, size]
"""
_TELL = _COUNT + "json.dump([count(folder) for folder in json.load(sys.stdin)], sys.stdout)\n"

# What is left of an interrupted removal is counted as any mail, and goes with the next one.
_REMOVE = (
    _COUNT
    + """\
import shutil
folder, messages = json.load(sys.stdin)
if os.path.islink(folder):
    sys.exit(folder + " is a symbolic link")
found = count(folder)
if found[0] and found[1] == messages:
    shutil.rmtree(folder)
    found = count(folder)
json.dump(found, sys.stdout)
"""
)


@dataclass(frozen=True)
class Stored:
    """Mail in a folder: whether there is one, how many messages, and their bytes."""

    there: bool
    messages: int
    bytes: int

    def told(self) -> str:
        """In words."""
        size = f"{self.bytes / 1e6:.1f} MB" if self.bytes >= 100_000 else f"{self.bytes} bytes"
        return f"{self.messages} {'message' if self.messages == 1 else 'messages'}, {size}"


def folder_of(domain: str, local: str = "") -> str:
    """The folder of a domain, or of one of its mailboxes; both parts in canonical form."""
    parts = (domain, local) if local else (domain,)
    if any("/" in part or "\0" in part or part in ("", ".", "..") for part in parts):
        raise InvalidInput(f"{quoted('/'.join(parts))} cannot be a mail folder")
    return "/".join((ROOT, *parts))


def count(host: Host, *folders: str) -> tuple[Stored, ...]:
    """How much mail lies in each folder. Raises HostError."""
    done = host.run(["python3", "-I", "-c", _TELL], input=json.dumps(folders).encode(), timeout=_TIMEOUT)
    found = _read(host, done.stdout)
    return tuple(_stored(host, one) for one in found)


def _read(host: Host, output: bytes) -> list[Any]:
    try:
        found = json.loads(output)
    except ValueError as error:
        raise _nonsense(host) from error
    if not isinstance(found, list):
        raise _nonsense(host)
    return found


def _stored(host: Host, found: object) -> Stored:
    if not (isinstance(found, list) and len(found) == 3 and all(isinstance(one, int) for one in found)):
        raise _nonsense(host)
    return Stored(bool(found[0]), found[1], found[2])


def _nonsense(host: Host) -> HostError:
    told = f"{host.name}: what it says of mail folders makes no sense"
    return HostError(told, "does its shell print something at login?")


def removal(host: str, domain: str, stored: Stored) -> Step:
    """The step that deletes all mail of a domain on a host, for good."""
    folder_of(domain)
    return Step(KIND, host, domain, {"messages": stored.messages, "bytes": stored.bytes}, None)


class MailExecutor:
    """``plan.Executor`` for steps of kind ``mail``, which delete a domain's folders and know no way back."""

    beside_journal = False

    def __init__(self, hosts: Callable[[str], Host]) -> None:
        self._hosts = hosts

    def apply(self, steps: tuple[Step, ...], entry: int) -> None:
        for step in steps:
            request = json.dumps([folder_of(step.key), _before(step)["messages"]]).encode()
            host = self._hosts(step.place)
            host.run(["true"])  # after this, an error leaves doubt
            try:
                done = host.run(["python3", "-I", "-c", _REMOVE], input=request, timeout=_TIMEOUT)
                left = _stored(host, _read(host, done.stdout))
            except HostError as error:
                told = f"whether mail of {step.key} was deleted is not known: {error.message}"
                raise InDoubt(
                    told, "what is left is shown, and deleted, by the same command again"
                ) from error
            _require_same(left, 0, step)

    def prove(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            before = _before(step)
            (found,) = count(self._hosts(step.place), folder_of(step.key))
            _require_same(found, int(before["messages"] or 0), step)


def _before(step: Step) -> Row:
    if step.before is None:
        told = f"mail of {step.key} was deleted on {step.place}, and cannot be brought back"
        raise Refused(told, "restore it from a backup, if there is one; nothing was changed")
    return step.before


def _require_same(found: Stored, messages: int, step: Step) -> None:
    if found.messages != messages:
        told = f"mail of {step.key} on {step.place} is no longer as it was: {found.told()}"
        raise StalePlan(told, "none of it was deleted; plan again")
