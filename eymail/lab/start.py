"""Bringing a lab up: one supervisor, real readiness checks, nothing left when it fails."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from eymail.errors import LabError
from eymail.lab import image, trees
from eymail.lab.podman import Podman
from eymail.lab.process import postponed, undisturbed
from eymail.lab.state import FOLDER, State
from eymail.lab.status import asking
from eymail.lab.stop import clear
from eymail.lab.topology import ZONE, LabHost, Topology

_AT_ONCE = 4
_DEADLINE = 30.0
_ROUTES = Path("/proc/net/route")

Progress = Callable[[str], None]


def start(podman: Podman, state: State, release: str, progress: Progress) -> None:
    """Start every host and wait until all are ready. Raises LabError; what is left then, others remove."""
    clear(podman, state)
    built = image.ensure(podman, release, progress)
    progress("creating networks")
    topology = _networks(podman, state)
    progress("rendering the configuration of every host")
    with postponed():  # SQLAlchemy reports what interrupts it by itself
        trees.write(state, topology, release)
    _hosts(podman, state, topology, built, progress)
    _wait(podman, state, topology, progress)
    (state.folder / "number").write_text(f"{topology.number}\n")


def _networks(podman: Podman, state: State) -> Topology:
    """Two networks on the first pair of subnets that nobody here uses."""
    routed = _routed()
    for number in range(256):
        topology = Topology(number)
        pair = (topology.inside_network, topology.outside_network)
        if any(subnet.overlaps(route) for subnet in pair for route in routed):
            continue
        if _create_pair(podman, state, topology):
            return topology
    raise LabError("no subnet is free for another lab", "take one down: eymail lab down --name LAB")


def _routed() -> list[ipaddress.IPv4Network]:
    """Where this machine has routes to, the default one left out (proc(5), /proc/net/route)."""
    found = []
    for line in _ROUTES.read_text().splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[at])[::-1], "big") for at in (1, 7))
        if mask:
            found.append(ipaddress.IPv4Network((address, mask.bit_count())))
    return found


def _create_pair(podman: Podman, state: State, topology: Topology) -> bool:
    subnets = (topology.inside_network, topology.outside_network)
    for name, subnet in zip(state.networks, subnets, strict=True):
        done = podman.attempt(
            "network", "create", "--disable-dns", "--internal", "--label", state.label,
            "--subnet", str(subnet), name,
        )  # fmt: skip
        if done.returncode:
            podman.attempt("network", "rm", "-f", *state.networks)
            said = done.stderr.decode("utf-8", "replace").strip()
            if "subnet" in said and "used" in said:
                return False
            raise LabError(f"podman could not create a network: {said}")
    return True


def _hosts(podman: Podman, state: State, topology: Topology, built: str, progress: Progress) -> None:
    hosts = topology.hosts()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        jobs = [pool.submit(_run, podman, state, topology, built, host) for host in hosts]
        try:
            for count, job in enumerate(jobs, 1):
                job.result()
                progress(f"starting hosts: {count} of {len(hosts)}")
        except BaseException:
            with undisturbed():
                pool.shutdown(cancel_futures=True)
            raise


def _run(podman: Podman, state: State, topology: Topology, built: str, host: LabHost) -> None:
    inside, outside = state.networks
    addresses = ((inside, host.inside), (outside, host.outside))
    networks = [_network(network, address) for network, address in addresses if address]
    # Every real host's root may set addresses and routes; the gateway forwards as well.
    rights = ["--cap-add=NET_ADMIN"] if host.inside else []
    if host.inside and host.outside:
        rights.append("--sysctl=net.ipv4.ip_forward=1")
    podman.run(
        "run", "--detach", "--init", "--name", state.container(host.name), "--hostname", host.name,
        "--label", state.label, "--label", f"{FOLDER}={state.folder}",
        f"--dns={topology.resolver}", f"--dns-search={ZONE}", *networks, *rights,
        *podman.limits, "--tmpfs", "/run:mode=0755", "--volume", f"{state.tree(host.name)}:/run/lab:ro",
        *_records(state, host), built,
    )  # fmt: skip


def _records(state: State, host: LabHost) -> list[str]:
    """A remote host keeps what it saw in a folder of this machine, where eymail can read it as well."""
    if not any(service.startswith("standin") for service in host.services):
        return []
    state.record(host.name).mkdir(parents=True, exist_ok=True)
    return ["--volume", f"{state.record(host.name)}:/var/lib/standin"]


def _network(name: str, address: ipaddress.IPv4Address) -> str:
    """A place on a network; with a hardware address that stays when a host starts again, as a real one's."""
    hardware = ":".join(f"{octet:02x}" for octet in b"\x02\x00" + address.packed)
    return f"--network={name}:ip={address},mac={hardware}"


def _wait(podman: Podman, state: State, topology: Topology, progress: Progress) -> None:
    total = sum(bool(host.ready) for host in topology.hosts())
    with asking(podman, state, topology, _DEADLINE) as process:
        assert process.stdout and process.stderr
        for count, name in enumerate(process.stdout, 1):
            progress(f"ready: {count} of {total}, {name.strip()}")
        unready = process.stderr.read()
        code = process.wait()
    if code:
        raise LabError(f"not ready after {_DEADLINE:g} s: {unready}", _said(podman, state, unready))


def _said(podman: Podman, state: State, unready: str) -> str:
    """The last words of the first host that is not ready."""
    names = unready.split()
    if not names:
        return ""
    done = podman.attempt("logs", "--tail", "3", state.container(names[0]))
    words = " ".join((done.stdout + done.stderr).decode("utf-8", "replace").split())
    return f"{names[0]} said: {words}" if words else f"{names[0]} said nothing"
