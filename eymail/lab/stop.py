"""Taking a lab down: every container, network and file that carries its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from eymail.lab.podman import Podman
from eymail.lab.process import ending_as_interrupt, undisturbed
from eymail.lab.state import State


@contextmanager
def removed_on_failure(podman: Podman, state: State) -> Iterator[None]:
    """Whatever ends the work here before its end, an error or a signal, leaves nothing of the lab."""
    with ending_as_interrupt():
        try:
            yield
        except BaseException:
            with undisturbed():
                clear(podman, state)
                state.remove()
            raise


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
