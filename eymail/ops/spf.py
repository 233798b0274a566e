"""Which addresses a cluster sends from, and what a domain's SPF record names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from eymail.config import Cluster
from eymail.dns import spf
from eymail.env import Env
from eymail.errors import DnsError, InvalidInput, NotFound
from eymail.model import Result, View, parse_domain, quoted

_PATTERN = "_spf.{cluster}.engineyard.com"
_CLUSTER_NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"


@dataclass(frozen=True)
class SourceAddress:
    """An address or network that mail comes from.

    ``inventory`` is yes, no, or "not checked" when there is no inventory of the cluster;
    ``purpose`` is what the inventory has it for.
    """

    address: str
    published: bool
    inventory: str
    purpose: str


@dataclass(frozen=True)
class SourceAddresses(Result):
    """A cluster's source addresses: published at ``name`` as ``record``, beside the inventory's."""

    cluster: str
    name: str
    record: str
    addresses: tuple[SourceAddress, ...]
    disagreements: tuple[str, ...]

    def view(self) -> View:
        columns = ("address", "published", "in the inventory", "purpose")
        rows = tuple((a.address, a.published, a.inventory, a.purpose) for a in self.addresses)
        plain = tuple((a.address,) for a in self.addresses if a.published)
        return View(columns, rows, f"{self.name}: {self.record}", notes=self.disagreements, plain=plain)


@dataclass(frozen=True)
class DomainTerm:
    """A term of a domain's SPF record, and what it names, one level deep."""

    term: str
    names: str


@dataclass(frozen=True)
class ClusterVerdict:
    """Whether a domain's record names a cluster's source addresses: yes, no, or not checked."""

    cluster: str
    address: str
    named: str
    by: str


@dataclass(frozen=True)
class DomainSpf(Result):
    """A domain's SPF record, its terms, and which clusters' source addresses they name."""

    domain: str
    record: str
    terms: tuple[DomainTerm, ...]
    clusters: tuple[ClusterVerdict, ...]

    def view(self) -> View:
        terms = tuple(("record", term.term, term.names) for term in self.terms)
        clusters = tuple((f"{c.cluster} {c.address}", c.named, c.by) for c in self.clusters)
        return View(
            ("what", "term or verdict", "names"), (*terms, *clusters), f"{self.domain}: {self.record}"
        )


def of_target(env: Env, target: str) -> SourceAddresses | DomainSpf:
    """A cluster's source addresses, or a domain's SPF record when the target has a dot."""
    if target in (env.config.clusters or {}) or "." not in target:
        return addresses(env, target)
    return of_domain(env, parse_domain(target, service_labels=True))


def addresses(env: Env, name: str) -> SourceAddresses:
    """What a cluster's mail comes from, as published and as the inventory says.

    Raises NotFound when nothing is published; the hint is then the record to publish.
    """
    inventory = (env.config.clusters or {}).get(name)
    where = inventory.spf_name if inventory else _conventional_name(name)
    expected = dict(_expected(inventory)) if inventory else {}
    record = _published(env, where, expected)
    published = [str(t.network) for t in spf.terms(record) if t.network is not None]
    shown = [_short(network) for network in published]
    rows = [_source(address, True, inventory, expected) for address in shown]
    rows += [_source(address, False, inventory, expected) for address in expected if address not in shown]
    return SourceAddresses(name, where, record, tuple(rows), tuple(_disagreements(rows)))


def _conventional_name(name: str) -> str:
    if not re.fullmatch(_CLUSTER_NAME, name):
        raise InvalidInput(f"{quoted(name)} is neither a cluster nor a domain", "try ey04, or example.com")
    return _PATTERN.format(cluster=name)


def _expected(inventory: Cluster) -> Iterator[tuple[str, str]]:
    if inventory.source_address:
        yield str(inventory.source_address), "cluster"
    for entry in inventory.dedicated:
        yield str(entry.address), f"dedicated to {', '.join(entry.domains)}"


