"""What SPF says of one client, or of many: check_host() as a server would call it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from eymail.dns.spf.check import Verdict
from eymail.dns.spf.client import Client
from eymail.dns.spf.macro import IpAddress
from eymail.dns.spf.record import Outcome
from eymail.dns.spf.run import Pool
from eymail.env import Env
from eymail.errors import InvalidInput
from eymail.model import Cell, Result, View, quoted
from eymail.ops.spf.target import a_labels, policy_domain

RESULTS = tuple(outcome.value for outcome in Outcome)
DEADLINE = 20.0
"""Seconds for one evaluation (RFC 7208 section 4.6.4)."""

_OF_VERDICT = ("result", "explanation", "path", "problem", "lookups", "voids")


@dataclass(frozen=True)
class Check(Result):
    """What check_host() says of a client that sends for ``domain``.

    ``path`` are the terms that led to the result, from the outermost to the one that decided;
    ``problem`` why there is none, or an error. ``lookups`` of 10 and ``voids`` of 2 were used.
    """

    domain: str
    ip: str
    sender: str
    helo: str
    result: str
    explanation: str
    path: tuple[str, ...]
    problem: str
    lookups: int
    voids: int
    expected: tuple[str, ...] = field(default=(), metadata={"json": False})

    @property
    def exit_code(self) -> int:
        return 3 if self.expected and self.result not in self.expected else 0

    def view(self) -> View:
        steps = (step.partition(": ") for step in self.path)
        more = (("problem", self.problem), ("explanation", self.explanation))
        rows = (*((name, term) for name, _, term in steps), *(row for row in more if row[1]))
        about = f"{self.ip}, sender {self.sender or '<>'}, HELO {self.helo or 'not given'}"
        return View(("record of", "term"), rows, f"{self.result}: {about}", plain=(self.line(),))

    def line(self) -> tuple[Cell, ...]:
        """The check in a line: result, address, sender, HELO name, why, explanation."""
        path = " > ".join(self.path)
        why = f"{self.problem} ({path})" if self.problem and path else self.problem or path
        return self.result, self.ip, self.sender or "<>", self.helo or "-", why, self.explanation


def parse_ip(text: str) -> IpAddress:
    """A client's address. Raises InvalidInput."""
    try:
        address = ip_address(text.strip())
    except ValueError as error:
        hint = "an address looks like 192.0.2.1 or 2001:db8::1"
        raise InvalidInput(f"{quoted(text)} is not an IP address", hint) from error
    # The zone of a link-local address means nothing to anybody else.
    return IPv6Address(int(address)) if isinstance(address, IPv6Address) else address


@dataclass(frozen=True)
class Triple:
    """A client as a server names it: the texts that came in."""

    ip: str
    sender: str
    helo: str

    def client(self) -> Client:
        """Raises InvalidInput when ``ip`` is no address."""
        return Client.of(parse_ip(self.ip), _named(self.sender), a_labels(self.helo))

    @property
    def identity(self) -> str:
        """The domain that stands behind the client, of its sender or its HELO name (section 2.4)."""
        return (bare(self.sender) or self.helo).rpartition("@")[2]


def bare(sender: str) -> str:
    """A sender without the angle brackets that it has in MAIL FROM (RFC 5321 section 4.1.2)."""
    return sender[1:-1] if sender.startswith("<") and sender.endswith(">") else sender


def _named(sender: str) -> str:
    """A sender with its domain in A-labels."""
    local, at, domain = bare(sender).rpartition("@")
    return f"{local}{at}{a_labels(domain).removesuffix('.')}"


def of_client(
    env: Env, target: str, triple: Triple, *, deadline: float = DEADLINE, expected: tuple[str, ...] = ()
) -> Check:
    """What the policy of ``target`` says of a client. Raises InvalidInput when its ip is no address.

    An empty target means the sender's domain; an empty sender postmaster at the HELO name.
    """
    domain = policy_domain(env.config, target, triple.identity)
    verdict = Pool(env.asker, deadline).verdict(triple.client(), domain)
    return told(triple, domain, verdict, expected)


def told(triple: Triple, domain: str, verdict: Verdict, expected: tuple[str, ...]) -> Check:
    """A verdict as a result."""
    found = {name: getattr(verdict, name) for name in _OF_VERDICT}
    return Check(domain, triple.ip, triple.sender, triple.helo, **found, expected=expected)
