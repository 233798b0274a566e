"""What is stuck, where and why: the queues of all of a cluster's Exim hosts as one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from eymail.config import Cluster, HostEntry, Role
from eymail.errors import EymailError, InvalidInput
from eymail.exim import remote
from eymail.model import Failure, Result, View, quoted
from eymail.ops.side_by_side import on_each

if TYPE_CHECKING:
    from eymail.env import Env
    from eymail.exim.tally import Line

EXIM_ROLES = (Role.RELAY, Role.DEFERRED, Role.MAIL)
DEADLINE = 30.0
HERE = "here"
_ID = re.compile(r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:\d{1,9}[smhdw])+")
_NAMED_MALFORMED = 5


@dataclass(frozen=True)
class Filters:
    """Which messages are meant. Several values of one: any of them; several filters: all of them.

    ``recipients``, ``senders`` and ``domains`` are shell patterns without regard to case, the
    sender ``<>`` is that of bounces; ``reasons`` are parts of a reason; ages are in seconds.
    """

    recipients: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    older: int | None = None
    younger: int | None = None
    frozen: bool = False

    def __post_init__(self) -> None:
        for one in self.ids:
            if not _ID.fullmatch(one):
                raise InvalidInput(f"{quoted(one)} is not a queue id", "an id looks like 1rKDq4-000Ayz-2b")

    def request(self) -> dict[str, Any]:
        """As the scanner takes them."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()
        }


@dataclass(frozen=True)
class Where:
    """Which queues are meant: all of the cluster's, those of some ``hosts``, or a ``spool`` here.

    ``deadline`` is in seconds, for all hosts together.
    """

    hosts: tuple[str, ...] = ()
    spool: str = ""
    deadline: float = DEADLINE


@dataclass(frozen=True)
class HostQueue:
    """One host's queue in numbers, as far as the filters let it through.

    ``size`` in bytes; ``oldest`` is the oldest message's age in seconds, None when there
    is none. ``malformed`` names files that make no sense. ``retry_database`` is false when
    it was needed for a cause and could not be read.
    """

    host: str
    messages: int
    recipients: int
    frozen: int
    size: int
    oldest: int | None
    malformed: tuple[str, ...]
    retry_database: bool


@dataclass(frozen=True)
class Group:
    """The messages on a host that wait for one domain for one reason; ages in seconds, size in bytes.

    A message that waits for several domains or reasons is in several groups.
    """

    host: str
    domain: str
    reason: str
    messages: int
    recipients: int
    oldest: int
    size: int
    frozen: int


@dataclass(frozen=True)
class Recipient:
    """A recipient still to be served, the reason in a few words, and the error as Exim logged it."""

    address: str
    reason: str
    error: str


@dataclass(frozen=True)
class Message:
    """A message in a queue; age in seconds, size in bytes. ``queue`` is empty but for named queues."""

    id: str
    host: str
    queue: str
    age: int
    size: int
    sender: str
    recipients: tuple[Recipient, ...]
    frozen: bool


@dataclass(frozen=True)
class QueueSummary(Result):
    """What waits for which domain and why, the most first."""

    groups: tuple[Group, ...]
    hosts: tuple[HostQueue, ...]
    missing: tuple[Failure, ...] = field(default=(), metadata={"json": False})

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.missing

    def view(self) -> View:
        columns = ("host", "domain", "reason", "messages", "recipients", "oldest", "bytes", "frozen")
        rows = tuple(
            (
                one.host,
                one.domain,
                one.reason,
                one.messages,
                one.recipients,
                span(one.oldest),
                one.size,
                one.frozen,
            )
            for one in self.groups
        )
        return View(columns, rows, _title(self.hosts), notes=_notes(self.hosts))


@dataclass(frozen=True)
class QueueList(Result):
    """Every message, the oldest first."""

    messages: tuple[Message, ...]
    hosts: tuple[HostQueue, ...]
    missing: tuple[Failure, ...] = field(default=(), metadata={"json": False})

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.missing

    def view(self) -> View:
        columns = ("id", "host", "age", "bytes", "sender", "recipients", "frozen", "reason")
        rows = tuple(
            (
                one.id,
                one.host,
                span(one.age),
                one.size,
                f"<{one.sender}>",
                _addresses(one),
                one.frozen,
                _reasons(one),
            )
            for one in self.messages
        )
        return View(columns, rows, _title(self.hosts), notes=_notes(self.hosts))


def summary(env: Env, where: Where, filters: Filters) -> QueueSummary:
    """What is stuck, by recipient domain and reason. Raises NotFound, InvalidInput, HostError."""
    answers, missing = _scan(env, where, filters, sums=True)
    groups = [_group(host, line, lines[-1]["now"]) for host, lines in answers for line in lines[:-1]]
    groups.sort(key=lambda one: (-one.messages, -one.oldest, one.host, one.domain, one.reason))
    return QueueSummary(tuple(groups), _queues(answers), missing)


