"""Who stands beside eymail in the SPF bench, and how each is led to the bench's name server."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.slow_dns import SlowDns
from bench.spf_zones import Scenario
from eymail.errors import EymailError
from eymail.lab import image, podman
from tests.oracles.zones import Zones

Run = Callable[[Scenario], float | None]

PRIVILEGED = "127.0.0.54"
_RESOLVER = """
import dns.resolver
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = ["{address}"], {port}
"""
_PYSPF = """
import spf
dns.resolver.default_resolver = resolver
result = spf.check2(i={ip!r}, s={sender!r}, h={helo!r})
"""
_CHECKDMARC = """
import checkdmarc.spf
from checkdmarc import utils
utils.DNS_CACHE.clear()
result = checkdmarc.spf.check_spf({domain!r}, resolver=resolver)
"""
_PROGRAMS = {"pyspf": _PYSPF, "checkdmarc": _CHECKDMARC}


def _program(peer: str, server: tuple[str, int], scenario: Scenario) -> str:
    told = {name: getattr(scenario, name) for name in ("ip", "sender", "helo", "domain")}
    return (_RESOLVER + _PROGRAMS[peer]).format(address=server[0], port=server[1], **told)


def in_process(peer: str, server: SlowDns) -> Run:
    """The peer in this process. Its imports cost nothing after the first round."""

    return lambda scenario: exec(_program(peer, (server.ip, server.port), scenario), {})


def process(peer: str, server: SlowDns) -> Run:
    def run(scenario: Scenario) -> None:
        argv = [sys.executable, "-c", _program(peer, (server.ip, server.port), scenario)]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return run


@contextmanager
def on_port_53_if_allowed(zones: Zones, delay: float) -> Iterator[SlowDns]:
    """The name server on port 53 of a loopback address, or on any port where that is not allowed."""
    try:
        server = SlowDns(zones, delay, PRIVILEGED, 53)
    except OSError:
        server = SlowDns(zones, delay)
    with server:
        yield server


@contextmanager
def spfquery(server: SlowDns) -> Iterator[Run | str]:
    """libspf2's program in a container that shares this machine's network; or why it cannot run."""
    if server.port != 53:
        yield "it asks port 53 only, which takes root"
        return
    name = f"eymail-bench-spf-{time.time_ns()}"
    try:
        engine = podman.find()
        built = _with_spfquery(engine)
        engine.run("run", "-d", "--init", "--name", name, "--network", "host", "--dns", server.ip,
                   *engine.limits, "--entrypoint", "sleep", built, "infinity")  # fmt: skip
    except EymailError as error:
        yield error.message
        return
    try:
        yield lambda scenario: _ask(engine, name, scenario)
    finally:
        engine.attempt("rm", "-f", "-t", "0", name)


def _with_spfquery(engine: podman.Podman) -> str:
    """The lab's image with Debian's package of that name in it; built when it is not there."""
    base = image.ensure(engine, "bookworm", lambda text: print(f"# {text}"))
    name = f"localhost/eymail-bench-spfquery:{base.rpartition(':')[2]}"
    if engine.attempt("image", "exists", name).returncode:
        steps = f"FROM {base}\nRUN apt-get update -qq && apt-get install -y -qq spfquery\n"
        engine.run("build", "--quiet", "--isolation", "chroot", "--network", "host", "--tag", name, "-f", "-",
                   timeout=300, input=steps.encode())  # fmt: skip
    return name


def _ask(engine: podman.Podman, name: str, scenario: Scenario) -> float:
    """Seconds as the shell inside has them: to get into the container counts for nothing."""
    client = f"-ip={scenario.ip} -sender={scenario.sender} -helo={scenario.helo}"
    timed = f"TIMEFORMAT=%3R; time (spfquery {client} >/dev/null 2>&1)"
    done = engine.attempt("exec", name, "bash", "-c", timed)
    return float(done.stderr.decode().strip().splitlines()[-1])
