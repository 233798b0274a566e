"""Taking a lab down: every container, network and file that carries its name."""

from __future__ import annotations

from eymail.lab.podman import Podman
from eymail.lab.state import State


def clear(podman: Podman, state: State) -> int:
    """Remove the lab's containers and networks; how many containers there were."""
    names = containers(podman, state)
    if names:
        podman.run("rm", "--force", "--time", "0", *names)
    networks = podman.run("network", "ls", "--quiet", "--filter", f"label={state.label}").split()
    if networks:
        podman.run("network", "rm", "--force", *networks)
    return len(names)


def containers(podman: Podman, state: State) -> list[str]:
    """The names of the lab's containers, whatever state they are in."""
    out = podman.run("ps", "--all", "--filter", f"label={state.label}", "--format", "{{.Names}}")
    return out.split()
