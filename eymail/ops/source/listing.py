"""Source addresses: what each cluster's mail comes from, for whom, and whether the DNS agrees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from eymail.config import Cluster
from eymail.dns.side_by_side import MOST, at_once
from eymail.dns.spf import record as spf
from eymail.errors import DirectoryError, DnsError, HostError, InvalidInput, NotFound
from eymail.mail.checks import NOT_CHECKED
from eymail.model import Failure, Result, View
from eymail.ops import inventory

if TYPE_CHECKING:
    from eymail.env import Env

YES, NO, NONE = "yes", "no", "none"
FILE = "eymail.toml"


@dataclass(frozen=True)
class Source:
    """A source address of a cluster.

    ``domains`` are those that it is dedicated to, none for the cluster's own. ``origin`` is eymail.toml
    or the change that assigned it, or both. ``published`` (in the cluster's SPF record) and
    ``confirmed`` (its PTR's name leads back to it) are yes, no or not checked; ``name`` is the PTR's,
    "none", or not checked.
    """

    cluster: str
    address: str
    domains: tuple[str, ...]
    origin: str
    published: str
    name: str
    confirmed: str

    @property
    def purpose(self) -> str:
        return f"dedicated to {', '.join(self.domains)}" if self.domains else "cluster"


@dataclass(frozen=True)
class Sources(Result):
    """Source addresses by cluster; ``missing`` is what could not be asked, and why."""

    sources: tuple[Source, ...]
    missing: tuple[Failure, ...] = field(default=(), metadata={"json": False})

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.missing

    def view(self) -> View:
        columns = ("cluster", "address", "purpose", "origin", "in SPF", "PTR", "PTR leads back")
        rows = tuple(
            (one.cluster, one.address, one.purpose, one.origin, one.published, one.name, one.confirmed)
            for one in self.sources
        )
        return View(columns, rows, "Source addresses" if rows else "no cluster has a source address")


def of_clusters(env: Env, name: str = "") -> Sources:
    """The source addresses of every cluster of the inventory, or of the named one. Raises NotFound."""
    names = (name,) if name else tuple(env.config.clusters or {})
    missing: list[Failure] = []
    found = [source for one in names for source in _of_cluster(env, one, missing)]
    return Sources(tuple(found), tuple(dict.fromkeys(missing)))


def _of_cluster(env: Env, name: str, missing: list[Failure]) -> Iterator[Source]:
    described = inventory.described(env, name)
    origins: Mapping[str, int] = {}
    assigned: tuple[inventory.Assigned, ...] = ()
    try:
        assigned = inventory.assigned(env, name)
        origins = env.directory.changes_of("source") if assigned else {}
    except (DirectoryError, HostError) as error:
        missing.append(_unchecked(f"which addresses are assigned in {name}", error))
    cluster = inventory.extended(described, assigned)
    networks = _published(env, cluster, missing)
    purposes = tuple(_purposes(cluster))
    names = _names(env, [address for address, _ in purposes], missing)
    for address, domains in purposes:
        in_spf = NOT_CHECKED if networks is None else _within(address, networks)
        origin = _origin(described, address, domains, origins)
        yield Source(cluster.name, str(address), domains, origin, in_spf, *names[address])


def _unchecked(what: str, error: DirectoryError | HostError | DnsError | InvalidInput) -> Failure:
    return Failure(error.code, f"not checked: {what}: {error.message}", error.hint)


def _purposes(cluster: Cluster) -> Iterator[tuple[IPv4Address, tuple[str, ...]]]:
    if cluster.source_address:
        yield cluster.source_address, ()
    for entry in cluster.dedicated:
        yield entry.address, entry.domains


def _origin(
    described: Cluster, address: IPv4Address, domains: Iterable[str], changes: Mapping[str, int]
) -> str:
    known = {entry.address: entry.domains for entry in described.dedicated}
    in_file = known.get(address, ())
    numbers = sorted({changes.get(domain, 0) for domain in domains if domain not in in_file})
    told = [f"change {number}" if number else "directory" for number in numbers]
    return ", ".join([FILE, *told] if address == described.source_address or in_file else told)


def _published(env: Env, cluster: Cluster, missing: list[Failure]) -> tuple[spf.Network, ...] | None:
    """The networks that the cluster's record lets pass by themselves; None when that is not known."""
    try:
        return pass_networks(spf_texts(env, cluster.spf_name))
    except DnsError as error:
        missing.append(_unchecked(f"what {cluster.spf_name} publishes", error))
        return None


def spf_texts(env: Env, name: str) -> tuple[bytes, ...]:
    """The SPF records at a name, none where there is no such name. Raises DnsError."""
    try:
        answer = env.resolver.txt(name)
    except NotFound:
        return ()
    return spf.records(answer.raw) if answer else ()


def pass_networks(records: Iterable[bytes]) -> tuple[spf.Network, ...]:
    """The networks of a record's own ip4 and ip6 terms that pass; of several records none counts."""
    every = tuple(records)
    terms = spf.parse(every[0]).directives if len(every) == 1 else ()
    return tuple(one.network for one in terms if one.network and one.outcome is spf.Outcome.PASS)


def _within(address: IPv4Address, networks: Iterable[spf.Network]) -> str:
    return YES if any(address in network for network in networks) else NO


def _names(
    env: Env, addresses: list[IPv4Address], missing: list[Failure]
) -> dict[IPv4Address, tuple[str, str]]:
    """For each address the name that its PTR gives, and whether that leads back."""
    found: dict[IPv4Address, tuple[str, str]] = {}
    for start in range(0, len(addresses), MOST):
        some = addresses[start : start + MOST]
        for address, answer in zip(some, at_once(lambda one: _name(env, one), some), strict=True):
            if isinstance(answer, NotFound | DnsError):
                missing.append(_unchecked(f"the name of {address}", DnsError(answer.message, answer.hint)))
                answer = (NOT_CHECKED, NOT_CHECKED)
            found[address] = answer
    return found


def _name(env: Env, address: IPv4Address) -> tuple[str, str]:
    try:
        answer = env.resolver.ptr(str(address))
    except NotFound:
        answer = None
    names = answer.records if answer else ()
    back = [name for name in names if _leads_to(env, name, address)]
    return ", ".join(back or names) or NONE, YES if back else NO


def _leads_to(env: Env, name: str, address: IPv4Address) -> bool:
    try:
        return str(address) in env.resolver.addresses(name, ("A",))
    except (NotFound, InvalidInput):
        return False
