"""A name server that answers everything so many milliseconds late, and counts what it was asked.

    python bench/slow_dns.py --delay 20 [--port N] [--address 127.0.0.1] < zones.json

It is a process of its own, so that the one that is measured shares no interpreter lock with it, on
loopback, where a packet takes some 0.05 ms: the delay is then the one thing that is waited for, and
no peer needs more than an address to reach it. Answers are made when a question comes and sent in
turn when they are due; all have the same delay, so no sorting is needed.

It prints its port. A line on stdin makes it print, as JSON, what was asked since the last one: name
and type in order, and how late the latest answer was sent, in milliseconds after it was due.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT)  # not this folder, whose names would hide modules

from tests.oracles.zones import World, Zones, answer_to  # noqa: E402 - found by the line above

_ROOM = 1232


class SlowServer:
    """Serves until stdin ends, in one thread."""

    def __init__(self, world: World, address: str, port: int, delay: float) -> None:
        self._world, self._delay = world, delay
        self._asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.setblocking(False)
        self._socket.bind((address, port))
        self.port = int(self._socket.getsockname()[1])
        self._due: deque[tuple[float, bytes, Any]] = deque()
        self._late = 0.0

    def serve(self) -> None:
        while True:
            left = max(0.0, self._due[0][0] - time.perf_counter()) if self._due else None
            ready, _, _ = select.select([self._socket, sys.stdin], [], [], left)
            self._send_what_is_due()
            if self._socket in ready:
                self._take()
            if sys.stdin in ready:
                if not sys.stdin.readline():
                    return
                self._tell()

    def _take(self) -> None:
        try:
            while True:
                wire, sender = self._socket.recvfrom(4096)
                due = time.perf_counter() + self._delay
                asked, answer = answer_to(wire, self._world, room=_ROOM)
                self._asked.append(asked)
                if answer is not None:
                    self._due.append((due, answer, sender))
        except BlockingIOError:
            return

    def _send_what_is_due(self) -> None:
        now = time.perf_counter()
        while self._due and self._due[0][0] <= now:
            due, answer, sender = self._due.popleft()
            self._socket.sendto(answer, sender)
            self._late = max(self._late, now - due)

    def _tell(self) -> None:
        print(json.dumps({"asked": self._asked, "late": self._late * 1000}), flush=True)
        self._asked, self._late = [], 0.0


class SlowDns:
    """The server as a process, for whoever measures."""

    def __init__(self, zones: Zones, delay: float, address: str = "127.0.0.1", port: int = 0) -> None:
        argv = [sys.executable, __file__, "--delay", str(delay), "--address", address, "--port", str(port)]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin and self._process.stdout
        self._in, self._out = self._process.stdin, self._process.stdout
        with suppress(BrokenPipeError):
            self._in.write(json.dumps(zones) + "\n")
            self._in.flush()
        port_line = self._out.readline()
        if not port_line:
            raise OSError(f"no name server on {address}:{port}")
        self.ip, self.port = address, int(port_line)
        self.address = f"{address}:{self.port}"

    def __enter__(self) -> SlowDns:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._in.close()
        self._process.wait()

    def asked(self) -> tuple[list[tuple[str, str]], float]:
        """The questions since the last call, as (name, type), and the latest answer's lateness in ms."""
        self._in.write("\n")
        self._in.flush()
        told = json.loads(self._out.readline())
        return [tuple(one) for one in told["asked"]], told["late"]


def _record(kind: str, value: Any) -> tuple[str, object]:
    """A record as JSON brought it: what was a tuple is a list."""
    return kind, tuple(value) if isinstance(value, list) else value


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--delay", type=float, default=20, help="milliseconds")
    options.add_argument("--address", default="127.0.0.1")
    options.add_argument("--port", type=int, default=0)
    given = options.parse_args()
    zones = {
        name: [_record(*one) for one in records] for name, records in json.loads(sys.stdin.readline()).items()
    }
    try:
        server = SlowServer(World.of(zones), given.address, given.port, given.delay / 1000)
    except OSError as error:
        sys.exit(f"{given.address}:{given.port}: {error}")
    print(server.port, flush=True)
    server.serve()


if __name__ == "__main__":
    main()
