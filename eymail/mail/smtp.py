"""SMTP, by the standard library over a socket that is there already (RFC 5321).

The probe sends no message; ``send`` sends one.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket

from eymail.mail.checks import NotChecked, Step
from eymail.mail.probe import TIMEOUT, Login, Probe, Trust, certificate_words, failures


class _OverSocket(smtplib.SMTP):
    """smtplib on a given socket. ``_get_socket`` is a private name: tests hold it to its meaning."""

    def __init__(self, name: str, connection: socket.socket) -> None:
        self._given = connection
        super().__init__(local_hostname="eymail.invalid")
        self._host = name

    def _get_socket(self, _host: str, _port: int, _timeout: float) -> socket.socket:
        return self._given


class SmtpProbe(Probe):
    """Greeting, extensions, TLS when offered, and a NOOP. The cluster's relays know no login."""

    def __init__(self, connection: socket.socket, trust: Trust, login: Login) -> None:
        super().__init__(connection, trust, login)
        self._smtp = _OverSocket(trust.name, connection)

    def steps(self) -> tuple[Step, ...]:
        return (
            ("greeting", self._greeting),
            ("capabilities", self._capabilities),
            ("tls", self._tls),
            ("login", self._log_in),
            ("noop", self._noop),
        )

    def _greeting(self) -> str:
        with failures("greeting", smtplib.SMTPException):
            return _expect(*self._smtp.connect(self._trust.name, 25))

    def _capabilities(self) -> str:
        with failures("EHLO", smtplib.SMTPException):
            self._smtp.ehlo_or_helo_if_needed()
        return " ".join(sorted(name.upper() for name in self._smtp.esmtp_features))[:400]

    def _tls(self) -> str:
        if not self._smtp.has_extn("starttls"):
            raise NotChecked("STARTTLS is not offered")
        with failures("STARTTLS", smtplib.SMTPException):
            self._smtp.starttls(context=self._trust.context())
            return certificate_words(self._smtp.sock)

    def _log_in(self) -> str:
        raise NotChecked("the relays know hosts, not users")

    def _noop(self) -> str:
        with failures("NOOP", smtplib.SMTPException):
            return _expect(*self._smtp.noop())


def send(connection: socket.socket, name: str, sender: str, recipient: str, message: bytes) -> str:
    """Hand one message over, in the clear, and close the connection; the last answer of the server.

    ``message`` has the line ends of RFC 5321, CR LF. Raises ServiceError, which has the server's words.
    """
    connection.settimeout(TIMEOUT)
    smtp = _OverSocket(name, connection)
    try:
        with failures(f"a message from {sender} to {recipient}", smtplib.SMTPException):
            _expect(*smtp.connect(name, 25))
            smtp.ehlo_or_helo_if_needed()
            _expect(*smtp.mail(sender))
            _expect(*smtp.rcpt(recipient))
            answer = _expect(*smtp.data(message))
        with contextlib.suppress(smtplib.SMTPException, OSError):  # the message is handed over
            smtp.quit()
        return answer
    finally:
        smtp.close()  # its file holds the connection open
        connection.close()


def _expect(code: int, words: bytes) -> str:
    if not 200 <= code < 300:
        raise smtplib.SMTPResponseException(code, words)
    return f"{code} {words[:400].decode('utf-8', 'replace')}"
