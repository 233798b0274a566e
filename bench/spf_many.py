"""Many clients of one domain through ``eymail spf DOMAIN --set -``: what one costs, and what they hold."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from bench.slow_dns import SlowDns

ROOT = Path(__file__).parents[1]
DOMAIN = "tree.example"
_FIRST = int(IPv4Address("198.18.0.0"))


def measure(server: SlowDns, most: int, row: Callable[..., None]) -> None:
    row()
    row(f"# --set: clients of {DOMAIN}, whole process")
    row("clients", "seconds", "ms each", "most memory MB", "questions")
    for count in (size for size in (1_000, 10_000, 100_000) if size <= most):
        server.asked()
        seconds, megabytes = _run(server.address, count)
        each = seconds / count * 1000
        row(count, f"{seconds:.2f}", f"{each:.3f}", f"{megabytes:.1f}", len(server.asked()[0]))


def _run(address: str, count: int) -> tuple[float, float]:
    """Seconds, and the most memory that the process ever had."""
    lines = "".join(f"{IPv4Address(_FIRST + n)} user{n}@{DOMAIN} mx.example.org\n" for n in range(count))
    argv = [sys.executable, "-m", "eymail", "spf", DOMAIN, "--set", "-", "--server", address]
    with tempfile.TemporaryFile() as clients:
        clients.write(lines.encode())
        clients.seek(0)
        started = time.perf_counter()
        process = subprocess.Popen(argv, stdin=clients, stdout=subprocess.DEVNULL, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return seconds, usage.ru_maxrss / 1024
