"""The keys to log in with: those of the agent, then those of the identity files.

Loads paramiko; only ``connection`` imports it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from paramiko import PasswordRequiredException, PKey, SSHException
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import UnknownKeyType

from eymail.hosts.destination import Destination

_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


class Agent(AgentSSH):
    """An agent at a socket of our choice, with a deadline; paramiko's own heeds SSH_AUTH_SOCK alone."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]  # there, but not in the stubs
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]  # there, but not in the stubs


@dataclass
class Identities:
    """Gives one key after the other, and keeps in words what was tried and what could not be."""

    destination: Destination
    timeout: float
    tried: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    _agent: Agent | None = None

    def __iter__(self) -> Iterator[PKey]:
        """Configured keys that the agent holds, the agent's others, then keys from files, as ssh does."""
        wanted = {blob: path for path in self.destination.identity_files if (blob := _public_blob(path))}
        held: set[bytes] = set()
        for key in sorted(self._agent_keys(), key=lambda key: key.blob not in wanted):
            if key.blob in wanted or not self.destination.identities_only:
                held.add(key.blob)
                self.tried.append(f"{key.comment or key.name} of the agent")
                yield key
        for path in self.destination.identity_files:
            loaded = None if _public_blob(path) in held else self._load(path)
            if loaded is not None and loaded.asbytes() not in held:
                self.tried.append(str(path))
                yield loaded

    def close(self) -> None:
        if self._agent:
            self._agent.close()

    def _agent_keys(self) -> tuple[AgentKey, ...]:
        if not self.destination.agent:
            return ()
        try:
            self._agent = Agent(self.destination.agent, self.timeout)
        except (OSError, SSHException):
            self.unusable.append("the agent does not answer")
            return ()
        return tuple(key for key in self._agent.get_keys() if key.name in _TYPES)

    def _load(self, path: Path) -> PKey | None:
        try:
            if _open_to_others(path):
                self.unusable.append(f"{path} can be read by others (chmod 600)")
                return None
            return PKey.from_path(path)
        except FileNotFoundError:
            return None
        except (PasswordRequiredException, TypeError):
            self.unusable.append(f"{path} has a passphrase (ssh-add {path})")
        except OSError as error:
            self.unusable.append(f"{path}: {error.strerror}")
        except (SSHException, ValueError, UnknownKeyType):
            self.unusable.append(f"{path} is not a key that eymail can use")
        return None


def _open_to_others(path: Path) -> bool:
    """Whether ssh itself would refuse this file as unprotected."""
    status = path.stat()
    return status.st_uid == os.getuid() and bool(status.st_mode & 0o077)


def _public_blob(path: Path) -> bytes | None:
    import base64
    import binascii

    try:
        fields = path.with_name(path.name + ".pub").read_bytes()[:16384].split()
        return base64.b64decode(fields[1], validate=True)
    except (OSError, IndexError, binascii.Error):
        return None
