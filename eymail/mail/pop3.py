"""POP3, by the standard library over a socket that is there already (RFC 1939, 2595). Nothing is deleted."""

from __future__ import annotations

import poplib
import socket

from eymail.errors import ServiceError
from eymail.mail.checks import Step
from eymail.mail.probe import Probe, certificate_words, failures, need_user, refused_login


class _OverSocket(poplib.POP3):
    """poplib on a given socket. ``_create_socket`` is a private name: tests hold it to its meaning."""

    def __init__(self, name: str, connection: socket.socket) -> None:
        self._given = connection
        super().__init__(name)

    def _create_socket(self, _timeout: float) -> socket.socket:
        return self._given


class Pop3Probe(Probe):
    """Greeting, capabilities, TLS, login, number and size of messages."""

    _made: poplib.POP3 | None = None

    def steps(self) -> tuple[Step, ...]:
        return (
            ("greeting", self._greeting),
            ("capabilities", self._capabilities),
            ("tls", self._tls),
            ("login", self._log_in),
            ("capabilities after login", self._capabilities_after),
            ("inbox", self._inbox),
        )

    @property
    def _pop3(self) -> poplib.POP3:
        if self._made is None:
            raise ServiceError("POP3: there is no connection")
        return self._made

    def _greeting(self) -> str:
        with failures("greeting", poplib.error_proto):
            self._made = _OverSocket(self._trust.name, self._connection)
        return self._made.getwelcome()[:400].decode("utf-8", "replace")

    def _capabilities(self) -> str:
        with failures("CAPA", poplib.error_proto):
            return " ".join(sorted(self._pop3.capa()))

    def _tls(self) -> str:
        with failures("STLS", poplib.error_proto):
            self._pop3.stls(self._trust.context())
            return certificate_words(self._pop3.sock)

    def _log_in(self) -> str:
        need_user(self._login)
        with failures("PASS"):
            try:
                self._pop3.user(self._login.user)
                self._pop3.pass_(self._login.password)
            except poplib.error_proto as error:
                raise refused_login(self._login.user, error) from error
        return f"as {self._login.user}"

    def _capabilities_after(self) -> str:
        need_user(self._login)
        return self._capabilities()

    def _inbox(self) -> str:
        need_user(self._login)
        with failures("STAT", poplib.error_proto):
            count, size = self._pop3.stat()
        return f"{count} messages, {size} bytes"
