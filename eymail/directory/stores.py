"""Where the SQLite file lies: on this machine, or on a host that an agent speaks for.

A store gives DBAPI-2 connections and the module that they belong to; nothing else differs.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from eymail.directory import agent, remote
from eymail.errors import ConfigError, DirectoryError

if TYPE_CHECKING:
    from eymail.hosts import Host

_PREFIX = "sqlite:///"


class Store(Protocol):
    """Opens the file. ``where`` says in messages which one it is."""

    where: str
    module: ModuleType
    shared: bool
    """Whether its connections are one, which ``close`` of the store alone ends."""

    def connect(self, make: bool) -> Any | None:
        """A DBAPI connection; None when there is no directory and none shall be made.

        Raises DirectoryError, HostError.
        """

    def close(self) -> None:
        """Let go of what serves connections. May be called twice."""


def store(url: str, host: Host | None) -> Store:
    """The store that the configuration means. Raises ConfigError."""
    path = url.removeprefix(_PREFIX)
    if not url.startswith(_PREFIX) or not path.startswith("/") or "?" in path or "\0" in path:
        raise ConfigError(
            "directory.url is not the URL of a SQLite file",
            "write sqlite:// and an absolute path: sqlite:////var/lib/eymail/directory.db",
        )
    return LocalStore(path) if host is None else RemoteStore(path, host)


def absent(url: str) -> bool:
    """Whether nothing is where the URL says, on this machine; then there is nothing to read."""
    return not Path(url.removeprefix(_PREFIX)).exists()


class LocalStore:
    """A file of this machine."""

    module: ModuleType = sqlite3
    shared = False

    def __init__(self, path: str) -> None:
        self.where = self._path = path

    def connect(self, make: bool) -> sqlite3.Connection | None:
        try:
            return agent.connect(self._path, make)
        except OSError as error:
            raise DirectoryError(
                f"cannot open the directory {self.where}: {error.strerror}",
                "run as root, or set directory.url in eymail.toml",
            ) from error

    def close(self) -> None:
        """A connection is all there is."""


class RemoteStore:
    """A file of another host. One agent serves until it goes away, also while there is no directory."""

    module: ModuleType = remote
    shared = True

    def __init__(self, path: str, host: Host) -> None:
        self._path, self._host = path, host
        self.where = f"{path} on {host.name}"
        self._agent: remote.Connection | None = None

    def connect(self, make: bool) -> remote.Connection | None:
        if self._agent is None or not self._agent.alive:
            self.close()
            self._agent = remote.connect(self._host, self._path)
        return self._agent if self._agent.open(make) else None

    def close(self) -> None:
        if self._agent is not None:
            self._agent.close()
            self._agent = None
