"""Handing a message over by SMTP: what is on the wire, and servers that refuse or go away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

import pytest

from eymail.errors import ServiceError
from eymail.mail.smtp import send
from eymail.ops.observe import _message

GOOD = (
    b"220 hi\r\n",
    b"250 mx\r\n",
    b"250 ok\r\n",
    b"250 ok\r\n",
    b"354 go\r\n",
    b"250 taken\r\n",
    b"221 bye\r\n",
)


def sent(answers: Sequence[bytes]) -> tuple[str, bytes]:
    """What ``send`` gave, and all that a server got that gives these answers and then hangs up."""
    ours, theirs = socket.socketpair()
    heard = bytearray()
    server = threading.Thread(target=_serve, args=(theirs, answers, heard), daemon=True)
    server.start()
    try:
        return send(
            ours, "smtp", "a@example.com", "b@example.org", _message("a@example.com", "b@example.org")
        ), bytes(heard)
    finally:
        server.join(10)


def _serve(connection: socket.socket, answers: Sequence[bytes], heard: bytearray) -> None:
    with connection:
        for answer in answers:
            connection.sendall(answer)
            end = b"\r\n.\r\n" if answer.startswith(b"354") else b"\r\n"
            start = len(heard)
            while not heard.endswith(end, start):
                piece = connection.recv(4096)
                if not piece:
                    return
                heard += piece


def test_a_message_is_handed_over_with_the_line_ends_of_the_protocol() -> None:
    answer, heard = sent(GOOD)
    assert answer == "250 taken"
    assert heard.count(b"\n") == heard.count(b"\r\n")
    assert b"mail FROM:<a@example.com>" in heard
    assert b"rcpt TO:<b@example.org>\r\n" in heard
    assert b"\r\nAuto-Submitted: auto-generated\r\n" in heard


def test_a_message_that_was_taken_stays_taken_when_the_server_hangs_up() -> None:
    assert sent(GOOD[:-1])[0] == "250 taken"


@pytest.mark.parametrize("place", range(6))
def test_what_refuses_is_told_in_the_servers_words(place: int) -> None:
    with pytest.raises(ServiceError, match="not today"):
        sent([*GOOD[:place], b"554 not today\r\n", b"554 not today\r\n"])


@pytest.mark.parametrize("place", range(6))
def test_a_server_that_goes_away_is_told(place: int) -> None:
    with pytest.raises(ServiceError, match=r"a message from a@example.com to b@example.org: "):
        sent(GOOD[:place])
