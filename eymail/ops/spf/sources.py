"""A cluster's source addresses as the inventory has them, the directory's part where it can be asked."""

from __future__ import annotations

from collections.abc import Iterator

from eymail.config import Cluster
from eymail.env import Env
from eymail.errors import DirectoryError, HostError
from eymail.model import Failure
from eymail.ops import inventory


def known_of(env: Env, cluster: Cluster) -> tuple[Cluster, Failure | None]:
    """A cluster with what the directory assigns; without it, and why, where the directory is out of reach."""
    try:
        return inventory.cluster(env, cluster.name), None
    except (DirectoryError, HostError) as error:
        told = f"not checked: source addresses that the directory assigns: {error.message}"
        return cluster, Failure(error.code, told, error.hint)


def expected(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Each source address of a cluster, and what it is for."""
    if cluster.source_address:
        yield str(cluster.source_address), "cluster"
    for entry in cluster.dedicated:
        yield str(entry.address), f"dedicated to {', '.join(entry.domains)}"
