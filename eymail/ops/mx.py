"""Where a domain's mail is received: its MX on every authoritative server, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eymail import providers
from eymail.config import Role
from eymail.dns.answers import Mx, MxAnswer, NoAnswer, Why
from eymail.dns.side_by_side import at_once
from eymail.env import Env
from eymail.errors import DnsError, NotFound
from eymail.model import Cell, Failure, Result, View, parse_domain
from eymail.providers import Provider

if TYPE_CHECKING:
    from eymail.dns.authority import AtServer

_TOLD = 4


@dataclass(frozen=True)
class ServerMx:
    """What one address of one authoritative server has.

    ``status`` is ok or "not checked", and ``problem`` then says why. ``exists`` is whether the server
    knows the domain at all. The target of a null MX is "". ``ttl`` is in seconds.
    """

    server: str
    address: str
    status: str
    exists: bool | None
    ttl: int | None
    records: tuple[Mx, ...]
    provider: Provider | None
    problem: str


@dataclass(frozen=True)
class DomainMx(Result):
    """A domain's MX as its authoritative servers have them.

    ``name`` is where they are: the domain, or what it is an alias (CNAME) of. ``agree`` is whether all
    servers that answered say the same. ``implicit`` are the addresses that receive the mail of a domain
    without MX (RFC 5321 section 5.1). ``remarks`` are what is odd.
    """

    domain: str
    name: str
    zone: str
    provider: Provider
    agree: bool
    implicit: tuple[str, ...]
    servers: tuple[ServerMx, ...]
    remarks: tuple[str, ...]
    missing: tuple[Failure, ...] = field(metadata={"json": False})

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.missing

    def view(self) -> View:
        columns = ("server", "address", "status", "preference", "target", "ttl", "provider", "problem")
        rows = tuple(row for server in self.servers for row in _rows(server))
        return View(columns, rows, f"{self.domain}: {self.provider.title}", "status", self.remarks)


def _rows(server: ServerMx) -> Iterator[tuple[Cell, ...]]:
    head = (server.server, server.address, server.status)
    tail = (server.provider.title if server.provider else "", server.problem)
    if not server.records:
        yield (*head, None, None, None, *tail)
    for mx in server.records:
        yield (*head, mx.preference, mx.target or ".", server.ttl, *tail)


def show(env: Env, domain_name: str) -> DomainMx:
    """Ask every address of every authoritative server for a domain's MX.

    Raises NotFound when the domain does not exist, DnsError when none of its servers could be asked,
    InvalidInput.
    """
    from eymail.dns.authority import mx_everywhere

    domain = parse_domain(domain_name)
    name = env.resolver.canonical(domain)
    zone = env.resolver.zone(name)
    return judge(env, domain, name, zone.name, mx_everywhere(env.resolver, name, zone))


def judge(env: Env, domain: str, name: str, zone: str, asked: Sequence[AtServer]) -> DomainMx:
    """What the servers' answers come to: whose MX they are, whether they agree, what is odd or missing.

    Raises DnsError when none of the servers could be asked.
    """
    missing = tuple(dict.fromkeys(Failure.of(error) for error in _unexcused(asked)))
    if all(isinstance(one.found, DnsError) for one in asked):
        raise DnsError(f"no authoritative server of {name} could be asked", _few(missing))
    clusters = tuple(_clusters(env))
    addresses, unknown = _addresses(env, asked, clusters)
    servers = tuple(_server(one, clusters, addresses) for one in asked)
    answered = [server for server in servers if server.status == "ok"]
    implicit, lost = _implicit(env, name, answered)
    targets = {mx.target for server in answered for mx in server.records} or ({name} if implicit else set())
    return DomainMx(
        domain=domain,
        name=name,
        zone=zone,
        provider=providers.provider_of(targets, clusters, {**addresses, name: implicit}),
        agree=len({(server.exists, server.records) for server in answered}) == 1,
        implicit=implicit,
        servers=servers,
        remarks=tuple(_remarks(domain, name, answered, implicit)),
        missing=(*missing, *unknown, *lost),
    )


def _few(missing: Sequence[Failure]) -> str:
    """The first of what went wrong, and how much more did."""
    told = "; ".join(failure.message for failure in missing[:_TOLD])
    return f"{told}; and {len(missing) - _TOLD} more" if len(missing) > _TOLD else told


def _unexcused(asked: Sequence[AtServer]) -> Iterator[DnsError]:
    """What could not be asked; but no address out of reach (IPv6, often) of a server asked at another."""
    reached = {one.server for one in asked if not isinstance(one.found, DnsError)}
    for one in asked:
        out_of_reach = isinstance(one.found, NoAnswer) and one.found.why is Why.NO_ROUTE
        if isinstance(one.found, DnsError) and not (out_of_reach and one.server in reached):
            yield one.found


def _clusters(env: Env) -> Iterator[Provider]:
    for cluster in (env.config.clusters or {}).values():
        public = [str(host.public) for host in cluster.with_role(Role.MAIL) if host.public]
        yield providers.of_cluster(cluster.name, cluster.zone, public)


def _addresses(
    env: Env, asked: Sequence[AtServer], clusters: Sequence[Provider]
) -> tuple[Mapping[str, tuple[str, ...]], tuple[Failure, ...]]:
    """Where those targets lead that no name tells of: to a cluster's mail host, perhaps."""
    answers = (one.found for one in asked)
    targets = {mx.target for answer in answers if isinstance(answer, MxAnswer) for mx in answer.records}
    unknown = sorted(one for one in targets if providers.provider_of([one], clusters) is providers.OTHER)
    wanted = unknown if any(cluster.addresses for cluster in clusters) else []
    found = dict(zip(wanted, at_once(env.resolver.addresses, wanted), strict=True))
    failed = (error for error in found.values() if isinstance(error, DnsError))
    known = {target: addresses for target, addresses in found.items() if isinstance(addresses, tuple)}
    return known, tuple(Failure.of(error) for error in failed)


