"""IMAP, by imapclient over a socket that is there already (RFC 9051). Nothing in a mailbox is changed."""

from __future__ import annotations

import imaplib
import socket
from typing import TYPE_CHECKING

from eymail.errors import ServiceError
from eymail.mail.bounded import MOST_BYTES
from eymail.mail.checks import NotChecked, Step
from eymail.mail.probe import Probe, certificate_words, failures, need_user, refused_login

if TYPE_CHECKING:
    from imapclient import IMAPClient


class _OverSocket(imaplib.IMAP4):
    """imaplib on a given socket. ``_create_socket`` is a private name: tests hold it to its meaning."""

    def __init__(self, name: str, connection: socket.socket) -> None:
        self._given = connection
        super().__init__(name)

    def _create_socket(self, _timeout: float | None = None) -> socket.socket:
        return self._given

    def read(self, size: int) -> bytes:
        """A literal (RFC 9051 section 4.3), whose announced size is believed only within reason."""
        if size > MOST_BYTES:
            raise self.abort(f"the server announced {size} bytes at once")
        return super().read(size)


def _client(name: str, connection: socket.socket) -> IMAPClient:
    from imapclient import IMAPClient

    class Client(IMAPClient):  # type: ignore[misc]  # imapclient carries no types
        def _create_IMAP4(self) -> imaplib.IMAP4:
            return _OverSocket(name, connection)

        def _set_read_timeout(self) -> None:
            """The socket has its deadline."""

    return Client(name, ssl=False)


class ImapProbe(Probe):
    """Greeting, capabilities, TLS, login, folders, newest message of the inbox."""

    _made: IMAPClient | None = None

    def steps(self) -> tuple[Step, ...]:
        return (
            ("greeting", self._greeting),
            ("capabilities", self._capabilities),
            ("tls", self._tls),
            ("login", self._log_in),
            ("capabilities after login", self._capabilities_after),
            ("folders", self._folders),
            ("inbox", self._inbox),
        )

    @property
    def _imap(self) -> IMAPClient:
        if self._made is None:
            raise ServiceError("IMAP: there is no connection")
        return self._made

    def _greeting(self) -> str:
        with failures("greeting", imaplib.IMAP4.error):
            self._made = _client(self._trust.name, self._connection)
        return _text(self._imap.welcome)

    def _capabilities(self) -> str:
        with failures("CAPABILITY", imaplib.IMAP4.error):
            return _words(self._imap.capabilities())

    def _tls(self) -> str:
        if not self._imap.has_capability("STARTTLS"):
            raise ServiceError(
                "the server does not offer STARTTLS", "set ssl = yes and a certificate in Dovecot"
            )
        with failures("STARTTLS", imaplib.IMAP4.error):
            self._imap.starttls(self._trust.context())
            return certificate_words(self._imap.socket())

    def _log_in(self) -> str:
        need_user(self._login)
        with failures("LOGIN"):
            try:
                self._imap.login(self._login.user, self._login.password)
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                # imapclient wraps imaplib's error, which holds the server's own words.
                said = error.__context__ if isinstance(error.__context__, imaplib.IMAP4.error) else error
                raise refused_login(self._login.user, said) from error
        return f"as {self._login.user}"

    def _capabilities_after(self) -> str:
        need_user(self._login)
        return self._capabilities()

    def _folders(self) -> str:
        need_user(self._login)
        with failures("LIST", imaplib.IMAP4.error):
            names = [str(name) for _, _, name in self._imap.list_folders()]
        return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")

    def _inbox(self) -> str:
        need_user(self._login)
        with failures("EXAMINE INBOX", imaplib.IMAP4.error):
            count = self._imap.select_folder("INBOX", readonly=True)[b"EXISTS"]
            if not count:
                return "no messages"
            newest = self._imap.fetch([count], ["ENVELOPE", "INTERNALDATE"])
        return f"{count} messages, {_newest(next(iter(newest.values()), {}))}"


def _newest(item: dict[bytes, object]) -> str:
    if not item:
        raise NotChecked("the newest message is gone")
    envelope = item.get(b"ENVELOPE")
    subject = getattr(envelope, "subject", None) or b"(no subject)"
    return f"newest {item.get(b'INTERNALDATE')}: {_text(subject)}"


def _words(capabilities: tuple[bytes, ...]) -> str:
    return _text(b" ".join(capabilities))


def _text(data: bytes) -> str:
    return data[:400].decode("utf-8", "replace").strip()
