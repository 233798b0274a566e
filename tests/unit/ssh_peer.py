"""An SSH server in this process that does as it is told, for what no real sshd can be made to do."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paramiko

from eymail.hosts.ssh import SshHost

Serve = Callable[[socket.socket], None]


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> paramiko.PKey:
    """A new key pair at ``path``, by ssh-keygen; the key as paramiko has it when it has no passphrase."""
    argv = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(argv, check=True)
    return paramiko.PKey.from_path(path, passphrase.encode() or None)


@dataclass
class Behaviour(paramiko.ServerInterface):
    """What the server accepts: these keys, any command, any onward connection.

    ``mute`` answers no exec; a login takes ``thinking`` seconds.
    """

    keys: tuple[paramiko.PKey, ...]
    mute: bool = False
    thinking: float = 0.0
    tried: list[str] = field(default_factory=list)

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.tried.append(key.fingerprint)
        threading.Event().wait(self.thinking)
        return paramiko.AUTH_SUCCESSFUL if key in self.keys else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if self.mute:
            threading.Event().wait(30)
        in_background(_echo, channel, command)
        return True

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        in_background(self._onward, destination)
        return paramiko.OPEN_SUCCEEDED

    def _onward(self, destination: tuple[str, int]) -> None:
        from eymail.hosts.splice import splice

        channel = self.transport.accept(5)
        splice(channel, socket.create_connection(destination))

    transport: paramiko.Transport = field(init=False)


def _echo(channel: paramiko.Channel, command: bytes) -> None:
    while channel.recv(65536):  # the client's end of input comes after it was told that the command runs
        pass
    channel.sendall(command)
    channel.send_exit_status(0)
    channel.close()


def ssh_server(host_key: paramiko.PKey, behaviour: Behaviour) -> Serve:
    """A proper SSH server with this host key."""

    def serve(connection: socket.socket) -> None:
        behaviour.transport = transport = paramiko.Transport(connection)
        transport.add_server_key(host_key)
        transport.start_server(server=behaviour)

    return serve


@contextlib.contextmanager
def listening(serve: Serve) -> Iterator[int]:
    """A loopback port where ``serve`` gets every connection in a thread of its own."""
    open_ones: list[socket.socket] = []

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_ones.append(connection)
                in_background(serve, connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for connection in open_ones:
        connection.close()


def in_background(act: Callable[..., None], *args: object) -> None:
    """Do this in a thread that ends without a word when the client is gone."""

    def quietly() -> None:
        with contextlib.suppress(OSError, paramiko.SSHException, EOFError):
            act(*args)

    threading.Thread(target=quietly, daemon=True).start()


@dataclass
class Place:
    """A user's SSH files in a folder of the test's own."""

    folder: Path

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def host(
        self, port: int, *lines: str, ask: Callable[[str], bool] | None = None, timeout: float = 5.0
    ) -> SshHost:
        """The server at this port, with further lines of ssh_config."""
        config = self.folder / "ssh_config"
        settings = (
            f"HostName 127.0.0.1\nPort {port}\nUser deploy\nIdentityAgent none",
            f"UserKnownHostsFile {self.known_hosts}\nGlobalKnownHostsFile none\nHashKnownHosts no",
            *lines,
        )
        config.write_text("Host slice1\n" + "\n".join(settings) + "\n")
        return SshHost("slice1", "slice1", config_file=str(config), timeout=timeout, ask=ask)

    def know(self, port: int, *keys: paramiko.PKey, marker: str = "") -> None:
        """Add these host keys of the server at this port to known_hosts."""
        with self.known_hosts.open("a") as file:
            for key in keys:
                file.write(f"{marker}[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
