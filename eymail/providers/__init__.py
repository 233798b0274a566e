"""Who receives a domain's mail, told from its MX.

A domain has one provider at a time. Besides the cluster itself, those that an administrator
of clusters meets are known by the names that they give their customers to publish.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Provider:
    """A mail provider: its MX are ``targets``, or end in ``suffixes``."""

    name: str
    title: str
    targets: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()

    def receives(self, target: str) -> bool:
        """Does an MX with this target lead to the provider?"""
        return target in self.targets or any(target.endswith(suffix) for suffix in self.suffixes)


MAILTRUST = Provider("mailtrust", "Rackspace Email (mailtrust)", ("mx1.emailsrvr.com", "mx2.emailsrvr.com"))
_HOSTED = (
    MAILTRUST,
    Provider("google", "Google Workspace", ("smtp.google.com",), ("aspmx.l.google.com", ".googlemail.com")),
    Provider("microsoft", "Microsoft 365", (), (".mail.protection.outlook.com", ".mx.microsoft")),
)
OTHER = Provider("other", "another provider")
NONE = Provider("none", "no mail (null MX)")
MIXED = Provider("mixed", "several providers at once")


def cluster(name: str, zone: str) -> Provider:
    """The cluster itself as a provider: domains point their MX at ``mx.<zone>``."""
    return Provider(name, f"cluster {name}", (f"mx.{zone}",))


def provider_of(targets: Iterable[str], clusters: Iterable[Provider] = ()) -> Provider:
    """The provider that a set of MX targets leads to; MIXED when they lead to more than one."""
    known = (*clusters, *_HOSTED)
    found = {_one(target, known) for target in targets}
    if len(found) == 1:
        return found.pop()
    return MIXED if found else OTHER


def _one(target: str, known: Iterable[Provider]) -> Provider:
    if not target:
        return NONE
    return next((provider for provider in known if provider.receives(target)), OTHER)
