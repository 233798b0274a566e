"""A channel and a socket joined: what comes out of one goes into the other, until both have ended.

paramiko's channels are no sockets to ssl, select or imaplib; behind a joined pair of real
sockets they are. One direction that ends is passed on as such (a half-close), and the other
goes on.
"""

from __future__ import annotations

import contextlib
import socket
import threading

from eymail.hosts import Channel

_BLOCK = 65536


def splice(channel: Channel, connection: socket.socket) -> None:
    """Copy both ways until both directions have ended; closes both."""
    channel.settimeout(None)
    connection.settimeout(None)
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    back = threading.Thread(target=_copy, args=(channel, connection), daemon=True)
    back.start()
    try:
        _copy(connection, channel)
        back.join()
    finally:
        # Closing a channel says so to the other host, which may be gone.
        with contextlib.suppress(OSError, EOFError):
            channel.close()
        connection.close()


def _copy(source: Channel | socket.socket, sink: Channel | socket.socket) -> None:
    # A side that is gone ends this direction; what the other one still has to say is its own matter.
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(_BLOCK):
            sink.sendall(data)
    with contextlib.suppress(OSError, EOFError):
        sink.shutdown(socket.SHUT_WR)


def as_socket(channel: Channel) -> socket.socket:
    """A real socket that leads to the channel; closing it closes the channel."""
    ours, theirs = socket.socketpair()
    threading.Thread(target=splice, args=(channel, theirs), daemon=True).start()
    return ours
