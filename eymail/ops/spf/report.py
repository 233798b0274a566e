"""The report on whatever a TARGET names."""

from __future__ import annotations

from eymail.env import Env
from eymail.model import parse_domain
from eymail.ops.spf.cluster import SourceAddresses, of_cluster
from eymail.ops.spf.domain import DomainSpf, of_domain


def of_target(env: Env, target: str, *, deadline: float) -> SourceAddresses | DomainSpf:
    """A cluster's source addresses, or a domain's SPF when the target has a dot.

    Raises NotFound when nothing is published, DnsError, and InvalidInput when it is neither's name.
    """
    if "." in target:
        return of_domain(env, parse_domain(target, service_labels=True), deadline=deadline)
    return of_cluster(env, target, deadline=deadline)
