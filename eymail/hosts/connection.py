"""One SSH connection by paramiko: the socket, the jump hosts, the host key, the login.

Loads paramiko; only ``ssh`` imports it, when a connection is wanted. What paramiko
does not do by itself is done here: TCP_NODELAY, a deadline for every phase, host key
algorithms in the order of what is known, and an end that leaves no thread behind.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import paramiko

from eymail.errors import AuthError, EymailError, HostError, HostKeyError
from eymail.hosts.destination import Destination
from eymail.hosts.identities import Identities
from eymail.hosts.known_hosts import HostKey, Known, append, line_for, look_up

# What goes wrong becomes an error of ours; logging's last resort would print it on stderr as well.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

Ask = Callable[[str], bool]

_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_WEAK_CIPHERS = ("cbc", "3des")
_WEAK_MACS = ("md5", "sha1")
_DEAD_AFTER = 20.0
_asking = threading.Lock()


@dataclass(frozen=True)
class Way:
    """Which server is meant, and how to speak of it."""

    name: str
    hop: Destination

    @property
    def shown(self) -> str:
        return f"{self.name} ({self.hop.shown})"

    @property
    def caveat(self) -> str:
        """What could not be taken into account, as the end of a sentence."""
        return f"; {self.hop.caveat}" if self.hop.caveat else ""

    def failed(self, reason: str, hint: str = "") -> HostError:
        return HostError(f"{self.shown}: {reason}{self.caveat}", hint)


class Connection:
    """A connection: the transport to the host, and those to the jump hosts before it.

    ``close`` may be called from another thread while ``open`` is under way, and ends it.
    """

    def __init__(self, timeout: float, ask: Ask | None) -> None:
        self._timeout = timeout
        self._ask = ask
        self._transports: list[paramiko.Transport] = []
        self._closed = False
        self.host_key = HostKey("", b"")

    def open(self, name: str, destination: Destination) -> None:
        """Raises HostError, HostKeyError, AuthError; nothing stays open then."""
        try:
            for hop in (*destination.through, destination):
                label = name if hop is destination else f"{name}: jump host"
                self._add(Way(label, hop))
        except BaseException:
            self.close()
            raise

    @property
    def transport(self) -> paramiko.Transport:
        try:
            return self._transports[-1]
        except IndexError:
            raise HostError("the connection was closed by another part of this run") from None

    @property
    def active(self) -> bool:
        return bool(self._transports) and all(transport.is_active() for transport in self._transports)

    def close(self) -> None:
        """Close all, last one first, and wait a moment for paramiko's threads."""
        self._closed = True
        while self._transports:
            _end(self._transports.pop())

    def answers(self, timeout: float) -> bool:
        """Whether the host still answers; paramiko's own keepalive never notices that it does not."""
        transport = self.transport
        stop = threading.Timer(timeout, _end, [transport])
        stop.daemon = True
        stop.start()
        try:
            transport.global_request("keepalive@openssh.com", wait=True)
        except (paramiko.SSHException, OSError, EOFError):
            return False
        finally:
            stop.cancel()
        return transport.is_active()

    def _add(self, way: Way) -> None:
        sock = self._socket(way)
        if self._closed:
            sock.close()
            raise way.failed("the connection was given up")
        transport = paramiko.Transport(sock)
        self._transports.append(transport)
        known = look_up(way.hop.key_name, (*way.hop.user_known_hosts, *way.hop.global_known_hosts))
        _prefer(transport, known)
        self.host_key = _handshake(transport, way, self._timeout)
        _verify(way, self.host_key, known, self._ask)
        _log_in(transport, way, self._timeout)

    def _socket(self, way: Way) -> socket.socket | paramiko.Channel:
        if self._transports:
            return self._through(way)
        try:
            sock = socket.create_connection((way.hop.host, way.hop.port), self._timeout)
        except TimeoutError as error:
            raise way.failed(
                f"no answer within {self._timeout:g} s", "is the host up, and the address right?"
            ) from error
        except socket.gaierror as error:
            raise way.failed("the name is not known", "see HostName in the SSH configuration") from error
        except (OSError, UnicodeError) as error:
            raise way.failed(getattr(error, "strerror", None) or str(error), "is sshd up there?") from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _notice_death(sock)
        return sock

    def _through(self, way: Way) -> paramiko.Channel:
        try:
            return self.transport.open_channel(
                "direct-tcpip", (way.hop.host, way.hop.port), ("127.0.0.1", 0), timeout=self._timeout
            )
        except paramiko.ChannelException as error:
            raise way.failed(f"the jump host cannot reach it: {error.text}") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise way.failed(f"the jump host does not answer: {error}") from error


def _notice_death(sock: socket.socket) -> None:
    """Let the kernel end a connection whose other side says nothing, not even that it is gone."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 2)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_DEAD_AFTER * 1000))


def _prefer(transport: paramiko.Transport, known: Known) -> None:
    """Algorithms: the known keys' first, as OpenSSH does; the fastest cipher first; no outworn ones."""
    options = transport.get_security_options()
    types = [name for kind in known.types for name in (_RSA if kind == "ssh-rsa" else (kind,))]
    options.key_types = sorted(
        options.key_types, key=lambda name: types.index(name) if name in types else len(types)
    )
    ciphers = [name for name in options.ciphers if not any(weak in name for weak in _WEAK_CIPHERS)]
    options.ciphers = sorted(ciphers, key=lambda name: "gcm" not in name)
    options.digests = [name for name in options.digests if not any(weak in name for weak in _WEAK_MACS)]


