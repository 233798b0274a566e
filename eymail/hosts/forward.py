"""A port of this machine that leads to a service which only another host can reach."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from eymail.errors import EymailError, HostError
from eymail.hosts import Channel
from eymail.hosts.splice import splice

# Clients of protocols in which the server speaks first hang when their connection waits unaccepted.
_BACKLOG = 1024


class Forwarder:
    """Listens on loopback and opens a channel for each connection.

    ``failed`` is told of a connection for which no channel could be opened; that connection
    is closed and the others go on. Raises HostError when the port cannot be had.
    """

    def __init__(
        self, port: int, open_channel: Callable[[], Channel], failed: Callable[[EymailError], None]
    ) -> None:
        self._open, self._failed = open_channel, failed
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind(("127.0.0.1", port))
        except OSError as error:
            self._listener.close()
            raise HostError(
                f"local port {port} cannot be had: {error.strerror}", "leave --local-port out for a free one"
            ) from error
        self._listener.listen(_BACKLOG)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Accept connections until ``close``, or until an interrupt comes."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        try:
            channel = self._open()
        except EymailError as error:
            with connection:
                self._failed(error)
            return
        splice(channel, connection)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()
