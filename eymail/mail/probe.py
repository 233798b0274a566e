"""What the probes of all protocols share: a service, a login, TLS, and the words for what goes wrong."""

from __future__ import annotations

import datetime
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from eymail.errors import AuthError, ServiceError
from eymail.mail.checks import NotChecked, Step

TIMEOUT = 15.0
"""Seconds that a service may take for each answer."""


@dataclass(frozen=True)
class Login:
    """Whom to log in as. Without a user nobody is, and what needs a login is not checked."""

    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Trust:
    """The name that a certificate must be for, and a file of authorities beside the machine's own."""

    name: str
    ca_file: str = ""

    def context(self) -> ssl.SSLContext:
        """A TLS context that verifies. Raises ServiceError when the file cannot be read."""
        context = ssl.create_default_context()
        if self.ca_file:
            try:
                context.load_verify_locations(self.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise ServiceError(
                    f"cannot read the certificates in {self.ca_file}",
                    "see ca_file under [tls] in eymail.toml",
                ) from error
        return context


class Probe(ABC):
    """One protocol's steps over a socket that is connected already. Nothing in a mailbox is changed."""

    def __init__(self, connection: socket.socket, trust: Trust, login: Login) -> None:
        connection.settimeout(TIMEOUT)
        self._connection, self._trust, self._login = connection, trust, login

    @abstractmethod
    def steps(self) -> tuple[Step, ...]:
        """The checks by name, in order; each gives its detail, or raises."""

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


def certificate_words(connection: Any) -> str:
    """The name and the days left of the certificate that a TLS connection was verified by."""
    certificate: Mapping[str, Any] = connection.getpeercert()
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    end = ssl.cert_time_to_seconds(certificate["notAfter"])
    left = end - datetime.datetime.now(datetime.UTC).timestamp()
    return f"{connection.version()}, certificate for {', '.join(names)}, {int(left // 86400)} days left"


def need_user(login: Login) -> None:
    """Raises NotChecked when nobody is to log in."""
    if not login.user:
        raise NotChecked("no --user was given")


@contextmanager
def failures(what: str, *protocol_errors: type[Exception]) -> Iterator[None]:
    """Turn what sockets, TLS and a protocol's library raise into a ServiceError."""
    others: tuple[type[Exception], ...] = (*protocol_errors, OSError, ValueError)
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise ServiceError(
            f"{what}: the certificate does not verify: {error.verify_message}",
            "nothing was sent in the clear; see ca_file under [tls] in eymail.toml",
        ) from error
    except TimeoutError as error:
        raise _no_answer(what) from error
    except (EOFError, ConnectionError) as error:
        raise ServiceError(f"{what}: the connection was closed", "see the service's log") from error
    except others as error:
        # smtplib tells of a deadline as of a lost connection.
        if isinstance(error.__context__, TimeoutError):
            raise _no_answer(what) from error
        raise ServiceError(f"{what}: {_said(error)}") from error


def _no_answer(what: str) -> ServiceError:
    return ServiceError(f"{what}: no answer within {TIMEOUT:g} s", "is the service alive?")


def refused_login(user: str, error: Exception) -> AuthError:
    """The login was refused, in the server's words."""
    return AuthError(
        f"login as {user} was refused: {_said(error)}", "is the password right, the mailbox enabled?"
    )


def _said(error: Exception) -> str:
    """An exception's words, which may be bytes from the server; bounded, for servers are hostile."""
    words = error.args[-1] if error.args else type(error).__name__
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return text[:200]
