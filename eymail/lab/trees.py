"""What lies in each host before it starts: rendered files, keys and certificates, the outside's own files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from eymail import config
from eymail.cluster.render import DNS, RenderedFile, render
from eymail.config import Cluster, DirectorySettings
from eymail.lab import outside, provider
from eymail.lab.inventory import inventory, ssh_config
from eymail.lab.keys import Authority, ssh_key, tsig_key
from eymail.lab.state import State
from eymail.lab.topology import CLUSTER, ZONE, LabHost, Topology

_CERTIFIED = {
    "mail1": (f"mail1.{ZONE}", f"mx.{ZONE}"),
    "mx-accept": ("mx.accept.example",),
    "mailtrust": ("secure.emailsrvr.com", "mx1.emailsrvr.com", "mx2.emailsrvr.com"),
}
_DIRECTORY = "/var/lib/eymail/directory.db"


def write(state: State, topology: Topology, release: str) -> None:
    """Write the administrator's files and every host's tree."""
    _write(state.config, inventory(topology, state.folder))
    settings = config.read(state.config)
    rendered = render(settings.cluster(CLUSTER), settings.directory)
    authority = Authority()
    _write(state.folder / "ca.pem", authority.pem)
    _write(state.resolv_conf, f"nameserver {topology.resolver}\nsearch {ZONE}\n")
    files = [
        *(file for file in rendered if file.host != DNS and _fits(file, release)),
        *_keys(state, topology),
        *_certificates(authority),
        *_outside(state, topology, rendered, release),
    ]
    for host in topology.hosts():
        _tree(state.tree(host.name), host, topology, [file for file in files if file.host == host.name])
    _directory(state)


def _fits(file: RenderedFile, release: str) -> bool:
    """Dovecot is rendered in the language of 2.3: where it is 2.4, Debian's own configuration stays."""
    return release == "bookworm" or not file.path.startswith("/etc/dovecot/")


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode)
    path.write_text(text)


def _tree(folder: Path, host: LabHost, topology: Topology, files: Iterable[RenderedFile]) -> None:
    for file in files:
        _write(folder / "files" / file.path.lstrip("/"), file.content)
    lines = (f"{file.mode:o} {file.owner} {file.group} {file.path}\n" for file in files)
    _write(folder / "manifest", "".join(lines))
    _write(folder / "services", "".join(f"{service}\n" for service in host.services))
    if host.inside and not host.outside:
        _write(folder / "gateway", f"{topology.inside(2)}\n")


def _keys(state: State, topology: Topology) -> Iterator[RenderedFile]:
    """SSH: a key for every host that has sshd, known to the administrator; his own key on each."""
    administrator = ssh_key()
    _write(state.folder / "id_ed25519", administrator.private, 0o600)
    _write(state.folder / "ssh_config", ssh_config(topology, state.folder))
    known = []
    for host in topology.hosts():
        if "ssh" not in host.services:
            continue
        key = ssh_key()
        known.append(f"{host.name}.{ZONE} {key.public}\n")
        yield RenderedFile(host.name, "/etc/ssh/ssh_host_ed25519_key", key.private, 0o600)
        authorized = administrator.public + "\n"
        yield RenderedFile(host.name, "/root/.ssh/authorized_keys", authorized, 0o600)
        path = "/home/deploy/.ssh/authorized_keys"
        yield RenderedFile(host.name, path, authorized, 0o600, "deploy", "deploy")
    _write(state.folder / "known_hosts", "".join(known))


def _certificates(authority: Authority) -> Iterator[RenderedFile]:
    for host, names in _CERTIFIED.items():
        certificate, key = authority.issue(*names)
        group = "Debian-exim" if host == "mail1" else "root"
        yield RenderedFile(host, Cluster.tls_certificate, certificate)
        yield RenderedFile(host, Cluster.tls_key, key, 0o640, "root", group)


def _outside(
    state: State, topology: Topology, rendered: Iterable[RenderedFile], release: str
) -> Iterator[RenderedFile]:
    cluster_zones = {Path(file.path).stem: file.content for file in rendered if file.host == DNS}
    zones = outside.zones(topology, cluster_zones)
    for name, text in zones.items():
        # Knot's "%s" is a zone's name without its last dot, and the root's is then empty.
        path = f"/var/lib/knot/zones/{name.rstrip('.')}.zone"
        yield RenderedFile("ns1", path, text, 0o644, "knot", "knot")
    names = (*zones, outside.BROKEN_ZONE)
    key = tsig_key("eymail")
    _write(state.folder / "tsig.key", key.file, 0o600)
    for server, updates in (("ns1", outside.Updates(cluster_zones, key)), ("ns2", None)):
        conf = outside.knot_conf(topology, names, updates)
        yield RenderedFile(server, "/etc/knot/knot.conf", conf, 0o640, "root", "knot")
    yield RenderedFile("resolver", "/etc/unbound/unbound.conf", outside.unbound_conf(topology))
    yield RenderedFile("resolver", "/etc/unbound/root.hints", outside.root_hints(topology))
    yield RenderedFile("mailtrust", "/etc/dovecot/dovecot.conf", provider.dovecot_conf(release))


def _directory(state: State) -> None:
    """An empty directory for the mail host, made as eymail makes any: by its migrations."""
    from eymail.directory import open_directory

    tree = state.tree("mail1")
    file = tree / "files" / _DIRECTORY.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    settings = DirectorySettings(f"sqlite:///{file}")
    with open_directory(settings.url, None) as directory:
        directory.migrate()
    with (tree / "manifest").open("a") as manifest:
        manifest.write(f"2770 Debian-exim Debian-exim {Path(_DIRECTORY).parent}/\n")
        manifest.write(f"660 Debian-exim Debian-exim {_DIRECTORY}\n")
