"""A tunnel's port: every connection served, ends passed on, failures told, nothing left."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from eymail.errors import EymailError, HostError
from eymail.hosts.forward import Forwarder
from eymail.hosts.local import LocalHost
from eymail.hosts.splice import as_socket
from tests.unit.ssh_peer import listening

HERE = LocalHost("here")


@contextlib.contextmanager
def forwarding(port: int, failed: Callable[[EymailError], None] = lambda _error: None) -> Iterator[int]:
    """A forwarder to this port, served in a thread; its own port."""
    forwarder = Forwarder(0, lambda: HERE.connect("127.0.0.1", port, 5), failed)
    threading.Thread(target=forwarder.serve, daemon=True).start()
    yield forwarder.port
    forwarder.close()


def everything(connection: socket.socket) -> bytes:
    connection.settimeout(10)
    return b"".join(iter(lambda: connection.recv(65536), b""))


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port))


def greet(connection: socket.socket) -> None:
    """The server speaks first, as in IMAP, and hangs up when the client does."""
    connection.sendall(b"* OK ready\r\n")
    while connection.recv(65536):
        pass
    connection.close()


def count(connection: socket.socket) -> None:
    """Says how much it got, but only after the client's end of file."""
    connection.sendall(f"{len(everything(connection))}\n".encode())
    connection.close()


def test_a_half_close_is_passed_on_and_the_answer_comes_back() -> None:
    with listening(count) as port, forwarding(port) as local, connected(local) as client:
        client.sendall(b"x" * 3_000_000)
        client.shutdown(socket.SHUT_WR)
        assert everything(client) == b"3000000\n"


def test_the_servers_end_reaches_the_client() -> None:
    hang_up = socket.socket.close
    with listening(hang_up) as port, forwarding(port) as local, connected(local) as client:
        assert everything(client) == b""


def test_two_hundred_at_once_are_all_greeted() -> None:
    with listening(greet) as port, forwarding(port) as local, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connected(local)) for _ in range(200)]
        for client in clients:
            client.settimeout(20)
            assert client.recv(100) == b"* OK ready\r\n"


def test_a_connection_that_cannot_be_led_on_is_closed_and_told() -> None:
    told: list[EymailError] = []
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with forwarding(port, told.append) as local:
        for number in (1, 2):
            with connected(local) as client:
                assert everything(client) == b""
            assert len(told) == number
    assert "here cannot connect to 127.0.0.1" in told[0].message


def test_a_taken_port_is_one_sentence() -> None:
    sentence = r"local port \d+ cannot be had: Address already in use"
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(HostError, match=sentence):
        Forwarder(taken.getsockname()[1], lambda: HERE.connect("127.0.0.1", 9, 1), lambda _error: None)


def test_no_thread_stays_after_the_connections() -> None:
    before = threading.active_count()
    with listening(greet) as port, forwarding(port) as local:
        for _ in range(20):
            with connected(local) as client:
                client.recv(100)
        during = before + 2  # the two listeners
        deadline = time.monotonic() + 10
        while threading.active_count() > during and time.monotonic() < deadline:
            time.sleep(0.02)
        assert threading.active_count() <= during


def test_a_channel_as_a_socket_closes_what_is_behind_it() -> None:
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        greet(connection)
        ended.set()

    with listening(serve) as port:
        connection = as_socket(HERE.connect("127.0.0.1", port, 5))
        assert connection.recv(100) == b"* OK ready\r\n"
        connection.close()
        assert ended.wait(5)