def _server(
    asked: AtServer, clusters: Sequence[Provider], addresses: Mapping[str, tuple[str, ...]]
) -> ServerMx:
    found = asked.found
    if isinstance(found, DnsError):
        return ServerMx(asked.server, asked.address, "not checked", None, None, (), None, found.message)
    exists = not isinstance(found, NotFound)
    ttl, records = (found.ttl, found.records) if isinstance(found, MxAnswer) else (None, ())
    provider = providers.provider_of([mx.target for mx in records], clusters, addresses)
    problem = "" if exists else "says that the domain does not exist"
    return ServerMx(asked.server, asked.address, "ok", exists, ttl, records, provider, problem)


def _implicit(
    env: Env, name: str, answered: Sequence[ServerMx]
) -> tuple[tuple[str, ...], tuple[Failure, ...]]:
    """The domain's own addresses where it has no MX."""
    if any(server.records for server in answered):
        return (), ()
    try:
        return env.resolver.addresses(name), ()
    except NotFound:
        return (), ()
    except DnsError as error:
        return (), (Failure.of(error),)


def _remarks(domain: str, name: str, answered: Sequence[ServerMx], implicit: Sequence[str]) -> Iterator[str]:
    if name != domain:
        yield f"{domain} is an alias of {name}, whose MX these are"
    if len({(server.exists, server.records) for server in answered}) > 1:
        yield "the servers do not agree: a change is under way, or one of them is stale"
    targets = {mx.target for server in answered for mx in server.records}
    if "" in targets:
        yield "null MX: the domain wants no mail (RFC 7505)"
    if "" in targets and len(targets) > 1:
        yield "a null MX must stand alone (RFC 7505): what hosts do with this differs"
    if not targets and implicit:
        yield f"no MX: mail goes to the domain's own address, {', '.join(implicit)} (RFC 5321 section 5.1)"
    elif not targets:
        yield "no MX and no address: the domain receives no mail"
