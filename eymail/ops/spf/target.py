"""What a TARGET names: a cluster's published name, or a domain as it stands."""

from __future__ import annotations

import re

from eymail.config import Config
from eymail.errors import InvalidInput
from eymail.model import quoted

_PATTERN = "_spf.{cluster}.engineyard.com"
_CLUSTER_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def is_cluster(target: str) -> bool:
    """A cluster's name has one label, a domain's has several."""
    return bool(_CLUSTER_NAME.fullmatch(target))


def published_name(config: Config, cluster: str) -> str:
    """Where a cluster's source addresses are published. Raises InvalidInput when it can be no cluster."""
    inventory = (config.clusters or {}).get(cluster)
    if inventory:
        return inventory.spf_name
    if "." in cluster:
        raise InvalidInput(f"{quoted(cluster)} is a domain", "a cluster is meant here, such as ey04")
    if not is_cluster(cluster):
        raise InvalidInput(f"{quoted(cluster)} is neither a cluster nor a domain", "try ey04, or example.com")
    return _PATTERN.format(cluster=cluster)


def policy_domain(config: Config, target: str, identity: str) -> str:
    """The domain whose policy is evaluated: the target's, else that of the client's identity.

    Anything goes: what is no domain has no policy (RFC 7208 section 4.3).
    """
    if is_cluster(target):
        return published_name(config, target)
    return a_labels(target or identity).removesuffix(".")


def a_labels(name: str) -> str:
    """A name with its non-ASCII labels encoded (RFC 5890 section 2.3.1), as it stands when it cannot be."""
    if name.isascii():
        return name
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        return name
