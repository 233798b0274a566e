"""An inventory that has all that a working cluster needs, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from eymail.config import Cluster, Role
from eymail.errors import ConfigError

_NEEDED = (Role.GATEWAY, Role.LOAD_BALANCER, Role.RELAY, Role.DEFERRED, Role.MAIL, Role.SLICE)
_SENDING = (Role.RELAY, Role.DEFERRED)


@dataclass(frozen=True)
class Complete:
    """A cluster whose network and source address are known and whose every role is filled."""

    cluster: Cluster
    network: IPv4Network
    source_address: IPv4Address

    def addresses(self, *roles: Role) -> list[str]:
        """The main inner addresses of the hosts with these roles."""
        return [str(host.address) for host in self.cluster.with_role(*roles)]

    def sending_addresses(self, *roles: Role) -> list[str]:
        """All inner addresses from which the hosts with these roles send."""
        names = {host.name for host in self.cluster.with_role(*roles)}
        further = (
            str(address)
            for entry in self.cluster.dedicated
            for name, address in entry.inside.items()
            if name in names
        )
        return [*self.addresses(*roles), *further]

    @property
    def inner_addresses(self) -> list[str]:
        """Every inner address of every host."""
        return self.sending_addresses(*Role)

    def outward_name(self, address: IPv4Address) -> str:
        """The name of a source address: ``out`` for the cluster's own."""
        return "out" if address == self.source_address else outward_name(address)

    def names(self) -> Iterator[tuple[IPv4Address, str]]:
        """Every address of the cluster, inside and outside, with the name its PTR gives."""
        zone = self.cluster.zone
        for address in (self.source_address, *(entry.address for entry in self.cluster.dedicated)):
            yield address, f"{self.outward_name(address)}.{zone}"
        for host in self.cluster.hosts:
            yield host.address, f"{host.name}.{zone}"
            if host.public and host.public != self.source_address:
                yield host.public, f"{'mx' if host.role is Role.MAIL else host.name}.{zone}"


def outward_name(address: IPv4Address) -> str:
    """The name of a dedicated source address in the cluster's zone: ``out-198-51-100-7``.

    By address and not by place in a list, so that no other one's name changes when one comes or goes.
    """
    return f"out-{str(address).replace('.', '-')}"


def complete(cluster: Cluster) -> Complete:
    """The cluster, found to be complete. Raises ConfigError, which says what is missing or at odds."""
    _check_roles(cluster)
    if not cluster.name_servers:
        raise _missing(cluster, "name_servers", '["ns1.example.com"]')
    if cluster.network is None:
        raise _missing(cluster, "network", '"10.44.0.0/24"')
    if cluster.source_address is None:
        raise _missing(cluster, "source_address", '"203.0.113.10"')
    whole = Complete(cluster, cluster.network, cluster.source_address)
    _check_dedicated(cluster)
    _check_addresses(whole)
    _check_names(whole)
    return whole


def _missing(cluster: Cluster, key: str, example: str) -> ConfigError:
    return ConfigError(
        f"cluster {cluster.name} has no {key}",
        f"add {key} = {example} to [clusters.{cluster.name}]",
    )


def _check_roles(cluster: Cluster) -> None:
    for role in _NEEDED:
        if not cluster.with_role(role):
            raise ConfigError(
                f"cluster {cluster.name} has no host with role {role}",
                f'add [clusters.{cluster.name}.hosts.NAME] with role = "{role}" and its address',
            )
    gateways = cluster.with_role(Role.GATEWAY)
    if len(gateways) > 1:
        names = " and ".join(host.name for host in gateways)
        raise ConfigError(
            f"cluster {cluster.name} has {len(gateways)} gateways, {names}",
            "one host holds the source address; give the other another role",
        )
    mail = cluster.with_role(Role.MAIL)
    if not any(host.public for host in mail):
        raise ConfigError(
            f"mail host {mail[0].name} has no public address, so no mail comes in from outside",
            f'add public = "..." to [clusters.{cluster.name}.hosts.{mail[0].name}]',
        )


def _check_dedicated(cluster: Cluster) -> None:
    """A dedicated address keeps a reputation apart only when every host that sends knows it."""
    seen: dict[str, IPv4Address] = {}
    for entry in cluster.dedicated:
        if not entry.domains:
            raise ConfigError(f"dedicated address {entry.address} has no domains", 'add domains = ["..."]')
        for domain in entry.domains:
            if seen.setdefault(domain, entry.address) != entry.address:
                raise ConfigError(f"{domain} has two dedicated addresses: {seen[domain]} and {entry.address}")
        for host in cluster.with_role(*_SENDING):
            if host.name not in entry.inside:
                raise ConfigError(
                    f"dedicated address {entry.address} has no inner address on {host.name}",
                    f"add {host.name} to its inside, for mail from {entry.domains[0]} can leave by any relay"
                    " or deferred host; where eymail assigned it, run again:"
                    f" eymail source assign {entry.domains[0]} {entry.address}",
                )


def _check_addresses(whole: Complete) -> None:
    """Inner addresses lie in the network and outer ones do not; each stands for one thing."""
    cluster = whole.cluster
    inner = [(host.address, host.name) for host in cluster.hosts]
    outer = [(whole.source_address, "source_address")]
    for entry in cluster.dedicated:
        outer.append((entry.address, f"dedicated address of {', '.join(entry.domains)}"))
        inner += [(address, f"{name} for {entry.address}") for name, address in entry.inside.items()]
    gateway = cluster.with_role(Role.GATEWAY)[0]
    outer += [(host.public, host.name) for host in cluster.hosts if host.public and host is not gateway]
    for address, what in inner:
        if address not in whole.network:
            raise ConfigError(f"{what}: {address} is not in network {whole.network}")
    for address, what in outer:
        if address in whole.network:
            raise ConfigError(f"{what}: {address} is in the inner network {whole.network}")
    _check_twice([*inner, *outer])


def _check_twice(owned: list[tuple[IPv4Address, str]]) -> None:
    owners: dict[IPv4Address, str] = {}
    for address, what in owned:
        if address in owners:
            raise ConfigError(f"{address} stands twice in the inventory: {owners[address]} and {what}")
        owners[address] = what


def _check_names(whole: Complete) -> None:
    """The names that the zone gives to services are no host's."""
    taken = {"smtp", "mx", "out", *(whole.outward_name(entry.address) for entry in whole.cluster.dedicated)}
    for host in whole.cluster.hosts:
        if host.name in taken:
            raise ConfigError(
                f"no host can be called {host.name}: in the zone of a cluster this name is a service's",
                f"call it {host.name}-host, say",
            )
