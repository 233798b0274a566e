"""A cluster as eymail.toml and the directory describe it together.

The file has the hosts and what was dedicated by hand; the directory has what ``eymail source`` assigned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from eymail.config import Cluster, Dedicated

if TYPE_CHECKING:
    from eymail.env import Env
    from eymail.plan import Row


@dataclass(frozen=True)
class Assigned:
    """A source address that the directory has: its domains, and where hosts send from for it, by host.

    ``inside`` is empty where eymail.toml dedicates the same address and says it.
    """

    address: IPv4Address
    domains: tuple[str, ...]
    inside: Mapping[str, IPv4Address] = field(default_factory=dict)


def described(env: Env, name: str = "") -> Cluster:
    """The named cluster, or the one that the command is about, as eymail.toml has it.

    Raises NotFound, ConfigError.
    """
    return env.config.cluster(name) if name else env.cluster


def cluster(env: Env, name: str = "") -> Cluster:
    """As ``described``, with what the directory has for it, which is asked once.

    Raises NotFound, ConfigError, DirectoryError, HostError.
    """
    known = described(env, name)
    return extended(known, assigned(env, known.name))


def assigned(env: Env, name: str) -> tuple[Assigned, ...]:
    """What the directory assigns in a cluster, by address; nothing where no directory is.

    Raises DirectoryError, HostError.
    """
    from eymail.directory import stores

    settings = env.config.directory
    if env.config.path is None or (not settings.host and stores.absent(settings.url)):
        return ()
    return tuple(sorted(_assigned(env.directory.source_rows(name)), key=lambda one: one.address))


def _assigned(rows: Iterable[Row]) -> Iterator[Assigned]:
    domains: dict[str, dict[str, None]] = {}
    inside: dict[str, dict[str, IPv4Address]] = {}
    for row in rows:
        address = str(row["address"])
        of_address, hosts = domains.setdefault(address, {}), inside.setdefault(address, {})
        if row["sender_domain"] is not None:
            of_address[str(row["sender_domain"])] = None
        if row["host"] is not None:
            hosts[str(row["host"])] = IPv4Address(str(row["inside"]))
    for address, names in domains.items():
        yield Assigned(IPv4Address(address), tuple(names), inside[address])


def extended(known: Cluster, further: Iterable[Assigned]) -> Cluster:
    """A cluster with assigned addresses beside those that its description dedicates.

    An address that stands in both has the domains of both, and the file's inner addresses go first. The
    same assignments give the same cluster, in whatever order they come.
    """
    dedicated = {entry.address: entry for entry in known.dedicated}
    for one in sorted(further, key=lambda assigned: assigned.address):
        there = dedicated.get(one.address, Dedicated(one.address, (), {}))
        domains = tuple(dict.fromkeys((*there.domains, *sorted(one.domains))))
        if one.domains:
            inside = {**one.inside, **there.inside}
            of_hosts = {host.name: inside[host.name] for host in known.hosts if host.name in inside}
            dedicated[one.address] = Dedicated(one.address, domains, of_hosts)
    return replace(known, dedicated=tuple(dedicated.values()))
