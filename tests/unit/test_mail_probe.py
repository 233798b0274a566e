"""Mail servers that lie, stall or shout cost bounded time and memory, and end in words."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import pytest

from eymail.hosts.splice import as_socket
from eymail.mail.bounded import Bounded
from eymail.mail.checks import Check, run
from eymail.mail.imap import ImapProbe
from eymail.mail.pop3 import Pop3Probe
from eymail.mail.probe import Login, Probe, Trust
from eymail.mail.smtp import SmtpProbe

PROBES: dict[str, Callable[..., Probe]] = {"imap": ImapProbe, "pop3": Pop3Probe, "smtp": SmtpProbe}
GREETING = {"imap": b"* OK hi\r\n", "pop3": b"+OK hi\r\n", "smtp": b"220 hi\r\n"}


def probed(kind: str, serve: Callable[[socket.socket], None], seconds: float = 5.0) -> list[Check]:
    """The checks of a probe against a server that ``serve`` plays."""
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=_quietly, args=(serve, theirs), daemon=True)
    thread.start()
    probe = PROBES[kind](ours, Trust("mail1.example"), Login("user@example.com", "secret"))
    ours.settimeout(seconds)
    try:
        return list(run(probe.steps()))
    finally:
        probe.close()
        with contextlib.suppress(OSError):
            theirs.shutdown(socket.SHUT_RDWR)
        theirs.close()
        thread.join(10)


def _quietly(serve: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        serve(connection)


def say(*lines: bytes) -> Callable[[socket.socket], None]:
    """A server that says one thing after each line that it gets, then hangs up."""

    def serve(connection: socket.socket) -> None:
        for line in lines:
            connection.sendall(line)
            connection.recv(4096)
        connection.close()

    return serve


@pytest.mark.parametrize("kind", PROBES)
def test_a_server_that_never_speaks(kind: str) -> None:
    found = probed(kind, lambda connection: connection.recv(1) and None, seconds=0.3)
    assert (found[0].name, found[0].status) == ("greeting", "failed")
    assert "no answer" in found[0].detail
    assert {check.status for check in found[1:]} == {"not checked"}


@pytest.mark.parametrize("kind", PROBES)
def test_a_server_that_hangs_up(kind: str) -> None:
    found = probed(kind, lambda connection: connection.close())
    assert found[0].status == "failed"
    assert "\n" not in found[0].detail


@pytest.mark.parametrize("kind", PROBES)
def test_a_greeting_without_an_end(kind: str) -> None:
    def serve(connection: socket.socket) -> None:
        for _ in range(4000):
            connection.sendall(b"A" * 65536)

    found = probed(kind, serve)
    assert found[0].status == "failed"
    assert len(found[0].detail) < 500


@pytest.mark.parametrize("kind", PROBES)
def test_garbage_after_the_greeting(kind: str) -> None:
    found = probed(kind, say(GREETING[kind], b"\x1b[2J\xff\xfe what\r\n"))
    assert "failed" in {check.status for check in found}
    assert all(len(check.detail) < 500 for check in found)


def through(kind: str, serve: Callable[[socket.socket], None], **limits: float) -> tuple[list[Check], str]:
    """The checks of a probe whose server is bounded, as in a tunnel's test, and the limit it met."""
    ours, theirs = socket.socketpair()
    threading.Thread(target=_quietly, args=(serve, theirs), daemon=True).start()
    bounded = Bounded(ours, **limits)
    probe = PROBES[kind](as_socket(bounded), Trust("mail1.example"), Login("user@example.com", "secret"))
    try:
        return list(run(probe.steps())), bounded.exceeded
    finally:
        probe.close()
        theirs.close()


# Each line is in order; there is just no end to them.
ENDLESS = {
    "imap": b"* CAPABILITY IMAP4rev1 STARTTLS\r\n",
    "pop3": b"+OK yes\r\n" + b"UIDL\r\n" * 100,
    "smtp": b"220-and another thing\r\n",
}


@pytest.mark.parametrize("kind", PROBES)
def test_lines_without_an_end(kind: str) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(GREETING[kind] if kind != "smtp" else b"220-hi\r\n")
        while True:
            connection.sendall(ENDLESS[kind] * 100)

    found, exceeded = through(kind, serve)
    assert exceeded == "the server sent more than 4194304 bytes"
    assert "failed" in {check.status for check in found}


@pytest.mark.parametrize("kind", PROBES)
def test_lines_that_drip_for_ever(kind: str) -> None:
    """Every answer comes in time, only never the last one."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(GREETING[kind] if kind != "smtp" else b"220-hi\r\n")
        while True:
            connection.sendall(ENDLESS[kind].splitlines(keepends=True)[0])
            time.sleep(0.05)

    started = time.monotonic()
    found, exceeded = through(kind, serve, seconds=0.5)
    assert time.monotonic() - started < 5
    assert exceeded == "the server was not done within 0.5 s"
    assert "failed" in {check.status for check in found}


def test_a_literal_of_four_gigabytes() -> None:
    """The size is not believed; no memory is asked for."""
    found = probed("imap", say(b"* OK [CAPABILITY IMAP4rev1] hi {4294967296}\r\n", b"x" * 1000))
    assert found[0].detail == "greeting: the server announced 4294967296 bytes at once"


@pytest.mark.parametrize("kind", ["imap", "pop3"])
def test_no_password_is_sent_without_tls(kind: str) -> None:
    heard: list[bytes] = []
    answers = {
        "imap": {b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n%s OK done\r\n"},
        "pop3": {b"CAPA": b"+OK\r\nUSER\r\n.\r\n"},
    }[kind]

    def serve(connection: socket.socket) -> None:
        connection.sendall(GREETING[kind])
        while line := connection.recv(4096):
            heard.append(line)
            tag = line.split()[0]
            answer = next((text for word, text in answers.items() if word in line), b"-ERR no\r\n")
            connection.sendall(answer % tag if b"%s" in answer else answer)

    found = {check.name: check.status for check in probed(kind, serve)}
    assert found["tls"] == "failed"
    assert found["login"] == "not checked"
    assert not any(b"secret" in line for line in heard)
