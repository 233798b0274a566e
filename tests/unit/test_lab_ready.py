"""The program that waits for services, against real listeners of this machine."""

from __future__ import annotations

import json
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from eymail.lab import status


class Greeter(socketserver.BaseRequestHandler):
    """Says its greeting to whoever connects; then waits for the end."""

    greeting = b""

    def handle(self) -> None:
        self.request.sendall(self.greeting)
        self.request.recv(1)


class Smtp(Greeter):
    greeting = b"220 here\r\n"


class Sorry(Greeter):
    greeting = b"554 not now\r\n"


class NameServer(socketserver.BaseRequestHandler):
    """Answers every question with the response code 2, SERVFAIL (RFC 1035 section 4.1.1)."""

    def handle(self) -> None:
        question = self.request.recv(512)
        self.request.sendall(question[:5] + b"\x82" + question[6:])


@pytest.fixture
def serve() -> Iterator[object]:
    servers = []

    def start(handler: type[socketserver.BaseRequestHandler]) -> int:
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return int(server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def ask(deadline: float, *checks: tuple[str, int, str]) -> subprocess.CompletedProcess[str]:
    lines = json.dumps([(name, "127.0.0.1", port, greeting) for name, port, greeting in checks])
    argv = [sys.executable, "-I", str(status._READY), str(deadline)]
    return subprocess.run(argv, input=lines, capture_output=True, text=True, timeout=30, check=False)


def test_a_service_that_greets_is_ready(serve) -> None:
    done = ask(10, ("relay1", serve(Smtp), "220"), ("mx-hang", serve(Greeter), ""))
    assert done.returncode == 0
    assert set(done.stdout.split()) == {"relay1", "mx-hang"}


@pytest.mark.parametrize("handler", [Sorry, Greeter, NameServer])
def test_what_answers_wrongly_is_not_ready(serve, handler: type[socketserver.BaseRequestHandler]) -> None:
    """Another code, no word at all, a name server that fails: a listening port is not enough."""
    wanted = "dns" if handler is NameServer else "220"
    done = ask(0.5, ("bad", serve(handler), wanted), ("good", serve(Smtp), "220"))
    assert (done.returncode, done.stdout.split(), done.stderr) == (1, ["good"], "bad")


def test_a_host_is_ready_when_all_its_services_are(serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    done = ask(0.5, ("mail1", serve(Smtp), "220"), ("mail1", port, "* OK"))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "mail1")


def test_a_service_that_comes_late_is_waited_for(serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as later:
        port = later.getsockname()[1]

    class Late(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    servers = []

    def appear() -> None:
        servers.append(Late(("127.0.0.1", port), Smtp))
        servers[0].serve_forever()

    timer = threading.Timer(0.5, appear)
    timer.start()
    assert ask(20, ("lb1", port, "220")).returncode == 0
    servers[0].shutdown()
    servers[0].server_close()