def messages(env: Env, where: Where, filters: Filters) -> QueueList:
    """The messages themselves. Raises NotFound, InvalidInput, HostError."""
    answers, missing = _scan(env, where, filters, sums=False)
    found = [_message(host, line, lines[-1]["now"]) for host, lines in answers for line in lines[:-1]]
    found.sort(key=lambda one: (-one.age, one.host, one.id))
    return QueueList(tuple(found), _queues(answers), missing)


Answers = list[tuple[str, "tuple[Line, ...]"]]


def _scan(env: Env, where: Where, filters: Filters, *, sums: bool) -> tuple[Answers, tuple[Failure, ...]]:
    """The scanner's lines of every host that answered, and why the others did not."""
    if where.spool and where.hosts:
        raise InvalidInput("--spool reads a spool on this machine, --host another's", "give one of the two")
    if where.spool:
        return [(HERE, remote.scan_here(where.spool, filters.request(), sums=sums))], ()
    entries = _entries(env.cluster, where.hosts)
    hosts = [env.host_at(entry) for entry in entries]
    env.progress(f"reading the queues of {len(hosts)} hosts")
    work = partial(remote.scan_on, filters=filters.request(), sums=sums, timeout=where.deadline)
    told = {host.name: answer for host, answer in on_each(hosts, work, where.deadline)}
    in_order = [(entry.name, told[entry.name]) for entry in entries]
    answers = [(name, answer) for name, answer in in_order if not isinstance(answer, EymailError)]
    return answers, tuple(Failure.of(answer) for _, answer in in_order if isinstance(answer, EymailError))


def _entries(cluster: Cluster, names: Sequence[str]) -> tuple[HostEntry, ...]:
    with_exim = cluster.with_role(*EXIM_ROLES)
    if not names and not with_exim:
        raise InvalidInput(
            f"cluster {cluster.name} has no host with a queue",
            "hosts of the roles relay, deferred and mail have one; add them to the inventory",
        )
    entries = tuple(dict.fromkeys(cluster.host(name) for name in names))
    for entry in entries:
        if entry not in with_exim:
            known = ", ".join(one.name for one in with_exim)
            raise InvalidInput(f"{entry.name} is a {entry.role} and has no queue", f"queues are on {known}")
    return entries or with_exim


def _group(host: str, line: Line, now: int) -> Group:
    return Group(
        host,
        line["domain"],
        line["reason"],
        line["messages"],
        line["recipients"],
        max(now - line["oldest"], 0),
        line["size"],
        line["frozen"],
    )


def _message(host: str, line: Line, now: int) -> Message:
    return Message(
        line["id"],
        host,
        line["queue"],
        max(now - line["received"], 0),
        line["size"],
        line["sender"],
        tuple(Recipient(*recipient) for recipient in line["recipients"]),
        line["frozen"],
    )


def _queues(answers: Answers) -> tuple[HostQueue, ...]:
    return tuple(_queue(host, lines[-1]) for host, lines in answers)


def _queue(host: str, end: Line) -> HostQueue:
    oldest = None if end["oldest"] is None else max(end["now"] - end["oldest"], 0)
    malformed = tuple(f"{name}: {wrong}" for name, wrong in end["malformed"])
    return HostQueue(
        host,
        end["messages"],
        end["recipients"],
        end["frozen"],
        end["size"],
        oldest,
        malformed,
        end["retry_database"],
    )


def _title(hosts: Sequence[HostQueue]) -> str:
    count = sum(one.messages for one in hosts)
    frozen = sum(one.frozen for one in hosts)
    if not count:
        return "no messages"
    said = f"{count} message{'s' if count > 1 else ''} to {sum(one.recipients for one in hosts)} recipients"
    return f"{said}, {frozen} frozen" if frozen else said


def _notes(hosts: Sequence[HostQueue]) -> tuple[str, ...]:
    return tuple(note for one in hosts for note in _notes_of(one))


def _notes_of(one: HostQueue) -> Iterable[str]:
    if not one.messages:
        yield f"{one.host}: no messages"
    if one.malformed:
        more = len(one.malformed) - _NAMED_MALFORMED
        named = ", ".join(one.malformed[:_NAMED_MALFORMED]) + (f" and {more} more" if more > 0 else "")
        yield f"{one.host}: not counted, for malformed: {named}"
    if not one.retry_database:
        yield f"{one.host}: the retry database could not be read, so some causes are not known"


def _addresses(message: Message) -> str:
    return ", ".join(one.address for one in message.recipients)


def _reasons(message: Message) -> str:
    return "; ".join(dict.fromkeys(one.reason for one in message.recipients))


def span(seconds: int) -> str:
    """A span of time in its two largest units: ``45s``, ``10m5s``, ``3h20m``, ``2d4h``."""
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        parts += [f"{count}{unit}"] if count or parts else []
    kept = [part for part in parts[:2] if not part.startswith("0")]
    return "".join(kept) or "0s"


def parse_span(text: str) -> int:
    """Seconds from ``90s``, ``10m``, ``2h``, ``3d``, ``1w`` or several such. Raises InvalidInput."""
    if not _DURATION.fullmatch(text):
        raise InvalidInput(f"{quoted(text)} is not a span of time", "write 90s, 10m, 2h, 3d or 1d12h")
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([smhdw])", text))