def _published(env: Env, where: str, expected: dict[str, str]) -> str:
    publish = f'publish: {where}. TXT "{_record(expected)}"' if expected else "is the cluster's name right?"
    try:
        answer = env.resolver.txt(where)
    except NotFound as error:
        raise NotFound(f"{where} does not exist in the DNS", publish) from error
    found = spf.records(answer.records if answer else ())
    if not found:
        raise NotFound(f"{where} has no SPF record", publish)
    if len(found) > 1:
        raise DnsError(f"{where} has {len(found)} SPF records, which counts as none", "leave one")
    return found[0]


def _record(expected: dict[str, str]) -> str:
    return " ".join((spf.VERSION, *(f"ip4:{address}" for address in expected), "~all"))


def _short(network: str) -> str:
    """A network of one address as that address."""
    parsed = ip_network(network)
    return str(parsed.network_address) if parsed.num_addresses == 1 else network


def _source(
    address: str, published: bool, inventory: Cluster | None, expected: dict[str, str]
) -> SourceAddress:
    known = "not checked" if inventory is None else "yes" if address in expected else "no"
    return SourceAddress(address, published, known, expected.get(address, ""))


def _disagreements(rows: list[SourceAddress]) -> Iterator[str]:
    for row in rows:
        if not row.published:
            yield f"{row.address} ({row.purpose}) is in the inventory and not published"
        elif row.inventory == "no":
            yield f"{row.address} is published and not in the inventory"


def of_domain(env: Env, domain: str) -> DomainSpf:
    """A domain's SPF record and what its terms name. Raises NotFound when it has none."""
    record = _record_of(env, domain)
    terms = spf.terms(record)
    shown = tuple(DomainTerm(_as_written(term), _names(env, term)) for term in terms)
    verdicts = tuple(
        verdict for cluster in (env.config.clusters or {}).values() for verdict in _verdicts(cluster, terms)
    )
    return DomainSpf(domain, record, shown, verdicts)


def _record_of(env: Env, domain: str) -> str:
    answer = env.resolver.txt(domain)
    found = spf.records(answer.records if answer else ())
    if not found:
        raise NotFound(f"{domain} has no SPF record", "receivers then see no policy at all")
    if len(found) > 1:
        raise DnsError(f"{domain} has {len(found)} SPF records, which is an error to receivers", "leave one")
    return found[0]


def _as_written(term: spf.Term) -> str:
    sign = "" if term.qualifier == "+" else term.qualifier
    if not term.value:
        return f"{sign}{term.name}"
    joint = "=" if term.name in ("redirect", "exp") else "" if term.value.startswith("/") else ":"
    return f"{sign}{term.name}{joint}{term.value}"


def _names(env: Env, term: spf.Term) -> str:
    """What an include or a redirect leads to; other terms stand for themselves."""
    if term.network is not None:
        return _short(str(term.network))
    if term.name not in ("include", "redirect"):
        return ""
    if "%" in term.value:
        return "not checked: depends on the message"
    try:
        return _record_of(env, parse_domain(term.value, service_labels=True))
    except (NotFound, DnsError, InvalidInput) as error:
        return f"not checked: {error.message}"


def _verdicts(cluster: Cluster, terms: tuple[spf.Term, ...]) -> Iterator[ClusterVerdict]:
    for address, _ in _expected(cluster):
        by = _named_by(cluster, address, terms)
        deeper = any(term.name in ("include", "redirect", "a", "mx", "exists", "ptr") for term in terms)
        named = "yes" if by else "not checked" if deeper else "no"
        reason = by or ("by a term that was not followed, or not at all" if deeper else "")
        yield ClusterVerdict(cluster.name, address, named, reason)


def _named_by(cluster: Cluster, address: str, terms: tuple[spf.Term, ...]) -> str:
    """The term that names an address: itself, a network around it, or the cluster's own record."""
    for term in terms:
        network = term.network
        if network is not None and ip_network(address).overlaps(network):
            return _as_written(term)
        if term.name == "include" and term.value.lower().removesuffix(".") == cluster.spf_name:
            return _as_written(term)
    return ""
