"""Which addresses a cluster sends from, and what a domain's SPF record says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from eymail.config import Cluster
from eymail.dns.side_by_side import at_once
from eymail.dns.spf import old as spf
from eymail.env import Env
from eymail.errors import DnsError, InvalidInput, NotFound
from eymail.model import Failure, Result, View, parse_domain
from eymail.ops.spf.target import published_name


@dataclass(frozen=True)
class SourceAddress:
    """An address, or a network, that mail comes from.

    ``inventory`` is yes, no, partly (of a network), or "not checked" when no inventory describes the
    cluster; ``purpose`` is what the inventory has it for.
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
    not_checked: tuple[str, ...]

    def view(self) -> View:
        columns = ("address", "published", "in the inventory", "purpose")
        rows = tuple((a.address, a.published, a.inventory, a.purpose) for a in self.addresses)
        plain = tuple((a.address,) for a in self.addresses if a.published)
        notes = (*self.disagreements, *(f"not checked: {term}" for term in self.not_checked))
        return View(columns, rows, f"{self.name}: {self.record}", notes=notes, plain=plain)


@dataclass(frozen=True)
class DomainTerm:
    """A term of a domain's SPF record, and what it names, one level deep."""

    term: str
    names: str


@dataclass(frozen=True)
class AddressVerdict:
    """Whether a domain's record names a source address: yes, no, or not checked, and by which term."""

    cluster: str
    address: str
    named: str
    by: str


@dataclass(frozen=True)
class DomainSpf(Result):
    """A domain's SPF records (one, when all is well), their terms, and the source addresses they name."""

    domain: str
    records: tuple[str, ...]
    terms: tuple[DomainTerm, ...]
    addresses: tuple[AddressVerdict, ...]
    faults: tuple[str, ...]
    missing: tuple[Failure, ...] = field(metadata={"json": False})

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.missing

    def view(self) -> View:
        terms = tuple(("term", term.term, term.names, "") for term in self.terms)
        rows = tuple((f"cluster {a.cluster}", a.address, a.named, a.by) for a in self.addresses)
        title = f"{self.domain}: {' and '.join(self.records)}"
        return View(("what", "term or address", "names", "by"), (*terms, *rows), title, notes=self.faults)


def of_target(env: Env, target: str) -> SourceAddresses | DomainSpf:
    """A cluster's source addresses, or a domain's SPF record when the target has a dot.

    Raises NotFound when nothing is published, DnsError, and InvalidInput when it is neither's name.
    """
    if "." in target:
        return of_domain(env, parse_domain(target, service_labels=True))
    return of_cluster(env, target)


def of_cluster(env: Env, name: str) -> SourceAddresses:
    """What a cluster's mail comes from, as published and as the inventory says.

    Raises NotFound when nothing is published; the hint is then the record to publish.
    """
    inventory = (env.config.clusters or {}).get(name)
    where = published_name(env.config, name)
    expected = dict(_expected(inventory)) if inventory else {}
    record = _published(env, where, expected)
    terms = spf.terms(record)
    rows = tuple(_rows(terms, None if inventory is None else expected))
    others = tuple(term.text for term in terms if _leads_elsewhere(term))
    wrong = (*_faults(terms), *_disagreements(rows, expected))
    return SourceAddresses(name, where, record, rows, wrong, others)


def _expected(inventory: Cluster) -> Iterator[tuple[str, str]]:
    if inventory.source_address:
        yield str(inventory.source_address), "cluster"
    for entry in inventory.dedicated:
        yield str(entry.address), f"dedicated to {', '.join(entry.domains)}"


def _published(env: Env, where: str, expected: Mapping[str, str]) -> str:
    wanted = f'publish: {where}. TXT "{_record(expected)}"' if expected else "is the cluster's name right?"
    try:
        found = _records(env, where)
    except NotFound as error:
        raise NotFound(f"{where} does not exist in the DNS", wanted) from error
    if not found:
        raise NotFound(f"{where} has no SPF record", wanted)
    if len(found) > 1:
        raise DnsError(f"{where} has {len(found)} SPF records, which counts as an error", "leave one")
    return found[0]


def _record(expected: Mapping[str, str]) -> str:
    return " ".join((spf.VERSION, *(f"ip4:{address}" for address in expected), "~all"))


def _records(env: Env, name: str) -> tuple[str, ...]:
    answer = env.resolver.txt(name)
    return spf.records(answer.raw) if answer else ()


def _rows(terms: Sequence[spf.Term], expected: Mapping[str, str] | None) -> Iterator[SourceAddress]:
    """The published networks in the record's order, then what the inventory has beside them."""
    networks = [term.network for term in terms if term.network is not None and term.qualifier == "+"]
    for network in networks:
        yield _published_row(network, expected)
    for address, purpose in (expected or {}).items():
        if not any(ip_address(address) in network for network in networks):
            yield SourceAddress(address, False, "yes", purpose)


