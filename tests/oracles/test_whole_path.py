"""The command line says what the evaluation says: through a process, a cache, sockets and JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict

import pytest

from tests.oracles import cases, corpus, subject
from tests.oracles.case import Case, Verdict
from tests.oracles.zones import World, ZoneServer, serving


def _together() -> dict[str, list[Case]]:
    """Cases that have their zones in common, where they are several."""
    by_zones: dict[str, list[Case]] = defaultdict(list)
    for case in (*cases.examples(), *corpus.made()):
        by_zones[repr(case.zones)].append(case)
    return {group[0].name: group for group in by_zones.values() if len(group) > 4}


GROUPS = _together()


@pytest.mark.parametrize("name", GROUPS)
def test_many_clients_in_one_run(name: str) -> None:
    group = GROUPS[name]
    with serving(group[0].zones) as server:
        told = eymail(server, group)
    due = [subject.check(case, World.of(case.zones)) for case in group]
    assert told == due


def eymail(server: ZoneServer, group: list[Case]) -> list[Verdict]:
    clients = [{"ip": case.ip, "sender": case.sender, "helo": case.helo} for case in group]
    argv = [sys.executable, "-m", "eymail", "spf", "", "--set", "-", "--server", server.address, "--json"]
    lines = "".join(json.dumps(client) + "\n" for client in clients)
    done = subprocess.run(argv, input=lines, capture_output=True, text=True, timeout=60, check=True)
    found = [json.loads(line)["data"] for line in done.stdout.splitlines()]
    return [Verdict(one["result"], one["explanation"]) for one in found]
