"""Taking a lab down: every container, network and file that carries its name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from eymail.errors import LabError
from eymail.lab.podman import Podman
from eymail.lab.process import ending_as_interrupt, undisturbed
from eymail.lab.state import FOLDER, State


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


def refuse_anothers(podman: Podman, state: State) -> None:
    """Raises LabError when a lab of this name runs with its files in another folder: not ours to clear."""
    out = podman.run("ps", "--filter", f"label={state.label}", "--format", "json")
    for container in json.loads(out):
        folder = container["Labels"].get(FOLDER)
        if folder not in (None, str(state.folder)):
            raise LabError(
                f"a lab called {state.name} is running already, with its files in {folder}",
                "choose another --name, or set XDG_STATE_HOME as it was for that one",
            )


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
