"""The way from outside to a cluster's mail services: through a slice, by SSH."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from eymail.config import Cluster, HostEntry, Role
from eymail.env import Env
from eymail.errors import ConfigError, EymailError
from eymail.hosts import Host
from eymail.mail.checks import FAILED, NOT_CHECKED, OK, Check
from eymail.mail.probe import Login, Probe, Trust
from eymail.model import Result, View


@dataclass(frozen=True)
class Service:
    """A mail service: its port, and the role of the host that serves it."""

    name: str
    port: int
    role: Role


SERVICES = {
    "imap": Service("imap", 143, Role.MAIL),
    "pop3": Service("pop3", 110, Role.MAIL),
    "smtp": Service("smtp", 25, Role.LOAD_BALANCER),
}


@dataclass(frozen=True)
class Tunnel(Result):
    """An open tunnel: connections to ``host`` and ``port`` here reach ``service`` at ``end``."""

    service: str
    host: str
    port: int
    slice: str
    end: str

    def view(self) -> View:
        title = f"{self.service} of {self.end} through {self.slice}; Ctrl-C closes it"
        return View(("host", "port"), ((self.host, self.port),), title)


@dataclass(frozen=True)
class TunnelTest(Result):
    """What a test of the way and of the service found, step by step."""

    service: str
    slice: str
    end: str
    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """3 when a check failed."""
        return 3 if any(check.status == FAILED for check in self.checks) else 0

    def view(self) -> View:
        rows = tuple((check.name, check.status, check.detail) for check in self.checks)
        hints = tuple(f"{check.name}: {check.hint}" for check in self.checks if check.hint)
        title = f"{self.service} of {self.end} through {self.slice}"
        return View(("check", "status", "detail"), rows, title, "status", hints)


def _end(cluster: Cluster, service: Service) -> HostEntry:
    """The host that the service is at. Raises ConfigError."""
    for host in cluster.with_role(service.role):
        return host
    raise ConfigError(
        f"cluster {cluster.name} has no host with role {service.role}, which serves {service.name}",
        f"add it to [clusters.{cluster.name}.hosts]",
    )


def _through(env: Env, name: str) -> Host:
    """The slice by its name in the inventory, or whatever host ssh knows by that name."""
    known = [host.name for host in env.cluster.hosts]
    return env.host(name) if name in known else env.ssh(name, name)


@contextmanager
def opened(
    env: Env, service_name: str, slice_name: str, port: int, failed: Callable[[EymailError], None]
) -> Iterator[tuple[Tunnel, Callable[[], None]]]:
    """A listening tunnel, and the call that serves it until an interrupt comes.

    The way is tried before anything listens. Raises HostError, HostKeyError, AuthError,
    NotFound; ``failed`` is told of connections that could not be led through later.
    """
    from eymail.hosts.forward import Forwarder

    service = SERVICES[service_name]
    end, host = _end(env.cluster, service), _through(env, slice_name)
    address, timeout = str(end.address), env.config.ssh.timeout
    host.connect(address, service.port, timeout).close()
    forwarder = Forwarder(port, lambda: host.connect(address, service.port, timeout), failed)
    try:
        yield Tunnel(service.name, "127.0.0.1", forwarder.port, slice_name, end.name), forwarder.serve
    finally:
        forwarder.close()


def test(env: Env, service_name: str, slice_name: str, user: str = "", password: str = "") -> TunnelTest:
    """Try the way through the slice and then the service, without a listening port.

    Without a user nobody logs in, and what needs a login is not checked.
    """
    service = SERVICES[service_name]
    end, host = _end(env.cluster, service), _through(env, slice_name)
    trust = Trust(f"{end.name}.{env.cluster.zone}", env.config.tls.ca_file)
    checks = tuple(_checks(env, host, end, service, trust, Login(user, password)))
    return TunnelTest(service.name, slice_name, end.name, checks)


def _checks(
    env: Env, host: Host, end: HostEntry, service: Service, trust: Trust, login: Login
) -> Iterator[Check]:
    from eymail.hosts.splice import as_socket
    from eymail.mail import checks
    from eymail.mail.bounded import Bounded

    timeout = env.config.ssh.timeout
    yield (way := _timed("ssh", lambda: host.run(["true"], timeout=timeout), "host key verified, logged in"))
    if way.status == FAILED:
        yield from _unchecked(service, trust, login, "ssh failed", tcp=True)
        return
    started = time.monotonic()
    try:
        channel = host.connect(str(end.address), service.port, timeout)
    except EymailError as error:
        yield Check("tcp", FAILED, error.message, error.hint)
        yield from _unchecked(service, trust, login, "tcp failed", tcp=False)
        return
    yield Check("tcp", OK, f"from {host.name} to {end.address} port {service.port}, {_ms(started)}")
    bounded = Bounded(channel)
    probe = _probe(service, as_socket(bounded), trust, login)
    try:
        for check in checks.run(probe.steps()):
            cut_off = bounded.exceeded and check.status == FAILED
            yield replace(check, detail=f"{check.name}: {bounded.exceeded}") if cut_off else check
    finally:
        probe.close()


def _timed(name: str, act: Callable[[], object], words: str) -> Check:
    started = time.monotonic()
    try:
        act()
    except EymailError as error:
        return Check(name, FAILED, error.message, error.hint)
    return Check(name, OK, f"{words}, {_ms(started)}")


def _ms(started: float) -> str:
    return f"{(time.monotonic() - started) * 1000:.0f} ms"


def _unchecked(service: Service, trust: Trust, login: Login, reason: str, *, tcp: bool) -> Iterator[Check]:
    """Every check that would have come, named, so that none looks passed."""
    import socket

    if tcp:
        yield Check("tcp", NOT_CHECKED, reason)
    with socket.socket() as unused:
        for name, _ in _probe(service, unused, trust, login).steps():
            yield Check(name, NOT_CHECKED, reason)


def _probe(service: Service, connection: object, trust: Trust, login: Login) -> Probe:
    from eymail.mail.imap import ImapProbe
    from eymail.mail.pop3 import Pop3Probe
    from eymail.mail.smtp import SmtpProbe

    probes: dict[str, Callable[..., Probe]] = {"imap": ImapProbe, "pop3": Pop3Probe, "smtp": SmtpProbe}
    return probes[service.name](connection, trust, login)
