"""Clusters of the inventory, and the configuration that is rendered from it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from eymail.cluster.render import RenderedFile, render
from eymail.config import Cluster, Role
from eymail.env import Env
from eymail.errors import DirectoryError, EymailError, HostError, NotFound
from eymail.model import Failure, Result, View
from eymail.ops import inventory
from eymail.toml_table import nearest


@dataclass(frozen=True)
class ClusterSummary:
    """A cluster in a line."""

    name: str
    zone: str
    source_address: str
    hosts: int
    default: bool


@dataclass(frozen=True)
class ClusterList(Result):
    """The clusters of the inventory."""

    clusters: tuple[ClusterSummary, ...]

    def view(self) -> View:
        columns = ("cluster", "zone", "source address", "hosts", "default")
        rows = tuple((c.name, c.zone, c.source_address, c.hosts, c.default) for c in self.clusters)
        return View(columns, rows, "" if rows else "no cluster is in the inventory")


@dataclass(frozen=True)
class ClusterHost:
    """A host of a cluster. ``source`` is how its mail is seen from outside, for those that send."""

    name: str
    role: str
    address: str
    public: str
    source: str


@dataclass(frozen=True)
class DedicatedAddress:
    """A customer's own source address, and the sender domains whose mail leaves by it."""

    address: str
    domains: tuple[str, ...]


@dataclass(frozen=True)
class ClusterDetails(Result):
    """A cluster with its hosts."""

    name: str
    zone: str
    network: str
    source_address: str
    spf_name: str
    dedicated: tuple[DedicatedAddress, ...]
    hosts: tuple[ClusterHost, ...]
    missing: tuple[Failure, ...] = field(default=(), metadata={"json": False})

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.missing

    def view(self) -> View:
        columns = ("host", "role", "inside", "outside", "sends as")
        rows = tuple((h.name, h.role, h.address, h.public, h.source) for h in self.hosts)
        title = f"{self.name}: zone {self.zone}, network {self.network}, source address {self.source_address}"
        return View(columns, rows, title)


@dataclass(frozen=True)
class FileDetails:
    """A rendered file; ``mode`` is octal."""

    host: str
    path: str
    mode: str
    owner: str
    content: str


@dataclass(frozen=True)
class Rendering(Result):
    """The files of a cluster's hosts; ``folder`` is where they were written, if they were."""

    cluster: str
    folder: str
    files: tuple[FileDetails, ...]

    def view(self) -> View:
        rows = tuple((f.host, f.path, f.mode, f.owner, len(f.content.splitlines())) for f in self.files)
        title = f"{len(rows)} files of cluster {self.cluster}"
        written = (f"{len(rows)} files are written below {self.folder}",) if self.folder else ()
        return View(("host", "path", "mode", "owner", "lines"), rows, title, notes=written)


@dataclass(frozen=True)
class FileContent(Result):
    """One rendered file, to read or to pipe."""

    file: FileDetails

    def view(self) -> View:
        lines = tuple((line,) for line in self.file.content.splitlines())
        return View((f"{self.file.host}:{self.file.path}",), lines)


def list_all(env: Env) -> ClusterList:
    """Every cluster of the inventory."""
    config = env.config
    default = config.default_cluster
    return ClusterList(
        tuple(
            ClusterSummary(c.name, c.zone, str(c.source_address or ""), len(c.hosts), c.name == default)
            for c in (config.clusters or {}).values()
        )
    )


def show(env: Env, name: str) -> ClusterDetails:
    """A cluster and its hosts. Raises NotFound.

    Where the directory cannot be asked, that is a failure of the result, which has what eymail.toml says.
    """
    cluster, missing = _described(env, name)
    hosts = tuple(
        ClusterHost(
            host.name, host.role, str(host.address), str(host.public or ""), _sends_as(cluster, host.name)
        )
        for host in cluster.hosts
    )
    dedicated = tuple(DedicatedAddress(str(entry.address), entry.domains) for entry in cluster.dedicated)
    source, network = str(cluster.source_address or ""), str(cluster.network or "")
    told = (cluster.name, cluster.zone, network, source, cluster.spf_name)
    return ClusterDetails(*told, dedicated, hosts, missing)


def _described(env: Env, name: str) -> tuple[Cluster, tuple[Failure, ...]]:
    try:
        return inventory.cluster(env, name), ()
    except (DirectoryError, HostError) as error:
        hint = f"not checked: which source addresses the directory assigns; {error.hint}"
        return inventory.described(env, name), (Failure(error.code, error.message, hint),)


def _sends_as(cluster: Cluster, name: str) -> str:
    if cluster.host(name).role not in (Role.RELAY, Role.DEFERRED):
        return ""
    dedicated = (
        f"{entry.address} for {', '.join(entry.domains)}"
        for entry in cluster.dedicated
        if name in entry.inside
    )
    return "; ".join((str(cluster.source_address or ""), *dedicated))


def rendering(env: Env, name: str, host: str = "", *, directory: bool = True) -> Rendering:
    """The files of a cluster, or of one of its hosts.

    Without ``directory`` as eymail.toml alone describes it, and what was assigned is missing.
    Raises NotFound, ConfigError, DirectoryError, HostError.
    """
    cluster = inventory.cluster(env, name) if directory else inventory.described(env, name)
    files = render(cluster, env.config.directory)
    if host:
        hosts = {file.host for file in files}
        if host not in hosts:
            raise NotFound(f"nothing is rendered for {host!r}", nearest(host, hosts))
        files = tuple(file for file in files if file.host == host)
    return Rendering(cluster.name, "", tuple(_details(file) for file in files))


def _details(file: RenderedFile) -> FileDetails:
    owner = f"{file.owner}:{file.group}"
    return FileDetails(file.host, file.path, f"{file.mode:04o}", owner, file.content)


def content(rendered: Rendering, path: str) -> FileContent:
    """The one file of a rendering with this path. Raises NotFound when there is none, or more than one."""
    found = [file for file in rendered.files if file.path == path]
    if len(found) == 1:
        return FileContent(found[0])
    if found:
        hosts = ", ".join(file.host for file in found)
        raise NotFound(f"{path} is rendered for several hosts", f"add --host with one of {hosts}")
    raise NotFound(f"no file {path} is rendered", nearest(path, {file.path for file in rendered.files}))


def write(rendered: Rendering, folder: str) -> Rendering:
    """Write every file below ``folder``/HOST, each whole or not at all. Raises EymailError."""
    try:
        for file in rendered.files:
            _write(Path(folder) / file.host / file.path.lstrip("/"), file)
    except OSError as error:
        message = f"cannot write below {folder}: {error.strerror}"
        raise EymailError(message, "is it a folder of yours?") from error
    return replace(rendered, folder=folder)


def _write(path: Path, file: FileDetails) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".eymail-")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(file.content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(int(file.mode, 8))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
