"""The report on whatever a TARGET names."""

from __future__ import annotations

from eymail.env import Env
from eymail.model import parse_domain
from eymail.ops.spf.cluster import SourceAddresses, of_cluster
from eymail.ops.spf.domain import DomainSpf, of_domain


def of_target(env: Env, target: str, *, deadline: float, check: bool = False) -> SourceAddresses | DomainSpf:
    """A cluster's source addresses, or a domain's SPF when the target has a dot.

    With ``check`` what is wrong is exit code 3.
    Raises NotFound when nothing is published, DnsError, and InvalidInput when it is neither's name.
    """
    if "." in target:
        return of_domain(env, parse_domain(target, service_labels=True), deadline=deadline, check=check)
    return of_cluster(env, target, deadline=deadline, check=check)
