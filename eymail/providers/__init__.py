"""Who receives a domain's mail, told from its MX.

A domain has one provider at a time. Besides the clusters themselves, those that an administrator of
clusters meets are known by the names that they give their customers to publish.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Provider:
    """A mail provider.

    Its MX are ``targets``, end in ``suffixes``, or lead to ``addresses``. ``imap_host`` (TLS, port 993)
    is where people read their mail, ``spf_include`` what a domain's SPF record includes; empty where
    eymail has no use for them.
    """

    name: str
    title: str
    cluster: str = ""
    targets: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    imap_host: str = ""
    spf_include: str = ""

    def receives(self, target: str, addresses: Iterable[str] = ()) -> bool:
        """Does an MX with this target, which leads to these addresses, lead to the provider?"""
        named = target in self.targets or any(target.endswith(suffix) for suffix in self.suffixes)
        return named or not set(self.addresses).isdisjoint(addresses)

    def public(self) -> dict[str, str]:
        """Which provider it is, for a reader of JSON."""
        return {"name": self.name, "title": self.title, "cluster": self.cluster}


# Rackspace's own documentation of its MX, IMAP host and SPF record.
MAILTRUST = Provider(
    "mailtrust",
    "mailtrust (Rackspace Email)",
    targets=("mx1.emailsrvr.com", "mx2.emailsrvr.com"),
    imap_host="secure.emailsrvr.com",
    spf_include="emailsrvr.com",
)
# A name before the suffixes is the customer's own (Microsoft), or one of alt1 to alt4 (Google).
GOOGLE = Provider(
    "google",
    "Google Workspace",
    targets=("smtp.google.com", "aspmx.l.google.com"),
    suffixes=(".aspmx.l.google.com",),
    spf_include="_spf.google.com",
)
MICROSOFT = Provider(
    "microsoft",
    "Microsoft 365",
    suffixes=(".mail.protection.outlook.com", ".mx.microsoft"),
    spf_include="spf.protection.outlook.com",
)
OTHER = Provider("other", "another provider")
NULL = Provider("null", "no mail wanted (null MX)")
NONE = Provider("none", "no MX")
SEVERAL = Provider("several", "several providers at once")

_HOSTED = (MAILTRUST, GOOGLE, MICROSOFT)
_CLUSTER_MX = re.compile(r"mx\.([a-z0-9][a-z0-9-]*)\.engineyard\.com")


def of_cluster(name: str, zone: str, addresses: Iterable[str] = ()) -> Provider:
    """A cluster as a provider: MX point to ``mx.<zone>``, or to its mail hosts' public ``addresses``."""
    return Provider("cluster", f"cluster {name}", name, (f"mx.{zone}",), addresses=tuple(addresses))


def provider_of(
    targets: Iterable[str],
    clusters: Iterable[Provider] = (),
    addresses: Mapping[str, tuple[str, ...]] | None = None,
) -> Provider:
    """The one provider that a set of MX targets leads to; "" is a null MX (RFC 7505).

    ``addresses`` are those that targets lead to, where they are known. SEVERAL when the targets lead to
    more than one, NONE when there are none.
    """
    known = (*clusters, *_HOSTED)
    found = {_one(target, known, (addresses or {}).get(target, ())) for target in targets}
    if len(found) > 1:
        return SEVERAL
    return found.pop() if found else NONE


def _one(target: str, known: Iterable[Provider], addresses: tuple[str, ...]) -> Provider:
    if not target:
        return NULL
    named = next((provider for provider in known if provider.receives(target, addresses)), None)
    return named or _by_convention(target)


def _by_convention(target: str) -> Provider:
    """A cluster that no inventory here describes is known by the name of its mail host."""
    match = _CLUSTER_MX.fullmatch(target)
    return of_cluster(match[1], f"{match[1]}.engineyard.com") if match else OTHER
