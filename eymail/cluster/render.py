"""Every host's configuration, rendered from the inventory.

A role has a list of files, each with its template; a template gets plain values that the
configuration has already checked, so nothing in an inventory can end a line or a string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eymail.cluster.complete import Complete, complete
from eymail.cluster.services import ADDRESSES, ADDRESSES_SCRIPT, EXIM, NFTABLES
from eymail.cluster.zones import Zone, serial, zones
from eymail.config import Cluster, DirectorySettings, HostEntry, Role
from eymail.errors import ConfigError

if TYPE_CHECKING:
    from jinja2 import Environment

DNS = "dns"
"""The place of zone files among the hosts; they go wherever the zones are served."""


@dataclass(frozen=True)
class RenderedFile:
    """A file as it is to lie on a host; ``host`` is DNS for zone files.

    ``service`` names what has to take it up (``services.SERVICES``); empty when that is up to others.
    """

    host: str
    path: str
    content: str
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    service: str = ""


@dataclass(frozen=True)
class _Source:
    """A template and where its file goes."""

    template: str
    path: str
    mode: int = 0o644
    group: str = "root"
    service: str = ""


_EXIM = "/etc/exim4/exim4.conf"
_SSHD = _Source("sshd.conf.j2", "/etc/ssh/sshd_config.d/00-eymail.conf")
_ADDRESSES = _Source("addresses.sh.j2", ADDRESSES_SCRIPT, 0o755, service=ADDRESSES)
_QUEUE_RUNNERS = _Source("exim4.default.j2", "/etc/default/exim4")
# An address comes before what uses it: in this order a host takes its files up.
_FILES: dict[Role, tuple[_Source, ...]] = {
    Role.GATEWAY: (
        _ADDRESSES,
        _Source("nftables.conf.j2", "/etc/nftables.conf", 0o755, service=NFTABLES),
        _Source("forwarding.conf.j2", "/etc/sysctl.d/eymail.conf"),
        _SSHD,
    ),
    Role.LOAD_BALANCER: (_Source("haproxy.cfg.j2", "/etc/haproxy/haproxy.cfg"), _SSHD),
    Role.RELAY: (_ADDRESSES, _Source("relay.exim.j2", _EXIM, service=EXIM), _QUEUE_RUNNERS, _SSHD),
    Role.DEFERRED: (_ADDRESSES, _Source("deferred.exim.j2", _EXIM, service=EXIM), _QUEUE_RUNNERS, _SSHD),
    Role.MAIL: (
        _Source("mail.exim.j2", _EXIM, service=EXIM),
        _QUEUE_RUNNERS,
        _Source("dovecot.conf.j2", "/etc/dovecot/dovecot.conf"),
        _Source("dovecot-directory.conf.j2", "/etc/dovecot/directory.conf.ext", 0o640, "dovecot"),
        _Source("dovecot.logrotate.j2", "/etc/logrotate.d/eymail-dovecot"),
        _SSHD,
    ),
    Role.SLICE: (_SSHD,),
}


def render(cluster: Cluster, directory: DirectorySettings) -> tuple[RenderedFile, ...]:
    """Every file of every host of the cluster, and its zones.

    Raises ConfigError when the inventory lacks what a working cluster needs.
    """
    whole = complete(cluster)
    environment = _environment()
    files = (
        _host_file(environment, host, source, context)
        for host in cluster.hosts
        for context in (_context(whole, host, directory),)
        for source in _FILES[host.role]
    )
    return (*files, *(_zone_file(environment, zone) for zone in zones(whole)))


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("eymail.cluster", "templates")
    # Nothing here is HTML: escaping for it would break every file.
    return Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701


def _host_file(
    environment: Environment, host: HostEntry, source: _Source, context: dict[str, Any]
) -> RenderedFile:
    content = environment.get_template(source.template).render(context, path=source.path)
    return RenderedFile(host.name, source.path, content, source.mode, "root", source.group, source.service)


def _zone_file(environment: Environment, zone: Zone) -> RenderedFile:
    path = f"/zones/{zone.name}.zone"
    template = environment.get_template(zone.template)
    context = {**zone.context, "path": path}
    content = template.render(context, serial=serial(template.render(context, serial=0)))
    return RenderedFile(DNS, path, content)


def _context(whole: Complete, host: HostEntry, directory: DirectorySettings) -> dict[str, Any]:
    cluster = whole.cluster
    return {
        "cluster": cluster,
        "host": host,
        "inner_addresses": whole.inner_addresses,
        "balancers": whole.addresses(Role.LOAD_BALANCER),
        "relay_hosts": cluster.with_role(Role.RELAY),
        "relays": whole.sending_addresses(Role.RELAY),
        "deferred": whole.addresses(Role.DEFERRED),
        "senders": whole.sending_addresses(Role.RELAY, Role.DEFERRED),
        "slices": [entry for entry in cluster.with_role(Role.SLICE) if entry.public],
        "mail_hosts": [entry for entry in cluster.with_role(Role.MAIL) if entry.public],
        "dedicated": _dedicated(cluster, host),
        "directory_file": _directory_file(directory),
        **_extra_addresses(whole, host),
        **_forwards(whole, host),
    }


def _dedicated(cluster: Cluster, host: HostEntry) -> list[dict[str, Any]]:
    """The dedicated addresses that matter on this host: all on the gateway, elsewhere its own."""
    return [
        {
            "address": entry.address,
            "domains": entry.domains,
            "inside": entry.inside.get(host.name),
            "all_inside": list(entry.inside.values()),
        }
        for entry in cluster.dedicated
        if host.role is Role.GATEWAY or host.name in entry.inside
    ]


def _directory_file(directory: DirectorySettings) -> str:
    match = re.fullmatch(r"sqlite:///(/[A-Za-z0-9_./-]+)", directory.url)
    if not match:
        raise ConfigError(
            "the mail host's look-ups are rendered for SQLite, and directory.url is no SQLite file",
            "write it as sqlite:////var/lib/eymail/directory.db",
        )
    return match[1]


def _extra_addresses(whole: Complete, host: HostEntry) -> dict[str, Any]:
    """What a host holds beside its main address, and the address on whose interface that goes."""
    cluster = whole.cluster
    if host.role is Role.GATEWAY:
        public = [entry.public for entry in cluster.hosts if entry.public and entry.role is not Role.GATEWAY]
        extra = [*(entry.address for entry in cluster.dedicated), *public]
        return {"near": cluster.source_address, "extra": extra}
    inside = [entry.inside[host.name] for entry in cluster.dedicated if host.name in entry.inside]
    return {"near": host.address, "extra": inside}


def _forwards(whole: Complete, host: HostEntry) -> dict[str, Any]:
    """Where this host's sshd lets a connection be forwarded to."""
    cluster = whole.cluster
    if host.role is Role.GATEWAY:
        others = [entry for entry in cluster.hosts if entry.role is not Role.GATEWAY]
        reason = "Administrators reach the other hosts by way of here: their SSH and nothing else."
        ends = [f"{end}:22" for entry in others for end in _called(whole, entry)]
        return {"forwards": ends, "reason": reason}
    if host.role is Role.SLICE:
        reason = "Tunnels lead to the mail host and to the name smtp, and nowhere else."
        return {"forwards": list(_tunnel_ends(whole)), "reason": reason}
    return {"forwards": [], "reason": ""}


def _called(whole: Complete, host: HostEntry) -> tuple[str, ...]:
    """What a client may call a host of the cluster."""
    return str(host.address), host.name, f"{host.name}.{whole.cluster.zone}"


def _tunnel_ends(whole: Complete) -> Iterator[str]:
    zone = whole.cluster.zone
    for mail in whole.cluster.with_role(Role.MAIL):
        for end in _called(whole, mail):
            yield from (f"{end}:{port}" for port in (143, 993, 110, 995))
    for end in (*whole.addresses(Role.LOAD_BALANCER), "smtp", f"smtp.{zone}"):
        yield f"{end}:25"
