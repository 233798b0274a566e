"""How the hosts of a lab are: what podman says of them, and whether their services answer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eymail.lab.podman import Podman, pids
from eymail.lab.state import State
from eymail.lab.topology import Topology

_READY = Path(__file__).parent / "ready.py"
_LOOK = 3.0
ASKED_FROM = "gateway"
"""The host from whose place services are asked: it alone sees both networks."""


def states(podman: Podman, state: State) -> dict[str, str]:
    """podman's word for each container: running, exited, paused, ..."""
    out = podman.run("ps", "--all", "--filter", f"label={state.label}", "--format", "json")
    return {container["Names"][0]: container["State"] for container in json.loads(out)}


def ready(podman: Podman, state: State, topology: Topology, deadline: float = _LOOK) -> set[str]:
    """The hosts whose every service answers within ``deadline`` seconds."""
    with asking(podman, state, topology, deadline) as process:
        assert process.stdout
        return {name.strip() for name in process.stdout}


@contextmanager
def asking(
    podman: Podman, state: State, topology: Topology, deadline: float
) -> Iterator[subprocess.Popen[str]]:
    """The program that asks every service, from the gateway's place.

    It writes the name of each host whose services all answer; what it misses goes to its standard error.
    """
    checks = [(host.name, str(address), *rest) for host in topology.hosts() for address, *rest in host.ready]
    gateway = state.container(ASKED_FROM)
    words = podman.inside_network_of(pids(podman, [gateway])[gateway])
    process = subprocess.Popen(
        [*words, sys.executable, "-I", str(_READY), str(deadline)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin
    with process:
        try:
            process.stdin.write(json.dumps(checks))
            process.stdin.close()
            yield process
        finally:
            process.terminate()