def _handshake(transport: paramiko.Transport, way: Way, timeout: float) -> HostKey:
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = timeout
    began = time.monotonic()
    try:
        transport.start_client(timeout=timeout)
        key = transport.get_remote_server_key()
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise _no_handshake(transport, way, time.monotonic() - began >= timeout, error) from error
    return HostKey(key.get_name(), key.asbytes())


def _no_handshake(transport: paramiko.Transport, way: Way, late: bool, error: Exception) -> HostError:
    if not transport.remote_version:
        reason = f"no SSH banner came{' in time' if late else ''}"
        return way.failed(
            reason, "is this sshd's port? It also drops connections when MaxStartups is reached"
        )
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return way.failed(f"no algorithm in common: {error}")
    reason = "did not finish the key exchange in time" if late else "broke off the key exchange"
    return way.failed(reason)


def _verify(way: Way, key: HostKey, known: Known, ask: Ask | None) -> None:
    """Refuse a key that is revoked, or not the known one; ask about the unknown. Raises HostKeyError."""
    offered = f"{key.type} {key.fingerprint}"
    if key in known.revoked:
        raise HostKeyError(f"{way.shown}: its host key {offered} is revoked", "do not connect; find out why")
    if key in known.keys:
        return
    if known.keys:
        expected = ", ".join(f"{each.type} {each.fingerprint}" for each in known.keys)
        raise HostKeyError(
            f"{way.shown}: the host key has changed: known is {expected}, offered is {offered}",
            f"if the change is legitimate: ssh-keygen -R '{way.hop.key_name}', and connect again",
        )
    _ask_about(way, key, offered, ask)


def _ask_about(way: Way, key: HostKey, offered: str, ask: Ask | None) -> None:
    if ask is None:
        raise HostKeyError(
            f"{way.shown}: the host key is unknown: {offered}",
            "nobody could be asked; connect once from a terminal, or add the key to known_hosts",
        )
    with _asking:
        trusted = ask(f"{way.shown} is unknown; its host key is {offered}. Trust it from now on?")
    if not trusted:
        raise HostKeyError(f"{way.shown}: the host key {offered} was not trusted", "nothing was sent to it")
    for file in way.hop.user_known_hosts[:1]:
        try:
            append(file, line_for(way.hop.key_name, key, way.hop.hash_known_hosts))
        except OSError as error:
            raise HostKeyError(f"{way.shown}: cannot add its key to {file}: {error.strerror}") from error


def _log_in(transport: paramiko.Transport, way: Way, timeout: float) -> None:
    identities = Identities(way.hop, timeout)
    try:
        for key in identities:
            if _accepts(transport, way, key):
                return
    finally:
        identities.close()
    raise _refused(way, identities)


def _accepts(transport: paramiko.Transport, way: Way, key: paramiko.PKey) -> bool:
    try:
        more = transport.auth_publickey(way.hop.user, key)
    except paramiko.BadAuthenticationType as error:
        raise AuthError(
            f"{way.shown} lets nobody log in with a key, only by {', '.join(error.allowed_types)}",
            "eymail logs in with keys only",
        ) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        if _late(error):
            raise way.failed("no answer to the login in time", "is the host overloaded?") from error
        if transport.is_active() and isinstance(error, paramiko.AuthenticationException):
            return False
        raise AuthError(
            f"{way.shown}: the connection broke off during the login",
            "too many keys (MaxAuthTries)? name the right one with IdentityFile and IdentitiesOnly",
        ) from error
    if more:
        raise AuthError(f"{way.shown} wants {', '.join(more)} after the key", "eymail logs in with keys only")
    return True


def _late(error: Exception) -> bool:
    return "timeout" in str(error).lower()


def _refused(way: Way, identities: Identities) -> EymailError:
    unusable = f"; {'; '.join(identities.unusable)}" if identities.unusable else ""
    if not identities.tried:
        return AuthError(
            f"{way.shown}: there is no key to log in with{unusable}{way.caveat}",
            "make one with ssh-keygen, load one with ssh-add, or name one with IdentityFile",
        )
    return AuthError(
        f"{way.shown} refuses every key: {', '.join(identities.tried)}{unusable}{way.caveat}",
        f"is one of them in {way.hop.user}'s authorized_keys there, and is {way.hop.user} the right user?",
    )


def _end(transport: paramiko.Transport) -> None:
    """Close a transport wherever it stands, and its socket, which a failed start leaves open."""
    # A handshake that never came to its end leaves a timer thread that would hold up the process's exit.
    transport.packetizer.complete_handshake()
    with contextlib.suppress(Exception):
        transport.close()
    with contextlib.suppress(OSError):
        transport.sock.close()
    if transport.is_alive() and transport is not threading.current_thread():
        transport.join(1.0)
