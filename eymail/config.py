"""The configuration: eymail.toml, read strictly, and the inventory of clusters in it.

The file is ``--config``, else ``$EYMAIL_CONFIG``, else the user's, else
``/etc/eymail/eymail.toml``; never one in the current directory. With none at all,
the defaults stand. An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path

from eymail.errors import ConfigError, NotFound
from eymail.model import Address, parse_domain
from eymail.toml_table import Table, nearest

SYSTEM_FILE = Path("/etc/eymail/eymail.toml")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DIRECTORY_URL = "sqlite:////var/lib/eymail/directory.db"


class Role(StrEnum):
    """What a host is to its cluster."""

    GATEWAY = "gateway"
    LOAD_BALANCER = "load-balancer"
    RELAY = "relay"
    DEFERRED = "deferred"
    MAIL = "mail"
    SLICE = "slice"


@dataclass(frozen=True)
class HostEntry:
    """A host of a cluster.

    ``address`` is the inner one. ``public`` is the outside address under which the
    gateway lets a slice's SSH, or the mail host's port 25, in. ``ssh`` is the name
    to give to ssh (an alias of ~/.ssh/config, or user@host); the host's name if unset.
    """

    name: str
    role: Role
    address: IPv4Address
    public: IPv4Address | None = None
    ssh: str = ""

    @property
    def ssh_target(self) -> str:
        return self.ssh or self.name


@dataclass(frozen=True)
class Dedicated:
    """A source address of a customer's own: mail from ``domains`` leaves by ``address``.

    ``inside`` gives, per sending host, the second inner address that Exim binds
    to for such mail and that the gateway translates to ``address``.
    """

    address: IPv4Address
    domains: tuple[str, ...]
    inside: Mapping[str, IPv4Address]


@dataclass(frozen=True)
class UpdateSettings:
    """How records of the cluster's zones are changed (RFC 2136).

    ``server`` is the zones' primary, ADDRESS or ADDRESS:PORT; ``key_file`` holds the key that the
    messages are signed with, as ``tsig-keygen`` writes it.
    """

    server: str
    key_file: str


@dataclass(frozen=True)
class Cluster:
    """A cluster as the inventory describes it. ``zone`` is its own DNS zone.

    ``update`` is None where its DNS is changed by others.
    """

    name: str
    zone: str
    spf_name: str
    network: IPv4Network | None = None
    source_address: IPv4Address | None = None
    postmaster: str = ""
    name_servers: tuple[str, ...] = ()
    size_limit: str = "50M"
    block_lists: tuple[str, ...] = ()
    tls_certificate: str = "/etc/ssl/eymail/cert.pem"
    tls_key: str = "/etc/ssl/eymail/key.pem"
    dedicated: tuple[Dedicated, ...] = ()
    hosts: tuple[HostEntry, ...] = ()
    update: UpdateSettings | None = None

    def with_role(self, *roles: Role) -> tuple[HostEntry, ...]:
        """The hosts that have one of these roles, in the inventory's order."""
        return tuple(host for host in self.hosts if host.role in roles)

    def host(self, name: str) -> HostEntry:
        """The host of this name. Raises NotFound."""
        for host in self.hosts:
            if host.name == name:
                return host
        known = [host.name for host in self.hosts]
        raise NotFound(f"cluster {self.name} has no host {name!r}", nearest(name, known))


@dataclass(frozen=True)
class DirectorySettings:
    """Where the directory is. ``host`` is the mail host that it lies on, empty for this machine."""

    url: str = DIRECTORY_URL
    host: str = ""


@dataclass(frozen=True)
class DnsSettings:
    """Name servers to ask, as ADDRESS or ADDRESS:PORT; the machine's own if empty.

    ``timeout`` is the deadline of a whole look-up, in seconds.
    """

    servers: tuple[str, ...] = ()
    timeout: float = 8.0


@dataclass(frozen=True)
class SshSettings:
    """``config`` stands in for ~/.ssh/config; ``timeout`` for a connection, in seconds."""

    config: str = ""
    timeout: float = 10.0


@dataclass(frozen=True)
class TlsSettings:
    """``ca_file`` is trusted beside the machine's own certification authorities."""

    ca_file: str = ""


@dataclass(frozen=True)
class Config:
    """The whole configuration. ``path`` is None when the defaults stand alone."""

    path: Path | None = None
    default_cluster: str = ""
    directory: DirectorySettings = DirectorySettings()
    dns: DnsSettings = DnsSettings()
    ssh: SshSettings = SshSettings()
    tls: TlsSettings = TlsSettings()
    clusters: Mapping[str, Cluster] | None = None

    def cluster(self, name: str = "") -> Cluster:
        """The named cluster, or the default, or the only one. Raises NotFound."""
        clusters = self.clusters or {}
        wanted = name or self.default_cluster or (next(iter(clusters)) if len(clusters) == 1 else "")
        if wanted in clusters:
            return clusters[wanted]
        if not wanted:
            raise NotFound("no cluster was named", "add --cluster NAME, or default_cluster to eymail.toml")
        if not clusters:
            raise NotFound(
                f"cluster {wanted!r} is in no inventory, for there is no configuration file",
                "write /etc/eymail/eymail.toml, or name a file with --config",
            )
        raise NotFound(f"no cluster {wanted!r} in {self.path}", nearest(wanted, clusters))


