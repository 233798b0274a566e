"""The lab as operations: up, down, status, environment, and commands inside it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from eymail.lab import enter, image, podman, start, state, status, stop
from eymail.model import Cell, Result, View

NAME = "ey04"
_OTHER_DOVECOT = "mail1 has Debian's own Dovecot configuration, for eymail renders that of Dovecot 2.3"


@dataclass(frozen=True)
class HostStatus:
    """A host of a lab. ``ready`` is yes, no, or not checked (a host without services)."""

    name: str
    inside: str
    outside: str
    state: str
    ready: str


@dataclass(frozen=True)
class LabStatus(Result):
    """A lab and its hosts. ``engine`` says how podman is used here, ``notes`` what happened."""

    name: str
    engine: tuple[str, ...]
    hosts: tuple[HostStatus, ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """3 when a host is not running or not ready."""
        return 3 if any(host.state != "running" or host.ready == "no" for host in self.hosts) else 0

    def view(self) -> View:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (host.name, host.inside, host.outside, host.state, host.ready) for host in self.hosts
        )
        columns = ("host", "inside", "outside", "state", "ready")
        return View(columns, rows, f"lab {self.name}", notes=self.notes)


@dataclass(frozen=True)
class LabDown(Result):
    """A lab that was taken down; ``hosts`` is how many it had, ``images`` what else was removed."""

    name: str
    hosts: int
    images: tuple[str, ...] = ()

    def view(self) -> View:
        what = f"{self.hosts} hosts removed" if self.hosts else "there was nothing to remove"
        notes = (f"lab {self.name} is down: {what}", *(f"image {name} removed" for name in self.images))
        return View(("lab", "hosts"), ((self.name, self.hosts),), notes=notes)


@dataclass(frozen=True)
class LabEnvironment(Result):
    """The variables that a shell needs, as lines for ``eval``."""

    name: str
    variables: dict[str, str]

    def view(self) -> View:
        rows = tuple((f"export {key}={shlex.quote(value)}",) for key, value in self.variables.items())
        return View(("shell",), rows)


def up(name: str, release: str, progress: Callable[[str], None]) -> LabStatus:
    """Bring a lab up, or say that it is. Raises LabError, InvalidInput."""
    lab, engine = state.state(name), podman.find()
    with state.locked(lab):
        if lab.is_up:
            return _already_up(engine, lab)
        notes = (f"lab {name} is up", *(() if release == "bookworm" else (_OTHER_DOVECOT,)))
        stop.refuse_anothers(engine, lab)
        with stop.removed_on_failure(engine, lab):
            start.start(engine, lab, release, progress)
            return _status(engine, lab, *notes)


def _already_up(engine: podman.Podman, lab: state.State) -> LabStatus:
    found = _status(engine, lab, f"lab {lab.name} is up already")
    if not found.exit_code:
        return found
    mend = f"not all of it runs; to make it anew: eymail lab down --name {lab.name}, then up"
    return replace(found, notes=(*found.notes, mend))


def down(name: str, *, images: bool = False) -> LabDown:
    """Take a lab down; nothing of it is left. ``images``: nor of any image that no other lab uses.

    Raises LabError, InvalidInput.
    """
    lab, engine = state.state(name), podman.find()
    with state.locked(lab):
        stop.refuse_anothers(engine, lab)
        count = stop.clear(engine, lab)
        lab.remove()
    return LabDown(name, count, image.remove_unused(engine) if images else ())


def status_of(name: str) -> LabStatus:
    """How a lab's hosts are. Raises NotFound when it is not up."""
    lab, engine = state.state(name), podman.find()
    return _status(engine, lab)


def _status(engine: podman.Podman, lab: state.State, *notes: str) -> LabStatus:
    topology = lab.topology()
    states = status.states(engine, lab)
    asked = states.get(lab.container(status.ASKED_FROM)) == "running"
    ready = status.ready(engine, lab, topology) if asked else set()
    hosts = tuple(
        HostStatus(
            host.name,
            str(host.inside or ""),
            str(host.outside or ""),
            states.get(lab.container(host.name), "gone"),
            ("yes" if host.name in ready else "no") if host.ready and asked else "not checked",
        )
        for host in topology.hosts()
    )
    return LabStatus(lab.name, engine.chosen, hosts, notes)


def environment(name: str) -> LabEnvironment:
    """What a shell needs to use the lab. Raises NotFound."""
    return LabEnvironment(name, enter.environment(state.state(name)))


def execute(name: str, host: str, command: Sequence[str]) -> int:
    """Become a command inside a host. Raises NotFound, LabError."""
    return enter.become(enter.in_host(podman.find(), state.state(name), host, command), {})


def run(name: str, command: Sequence[str]) -> int:
    """Become a command of the administrator outside. Raises NotFound, LabError."""
    lab = state.state(name)
    return enter.become(enter.as_administrator(podman.find(), lab, command), enter.environment(lab))
