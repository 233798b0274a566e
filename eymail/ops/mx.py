"""Where a domain's mail is received: its MX on every authoritative server, and whose they are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eymail import providers
from eymail.env import Env
from eymail.errors import DnsError, EymailError, NotFound
from eymail.model import Cell, Failure, Result, View, parse_domain

if TYPE_CHECKING:
    from eymail.dns.answers import Mx, MxAnswer

_TIMEOUT = 5.0
_AT_ONCE = 8


@dataclass(frozen=True)
class MxRecord:
    """An MX record; ``target`` is "" for a null MX."""

    preference: int
    target: str


@dataclass(frozen=True)
class ServerMx:
    """What one address of one authoritative server has: its MX, or what was wrong."""

    server: str
    address: str
    status: str
    ttl: int | None
    records: tuple[MxRecord, ...]
    provider: str


@dataclass(frozen=True)
class DomainMx(Result):
    """A domain's MX as its authoritative servers have them.

    ``provider`` is whose they are, ``agree`` whether all servers that answered say the same.
    ``implicit`` are the domain's own addresses, which receive its mail when it has no MX
    (RFC 5321 section 5.1).
    """

    domain: str
    zone: str
    provider: str
    agree: bool
    implicit: tuple[str, ...]
    servers: tuple[ServerMx, ...]
    missing: tuple[Failure, ...]

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.missing

    def view(self) -> View:
        columns = ("server", "address", "status", "preference", "target", "ttl", "provider")
        rows = tuple(row for server in self.servers for row in _rows(server))
        notes = () if self.agree else ("the servers do not agree: a change is under way, or one is stale",)
        if self.implicit:
            notes = (*notes, f"no MX: mail goes to the domain's own address, {', '.join(self.implicit)}")
        return View(columns, rows, f"{self.domain}: {self.provider}", "status", notes)


def _rows(server: ServerMx) -> tuple[tuple[Cell, ...], ...]:
    head = (server.server, server.address, server.status)
    if not server.records:
        return ((*head, None, None, server.ttl, server.provider),)
    return tuple(
        (*head, mx.preference, mx.target or ".", server.ttl, server.provider) for mx in server.records
    )


def show(env: Env, name: str) -> DomainMx:
    """Ask every authoritative server for a domain's MX. Raises NotFound, DnsError, InvalidInput."""
    domain = parse_domain(name)
    env.resolver.exists(domain)
    zone, names = env.resolver.name_servers(domain)
    clusters = [providers.cluster(one.name, one.zone) for one in (env.config.clusters or {}).values()]
    asked, missing = _ask_all(env, domain, names)
    servers = tuple(_server(server, address, answer, clusters) for server, address, answer in asked)
    answered = [server for server in servers if server.status == "ok"]
    if not answered:
        raise DnsError(f"no authoritative server of {domain} could be asked", _first(missing))
    sets = {server.records for server in answered}
    targets = [mx.target for records in sets for mx in records]
    implicit = () if targets else env.resolver.addresses(domain)
    provider = providers.provider_of(targets, clusters).title if targets else _without_mx(implicit)
    return DomainMx(domain, zone, provider, len(sets) == 1, implicit, servers, missing)


def _first(missing: tuple[Failure, ...]) -> str:
    return missing[0].message if missing else ""


def _without_mx(implicit: tuple[str, ...]) -> str:
    return "no MX, its own address" if implicit else "no MX and no address: it receives no mail"


Asked = tuple[str, str, "MxAnswer | EymailError | None"]


def _ask_all(env: Env, domain: str, names: tuple[str, ...]) -> tuple[list[Asked], tuple[Failure, ...]]:
    """Every address of every server, asked side by side."""
    pairs, missing = _addresses(env, names)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda pair: _ask(domain, pair[1]), pairs))
    asked = [(*pair, answer) for pair, answer in zip(pairs, answers, strict=True)]
    failed = [Failure.of(answer) for _, _, answer in asked if isinstance(answer, EymailError)]
    return asked, (*missing, *failed)


def _addresses(env: Env, names: tuple[str, ...]) -> tuple[list[tuple[str, str]], tuple[Failure, ...]]:
    pairs: list[tuple[str, str]] = []
    missing: list[Failure] = []
    for name in names:
        try:
            found = env.resolver.addresses(name)
        except (NotFound, DnsError) as error:
            missing.append(Failure.of(error))
            continue
        pairs += [(name, address) for address in found]
    return pairs, tuple(missing)


def _ask(domain: str, address: str) -> MxAnswer | EymailError | None:
    from eymail.dns.lookup import mx_at
    from eymail.dns.servers import Server

    try:
        return mx_at(Server(address), domain, _TIMEOUT)
    except NotFound:
        return None
    except DnsError as error:
        return error


def _server(
    server: str, address: str, answer: MxAnswer | EymailError | None, clusters: list[providers.Provider]
) -> ServerMx:
    if isinstance(answer, EymailError):
        return ServerMx(server, address, "not checked", None, (), "")
    records = tuple(_record(mx) for mx in answer.records) if answer else ()
    provider = providers.provider_of([mx.target for mx in records], clusters).title if records else "no MX"
    return ServerMx(server, address, "ok", answer.ttl if answer else None, records, provider)


def _record(mx: Mx) -> MxRecord:
    return MxRecord(mx.preference, mx.target)
