"""Podman as this machine lets us use it: rootful or rootless, with the runtime and limits that work here."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eymail.errors import LabError
from eymail.lab.process import completed

_UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers")
_TUN = Path("/dev/net/tun")
_CAP_SYS_RESOURCE = 24
# podman lowers its own limits before it starts the runtime, so what it may give is below this process's.
_ENOUGH = 16384


@dataclass(frozen=True)
class Podman:
    """How to call podman. ``chosen`` says what was found on this machine, in words."""

    rootless: bool
    options: tuple[str, ...]
    limits: tuple[str, ...]
    chosen: tuple[str, ...]

    def run(self, *arguments: str, timeout: float = 120, input: bytes | None = None) -> str:
        """Run a podman command; its standard output. Raises LabError with what podman said."""
        done = self.attempt(*arguments, timeout=timeout, input=input)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise LabError(f"podman {arguments[0]} failed: {said[-1] if said else done.returncode}")
        return done.stdout.decode("utf-8", "replace")

    def attempt(
        self, *arguments: str, timeout: float = 120, input: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a podman command whatever its exit code."""
        try:
            return completed(self.argv(*arguments), timeout=timeout, input=input)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"podman {arguments[0]} did not end within {timeout:g} s") from error

    def argv(self, *arguments: str) -> list[str]:
        """The words of a podman command; its warnings, which are about this machine, left out."""
        return ["podman", "--log-level", "error", *self.options, *arguments]

    def inside_network_of(self, pid: int, *, mounts: bool = False) -> list[str]:
        """The words before a command that is to run in a container's network, from our own files."""
        # Rootless, the network belongs to the container's user namespace, and that belongs to us.
        user = [f"--user=/proc/{pid}/ns/user"] if self.rootless else []
        own_mounts = ["unshare", "--mount", "--propagation", "private"] if mounts else []
        return ["nsenter", *user, f"--net=/proc/{pid}/ns/net", *own_mounts]


def find() -> Podman:
    """See what this machine has. Raises LabError, with the mend, when no lab can run on it."""
    _require_programs()
    rootless = os.geteuid() != 0
    if rootless:
        _check_rootless()
    runtime, why_runtime = _runtime()
    storage, why_storage = _rootless_storage() if rootless else ((), "the default storage")
    limits = () if rootless else _limits()
    chosen = (f"{'rootless' if rootless else 'rootful'} podman", why_runtime, why_storage, *limits)
    return Podman(rootless, (*runtime, *storage), limits, chosen)


def _require_programs() -> None:
    missing = [name for name in ("podman", "nsenter") if shutil.which(name) is None]
    if missing:
        raise LabError(
            f"the lab needs {' and '.join(missing)}, which this machine does not have",
            "sudo apt-get install podman mmdebstrap uidmap",
        )


def _runtime() -> tuple[tuple[str, ...], str]:
    """crun refuses version 1 and hybrid cgroups; runc takes them."""
    if _UNIFIED.exists():
        return (), "the default runtime"
    if shutil.which("runc"):
        return ("--runtime", "runc"), "runc, because the cgroups are not unified"
    raise LabError(
        "the default container runtime refuses this machine's cgroups", "sudo apt-get install runc"
    )


def _rootless_storage() -> tuple[tuple[str, ...], str]:
    """Storage of the lab's own when the user's copies whole file systems (vfs): ten times faster."""
    own = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "eymail" / "containers"
    options = ("--root", str(own), "--runroot", str(_runtime_folder()), "--storage-driver", "overlay")
    if own.exists():
        return options, f"overlay storage in {own}"
    if _storage_driver() != "vfs":
        return (), "the user's own storage"
    if _storage_driver(*options) == "overlay":
        return options, f"overlay storage in {own}, because the user's own is vfs"
    return (), "vfs storage, which is slow: overlay does not work for this user"


def _runtime_folder() -> Path:
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / "eymail-containers"


def _storage_driver(*options: str) -> str:
    words = ["podman", *options, "info", "--format", "{{.Store.GraphDriverName}}"]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout.strip()


def _limits() -> tuple[str, ...]:
    """podman raises limits beyond what a root without CAP_SYS_RESOURCE may: name those that hold."""
    if _has_capability(_CAP_SYS_RESOURCE):
        return ()
    kinds = (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))
    return tuple(f"--ulimit={name}={_hard(kind)}:{_hard(kind)}" for name, kind in kinds)


def _hard(kind: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return hard if 0 < hard < _ENOUGH else _ENOUGH


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _check_rootless() -> None:
    user = _user()
    if shutil.which("newuidmap") is None:
        raise LabError("rootless podman needs newuidmap", "sudo apt-get install uidmap")
    if shutil.which("slirp4netns") is None and shutil.which("pasta") is None:
        raise LabError("rootless podman needs slirp4netns", "sudo apt-get install slirp4netns")
    if not _has_subordinate_ids(user):
        raise LabError(
            f"user {user} has no subordinate ids in /etc/subuid",
            f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
        )
    if not os.access(_TUN, os.R_OK | os.W_OK):
        raise LabError(f"{_TUN} is closed to user {user}", f"sudo chmod 0666 {_TUN}")


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _has_subordinate_ids(user: str) -> bool:
    try:
        lines = Path("/etc/subuid").read_text().splitlines()
    except OSError:
        return False
    return any(line.split(":")[0] in (user, str(os.getuid())) for line in lines)


def pids(podman: Podman, names: Sequence[str]) -> dict[str, int]:
    """The first process of each container, by name."""
    out = podman.run("inspect", "--format", "{{.Name}} {{.State.Pid}}", *names)
    return {name: int(pid) for name, pid in (line.split() for line in out.splitlines())}
