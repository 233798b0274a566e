"""A lab's folder on this machine, its names in podman, and the lock that keeps two runs apart."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eymail.errors import InvalidInput, LabError, NotFound
from eymail.lab.topology import Topology

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")

FOLDER = "eymail.folder"
"""The label by which a container names the folder of its lab."""


@dataclass(frozen=True)
class State:
    """What a lab called ``name`` keeps, and where."""

    name: str
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "eymail.toml"

    @property
    def resolv_conf(self) -> Path:
        return self.folder / "resolv.conf"

    @property
    def networks(self) -> tuple[str, str]:
        """The names of the inner and the outside network."""
        return f"eymail-{self.name}-inside", f"eymail-{self.name}-outside"

    @property
    def label(self) -> str:
        return f"eymail.lab={self.name}"

    def container(self, host: str) -> str:
        return f"eymail-{self.name}-{host}"

    def tree(self, host: str) -> Path:
        """What is mounted into a host: its files, their manifest, its services."""
        return self.folder / "hosts" / host

    def record(self, host: str) -> Path:
        """Where a remote host that keeps a record of its mail keeps it; a host's own folder."""
        return self.folder / "records" / host

    @property
    def is_up(self) -> bool:
        """The number is written last, when every host was ready."""
        return (self.folder / "number").exists()

    def topology(self) -> Topology:
        """The topology of a lab that is up. Raises NotFound."""
        if not self.is_up:
            raise NotFound(f"lab {self.name} is not up", f"eymail lab up --name {self.name}")
        return Topology(int((self.folder / "number").read_text()))

    def remove(self) -> None:
        """Take the folder away, and its parents as far as they are empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.forget_if_empty()

    def forget_if_empty(self) -> None:
        """Take away the folder, and its parents, as far as nothing is in them."""
        for folder in (self.folder, self.folder.parent, self.folder.parent.parent):
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return


def state(name: str) -> State:
    """The state of the lab with this name. Raises InvalidInput."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is not a name for a lab", "a-z, 0-9 and -, 32 characters at most")
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return State(name, Path(home) / "eymail" / "lab" / name)


@contextmanager
def locked(lab: State) -> Iterator[None]:
    """Hold the lab's folder for one run. Raises LabError when another run holds it."""
    while True:
        try:
            lab.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            message = f"cannot make the lab's folder {lab.folder}: {error.strerror}"
            raise LabError(message, "name another place with XDG_STATE_HOME") from error
        handle = os.open(lab.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise LabError(f"lab {lab.name} is being started or stopped", "wait for that to end") from error
        # Whoever held it before us may have taken the folder away: then this lock holds nothing.
        if os.fstat(handle).st_nlink:
            break
        os.close(handle)
    try:
        yield
    finally:
        lab.forget_if_empty()
        os.close(handle)