def load(explicit: str | None = None) -> Config:
    """Find and read the configuration. Raises ConfigError."""
    path = _find(explicit)
    return Config() if path is None else read(path)


def _find(explicit: str | None) -> Path | None:
    named = explicit or os.environ.get("EYMAIL_CONFIG")
    if named:
        return Path(named)
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for path in (home / "eymail" / "eymail.toml", SYSTEM_FILE):
        if path.exists():
            return path
    return None


def read(path: Path) -> Config:
    """Read one file. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror}",
            "name another with --config or EYMAIL_CONFIG",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    return parse(document, path)


def parse(document: Mapping[str, object], path: Path) -> Config:
    """The configuration in a TOML document. Raises ConfigError, which names the key."""
    top = Table(str(path), "", document)
    config = Config(
        path=path,
        default_cluster=top.text("default_cluster"),
        directory=_directory(top.table("directory")),
        dns=_dns(top.table("dns")),
        ssh=_ssh(top.table("ssh")),
        tls=_tls(top.table("tls")),
        clusters={name: _cluster(name, table) for name, table in top.tables("clusters")},
    )
    top.finish()
    return config


def _directory(table: Table) -> DirectorySettings:
    settings = DirectorySettings(table.text("url", DIRECTORY_URL), table.text("host"))
    table.finish()
    return settings


def _dns(table: Table) -> DnsSettings:
    settings = DnsSettings(table.texts("servers"), table.number("timeout", DnsSettings.timeout))
    table.finish()
    return settings


def _ssh(table: Table) -> SshSettings:
    settings = SshSettings(table.text("config"), table.number("timeout", SshSettings.timeout))
    table.finish()
    return settings


def _tls(table: Table) -> TlsSettings:
    settings = TlsSettings(table.text("ca_file"))
    table.finish()
    return settings


def _cluster(name: str, table: Table) -> Cluster:
    zone = table.parsed("zone", parse_domain, f"{name}.engineyard.com")
    spf_name = table.parsed(
        "spf_name",
        lambda text: parse_domain(text.replace("{cluster}", name), service_labels=True),
        "_spf.{cluster}.engineyard.com",
    )
    cluster = Cluster(
        name=name,
        zone=zone,
        spf_name=spf_name,
        network=table.optional("network", IPv4Network),
        source_address=table.optional("source_address", IPv4Address),
        postmaster=table.parsed("postmaster", _postmaster, f"postmaster@{zone}"),
        name_servers=tuple(table.each("name_servers", parse_domain)),
        size_limit=table.parsed("size_limit", _size, Cluster.size_limit),
        block_lists=tuple(table.each("block_lists", parse_domain)),
        tls_certificate=table.parsed("tls_certificate", _path, Cluster.tls_certificate),
        tls_key=table.parsed("tls_key", _path, Cluster.tls_key),
        dedicated=tuple(_dedicated(entry) for entry in table.list_of_tables("dedicated")),
        hosts=tuple(_host(host, entry) for host, entry in table.tables("hosts")),
        update=_update(table.table("update")),
    )
    table.finish()
    _check_hosts(cluster, table)
    return cluster


def _host(name: str, table: Table) -> HostEntry:
    host = HostEntry(
        name=name,
        role=table.required("role", Role),
        address=table.required("address", IPv4Address),
        public=table.optional("public", IPv4Address),
        ssh=table.text("ssh"),
    )
    table.finish()
    return host


def _update(table: Table) -> UpdateSettings | None:
    if not tuple(table):
        return None
    settings = UpdateSettings(table.required("server", _server), table.required("key_file", _key_file))
    table.finish()
    return settings


def _dedicated(table: Table) -> Dedicated:
    inside = table.table("inside")
    dedicated = Dedicated(
        address=table.required("address", IPv4Address),
        domains=tuple(table.each("domains", parse_domain)),
        inside={name: inside.required(name, IPv4Address) for name in inside},
    )
    inside.finish()
    table.finish()
    return dedicated


def _check_hosts(cluster: Cluster, table: Table) -> None:
    names = [host.name for host in cluster.hosts]
    for name in (cluster.name, *names):
        if not _NAME.fullmatch(name):
            raise table.error(name, "must be one label of a host name: a-z, 0-9 and -")
    for name in (name for dedicated in cluster.dedicated for name in dedicated.inside):
        if name not in names:
            raise table.error("dedicated.inside", f"names no host: {name!r}", nearest(name, names))
    for host in cluster.hosts:
        if cluster.network and host.address not in cluster.network:
            problem = f"{host.address} is not in network {cluster.network}"
            raise table.error(f"hosts.{host.name}.address", problem)


def _postmaster(text: str) -> str:
    """An address that stands in daemons' files, where $, % and # have meanings."""
    address = Address.parse(text)
    if not re.fullmatch(r"[a-z0-9._+-]+", address.local):
        raise ValueError("a postmaster's address has letters, digits, and . _ + - before its @")
    return str(address)


def _server(text: str) -> str:
    address, _, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "53")
    ip_address(address.strip("[]"))
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("a name server is ADDRESS or ADDRESS:PORT")
    return text


def _key_file(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("an absolute path")
    return text


def _size(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,8}[KMG]?", text):
        raise ValueError("a size looks like 50M")
    return text


def _path(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", text):
        raise ValueError("an absolute path of letters, digits, and . _ -")
    return text