def _published_row(network: spf.Network, expected: Mapping[str, str] | None) -> SourceAddress:
    shown = _short(network)
    if expected is None:
        return SourceAddress(shown, True, "not checked", "")
    inside = {address: purpose for address, purpose in expected.items() if ip_address(address) in network}
    told = "no" if not inside else "yes" if network.num_addresses == 1 else "partly"
    return SourceAddress(shown, True, told, "; ".join(inside.values()))


def _short(network: spf.Network) -> str:
    """A network of one address as that address."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _leads_elsewhere(term: spf.Term) -> bool:
    return term.name in ("include", "redirect", "a", "mx", "ptr", "exists")


def _faults(terms: Sequence[spf.Term]) -> Iterator[str]:
    for text in spf.faults(terms):
        yield f"{text} is no SPF term, so receivers count the whole record as an error"


def _disagreements(rows: Sequence[SourceAddress], expected: Mapping[str, str]) -> Iterator[str]:
    for row in rows:
        if not row.published:
            yield f"{row.address} ({row.purpose}) is in the inventory and not published"
        elif row.inventory == "no":
            yield f"{row.address} is published and not in the inventory"
        elif row.inventory == "partly":
            yield f"{row.address} is published, of which the inventory has {_within(row.address, expected)}"


def _within(network: str, expected: Mapping[str, str]) -> str:
    return ", ".join(address for address in expected if ip_address(address) in ip_network(network))


def of_domain(env: Env, domain: str) -> DomainSpf:
    """A domain's SPF record, what its terms name, and whether those are the clusters' source addresses.

    Raises NotFound when it has none, DnsError.
    """
    records = _records(env, domain)
    if not records:
        raise NotFound(f"{domain} has no SPF record", "receivers then know nothing of who may send for it")
    terms = tuple(term for record in records for term in spf.terms(record))
    asked = tuple(term for term in terms if _target(term))
    found = dict(zip(asked, at_once(lambda term: _records(env, _target(term)), asked), strict=True))
    names = tuple(DomainTerm(term.text, _names(term, found.get(term))) for term in terms)
    errors = (answer for answer in found.values() if isinstance(answer, DnsError))
    missing = tuple(dict.fromkeys(Failure.of(error) for error in errors))
    faults = tuple(_domain_faults(domain, records, terms))
    verdicts = tuple(_verdicts(env, domain, terms, found, bool(faults)))
    return DomainSpf(domain, records, names, verdicts, faults, missing)


def _domain_faults(domain: str, records: Sequence[str], terms: Sequence[spf.Term]) -> Iterator[str]:
    if len(records) > 1:
        yield f"{domain} has {len(records)} SPF records, which receivers count as an error: leave one"
    yield from _faults(terms)


def _target(term: spf.Term) -> str:
    """The name whose record an include or a redirect means; empty when it depends on the message."""
    leads = (term.name == "include" and not term.modifier) or (term.name == "redirect" and term.modifier)
    if not leads or "%" in term.value:
        return ""
    try:
        return parse_domain(term.value, service_labels=True)
    except InvalidInput:
        return ""


Found = tuple[str, ...] | NotFound | DnsError


def _names(term: spf.Term, found: Found | None) -> str:
    if term.network is not None:
        return _short(term.network)
    if found is None:
        return "not checked" if _leads_elsewhere(term) else ""
    if isinstance(found, DnsError):
        return f"not checked: {found.message}"
    if isinstance(found, NotFound):
        return "does not exist: an error to receivers"
    return " and ".join(found) or "has no SPF record: an error to receivers"


def _verdicts(
    env: Env, domain: str, terms: Sequence[spf.Term], found: Mapping[spf.Term, Found], broken: bool
) -> Iterator[AddressVerdict]:
    included = {
        term.text: spf.terms(answer[0])
        for term, answer in found.items()
        if isinstance(answer, tuple) and len(answer) == 1
    }
    for cluster in (env.config.clusters or {}).values():
        for address in _sources(cluster, domain):
            told = spf.verdict(terms, included, ip_address(address))
            if broken:
                told = spf.Verdict("no", "the record counts as an error")
            yield AddressVerdict(cluster.name, address, told.named, told.by)


def _sources(cluster: Cluster, domain: str) -> Iterator[str]:
    """The addresses that a domain's mail may leave the cluster by."""
    if cluster.source_address:
        yield str(cluster.source_address)
    for entry in cluster.dedicated:
        if domain in entry.domains:
            yield str(entry.address)
