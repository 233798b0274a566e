"""How long SPF takes, where every DNS answer takes 20 ms: ``eymail spf`` beside others, in one run.

    python bench/bench_spf.py [--rounds 7] [--delay 20]

The name server (``slow_dns.py``) is a process of its own on loopback. Each round lets everybody do every
scenario once, in turn, so that what else the machine does falls on all; told are medians, and their
ratios to eymail's, since seconds are this machine's. "least" is the longest chain of questions, of which
each needs the answer of the one before: nobody can be faster. "needed" is what an evaluation in order
asks; "in vain" is what was asked beyond that.

Peers: pyspf and checkdmarc where they are installed (``pip install pyspf checkdmarc``), in this process
and as processes; libspf2's spfquery in a container of the lab's image. checkdmarc evaluates no client,
it looks up all that a record leads to, so ``eymail spf DOMAIN`` stands beside it. emailsec is not
measured: what it has for Python 3.11 cannot be imported with today's pycares.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT)  # not this folder, whose names would hide modules

from bench import spf_many, spf_peers  # noqa: E402 - found by the line above
from bench.slow_dns import SlowDns  # noqa: E402
from bench.spf_zones import SCENARIOS, Scenario  # noqa: E402
from eymail.dns.many import Asker  # noqa: E402
from eymail.dns.spf.client import Client  # noqa: E402
from eymail.dns.spf.run import Pool  # noqa: E402

Run = Callable[[Scenario], float | None]
"""Does a scenario once; tells the seconds where it was timed elsewhere."""


@dataclass(frozen=True)
class Contestant:
    """Who does it and where: "in process" or "process"."""

    name: str
    where: str
    run: Run


def eymail_in_process(address: str) -> Run:
    def run(scenario: Scenario) -> None:
        with Asker([address], 5) as asker:
            client = Client.of(ip_address(scenario.ip), scenario.sender, scenario.helo)
            verdict = Pool(asker, 20).verdict(client, scenario.domain)
        assert verdict.result == scenario.result, verdict

    return run


def eymail_process(address: str, *, report: bool = False) -> Run:
    def run(scenario: Scenario) -> None:
        client = [] if report else ["--ip", scenario.ip, "--sender", scenario.sender, "--helo", scenario.helo]
        argv = [sys.executable, "-m", "eymail", "spf", scenario.domain, *client, "--server", address]
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, cwd=ROOT)

    return run


def contestants(server: SlowDns, stack: ExitStack) -> Iterator[Contestant]:
    yield Contestant("eymail", "in process", eymail_in_process(server.address))
    yield Contestant("eymail spf --ip", "process", eymail_process(server.address))
    yield Contestant("eymail spf", "process", eymail_process(server.address, report=True))
    for module in ("pyspf", "checkdmarc"):
        if importlib.util.find_spec({"pyspf": "spf"}.get(module, module)) is None:
            row(f"# not measured: {module} is not installed")
            continue
        yield Contestant(module, "in process", spf_peers.in_process(module, server))
        yield Contestant(module, "process", spf_peers.process(module, server))
    row("# not measured: emailsec: its release for Python 3.11 cannot be imported with today's pycares")
    found = stack.enter_context(spf_peers.spfquery(server))
    if isinstance(found, str):
        row(f"# not measured: libspf2's spfquery: {found}")
    else:
        yield Contestant("spfquery", "process", found)


def measure(given: argparse.Namespace, server: SlowDns, names: list[Contestant]) -> None:
    times: dict[tuple[str, Contestant], list[float]] = defaultdict(list)
    asked: dict[tuple[str, Contestant], int] = {}
    for number in range(given.rounds + 1):
        for scenario in SCENARIOS:
            for who in names:
                server.asked()
                started = time.perf_counter()
                told = who.run(scenario)
                seconds = told or time.perf_counter() - started
                asked[scenario.name, who] = len(server.asked()[0])
                if number:  # the first round warms everything up
                    times[scenario.name, who].append(seconds * 1000)
    for scenario in SCENARIOS:
        tell(scenario, names, times, asked, given.delay)


def tell(
    scenario: Scenario,
    names: list[Contestant],
    times: dict[tuple[str, Contestant], list[float]],
    asked: dict[tuple[str, Contestant], int],
    delay: float,
) -> None:
    row()
    row(f"# {scenario.name}: {scenario.needed} questions needed, least {scenario.depth * delay:g} ms")
    row("where", "who", "median ms", "/ eymail", "asked", "in vain")
    ours = {who.where: statistics.median(times[scenario.name, who]) for who in reversed(names) if who.name in
            ("eymail", "eymail spf --ip")}  # fmt: skip
    for who in names:
        median = statistics.median(times[scenario.name, who])
        count = asked[scenario.name, who]
        in_vain = max(0, count - scenario.needed)
        row(who.where, who.name, f"{median:.1f}", f"{median / ours[who.where]:.2f}", count, in_vain)


def row(*cells: object) -> None:
    print("\t".join(str(cell) for cell in cells), flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--delay", type=float, default=20, help="milliseconds of each DNS answer")
    options.add_argument("--most", type=int, default=10_000, help="clients by --set at most")
    given = options.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # programs are timed as they are installed: compiled
    zones = {name: records for scenario in SCENARIOS for name, records in scenario.zones.items()}
    with ExitStack() as stack:
        # 127.0.0.54:53 where the machine lets us: spfquery asks no other port.
        server = stack.enter_context(spf_peers.on_port_53_if_allowed(zones, given.delay))
        measure(given, server, list(contestants(server, stack)))
        spf_many.measure(server, given.most, row)


if __name__ == "__main__":
    main()
