"""Commands inside a lab: in one of its hosts, or where the administrator outside is."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from eymail.errors import LabError, NotFound
from eymail.lab.podman import Podman, pids
from eymail.lab.state import State
from eymail.toml_table import nearest

# The lab's resolv.conf lies over the machine's, in this one process's view of the files.
_WITH_RESOLVER = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'


def in_host(podman: Podman, state: State, host: str, command: Sequence[str]) -> list[str]:
    """The words that run a command inside a host. Raises NotFound."""
    names = [known.name for known in state.topology().hosts()]
    if host not in names:
        raise NotFound(f"lab {state.name} has no host {host!r}", nearest(host, names))
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    return podman.argv("exec", "--interactive", *terminal, state.container(host), *command)


def as_administrator(podman: Podman, state: State, command: Sequence[str]) -> list[str]:
    """The words that run a command in the workstation's network, with this machine's files.

    Raises NotFound when the lab is not up, LabError when the workstation is not running.
    """
    state.topology()
    workstation = state.container("workstation")
    pid = pids(podman, [workstation])[workstation]
    if not pid:
        raise LabError("the lab's workstation is not running", "eymail lab down, then eymail lab up")
    words = podman.inside_network_of(pid, mounts=True)
    return [*words, "sh", "-c", _WITH_RESOLVER, "sh", str(state.resolv_conf), *command]


def environment(state: State) -> dict[str, str]:
    """The variables that make this eymail work on the lab. Raises NotFound."""
    state.topology()
    here = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    if here not in path.split(os.pathsep):
        path = os.pathsep.join((here, path))
    return {"EYMAIL_CONFIG": str(state.config), "PATH": path}


def become(words: Sequence[str], variables: Mapping[str, str]) -> int:
    """Put a command in this process's place, so that its signals and exit code are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(words[0], list(words), {**os.environ, **variables})  # noqa: S606 (no shell is the point)
    except OSError as error:
        raise LabError(f"cannot run {words[0]}: {error.strerror}") from error
