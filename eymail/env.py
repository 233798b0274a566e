"""What a command may need from the world, each made on first use and closed at the end.

``--help``, completion and usage errors touch none of it, so they load none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

from eymail import config
from eymail.config import Cluster, Config, HostEntry

if TYPE_CHECKING:
    from eymail.directory import Directory
    from eymail.dns.lookup import Resolver
    from eymail.dns.many import Asker
    from eymail.hosts import Host


class Env:
    """Configuration, name servers, directory and hosts of one run of eymail.

    ``servers`` stand in for the configured name servers. ``progress`` is told, in
    words, what long work is under way.
    """

    def __init__(
        self,
        config_file: str | None = None,
        cluster: str = "",
        *,
        servers: tuple[str, ...] = (),
        ask: Callable[[str], bool] | None = None,
        progress: Callable[[str], None] = lambda _message: None,
    ) -> None:
        self._config_file = config_file
        self._cluster_name = cluster
        self._servers = servers
        self._ask = ask
        self._open = ExitStack()
        self._hosts: dict[str, Host] = {}
        self.progress = progress

    @cached_property
    def config(self) -> Config:
        return config.load(self._config_file)

    @cached_property
    def cluster(self) -> Cluster:
        """The cluster that the command is about. Raises NotFound."""
        return self.config.cluster(self._cluster_name)

    @cached_property
    def resolver(self) -> Resolver:
        from eymail.dns.lookup import Resolver

        settings = self.config.dns
        return Resolver(self._servers or settings.servers, settings.timeout)

    @cached_property
    def asker(self) -> Asker:
        """The same name servers, asked many things at once."""
        from eymail.dns.many import Asker

        settings = self.config.dns
        return self._open.enter_context(Asker(self._servers or settings.servers, settings.timeout))

    @cached_property
    def directory(self) -> Directory:
        """The directory, on this machine or on the mail host that the configuration names."""
        from eymail.directory import open_directory

        settings = self.config.directory
        host = self.host(settings.host) if settings.host else None
        return self._open.enter_context(open_directory(settings.url, host))

    def host(self, name: str) -> Host:
        """A host of the cluster by its name. Raises NotFound."""
        return self.host_at(self.cluster.host(name))

    def host_at(self, entry: HostEntry) -> Host:
        """The connection to a host of the inventory; one for the whole run."""
        return self.ssh(entry.name, entry.ssh_target)

    def ssh(self, name: str, target: str) -> Host:
        """The connection to ``target`` as ssh would reach it, called ``name`` in messages."""
        from eymail.hosts.ssh import SshHost

        if name not in self._hosts:
            settings = self.config.ssh
            host = SshHost(name, target, config_file=settings.config, timeout=settings.timeout, ask=self._ask)
            self._open.callback(host.close)
            self._hosts[name] = host
        return self._hosts[name]

    def close(self) -> None:
        """Close what was opened."""
        self._open.close()
