"""An inventory that has all that a working cluster needs, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from eymail.config import Cluster, Role
from eymail.errors import ConfigError

_NEEDED = (Role.GATEWAY, Role.LOAD_BALANCER, Role.RELAY, Role.DEFERRED, Role.MAIL, Role.SLICE)


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
        """The name of a source address: ``out``, or ``outN`` for the Nth dedicated one."""
        dedicated = [entry.address for entry in self.cluster.dedicated]
        return "out" if address == self.source_address else f"out{dedicated.index(address) + 1}"

    def names(self) -> Iterator[tuple[IPv4Address, str]]:
        """Every address of the cluster, inside and outside, with the name its PTR gives."""
        zone = self.cluster.zone
        for address in (self.source_address, *(entry.address for entry in self.cluster.dedicated)):
            yield address, f"{self.outward_name(address)}.{zone}"
        for host in self.cluster.hosts:
            yield host.address, f"{host.name}.{zone}"
            if host.public and host.public != self.source_address:
                yield host.public, f"{'mx' if host.role is Role.MAIL else host.name}.{zone}"


def complete(cluster: Cluster) -> Complete:
    """The cluster, found to be complete. Raises ConfigError, which says what is missing."""
    for role in _NEEDED:
        if not cluster.with_role(role):
            raise ConfigError(
                f"cluster {cluster.name} has no host with role {role}",
                f'add [clusters.{cluster.name}.hosts.NAME] with role = "{role}" and its address',
            )
    if not cluster.name_servers:
        raise _missing(cluster, "name_servers", '["ns1.example.com"]')
    if cluster.network is None:
        raise _missing(cluster, "network", '"10.44.0.0/24"')
    if cluster.source_address is None:
        raise _missing(cluster, "source_address", '"203.0.113.10"')
    return Complete(cluster, cluster.network, cluster.source_address)


def _missing(cluster: Cluster, key: str, example: str) -> ConfigError:
    return ConfigError(
        f"cluster {cluster.name} has no {key}",
        f"add {key} = {example} to [clusters.{cluster.name}]",
    )
