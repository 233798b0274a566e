"""Where an SSH target leads, as ``ssh`` itself would understand it.

``ssh -G`` resolves ~/.ssh/config with everything it knows (Include, Match, tokens).
Without an ssh program a target is read as user@host:port, and the defaults stand.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eymail.errors import HostError, InvalidInput
from eymail.model import quoted

DEFAULT_PORT = 22
_RESOLVE_TIMEOUT = 10.0
_MOST_JUMPS = 8
_TARGET = re.compile(
    r"(ssh://)?((?P<user>[^\s@]+)@)?(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:@/]+)(:(?P<port>\d{1,5}))?"
)
_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_GLOBAL_KNOWN_HOSTS = (Path("/etc/ssh/ssh_known_hosts"),)


@dataclass(frozen=True)
class Destination:
    """One SSH server and how to log in to it.

    ``key_name`` is what the server is called in known_hosts. ``agent`` is the agent's
    socket, empty for none. ``through`` are the jump hosts on the way, first one first.
    ``caveat`` says what could not be taken into account.
    """

    host: str
    port: int
    user: str
    key_name: str
    identity_files: tuple[Path, ...]
    identities_only: bool
    agent: str
    user_known_hosts: tuple[Path, ...]
    global_known_hosts: tuple[Path, ...]
    hash_known_hosts: bool = False
    through: tuple[Destination, ...] = ()
    caveat: str = ""

    @property
    def shown(self) -> str:
        port = "" if self.port == DEFAULT_PORT else f" port {self.port}"
        return f"{self.user}@{self.host}{port}"


def resolve(target: str, config_file: str = "") -> Destination:
    """The destination behind a target. Raises InvalidInput, HostError."""
    return _resolve(target, config_file, _MOST_JUMPS)


def _resolve(target: str, config_file: str, jumps_left: int) -> Destination:
    match = _TARGET.fullmatch(target)
    if not match or not target.isprintable() or "-" in (target[0], match["host"][0]):
        raise InvalidInput(
            f"{quoted(target)} is not an SSH target", "a target looks like slice1 or deploy@slice1"
        )
    if shutil.which("ssh") is None:
        return _without_ssh(match["user"], match["host"], match["port"], config_file)
    values = _ask_ssh(_arguments(match, config_file), target)
    return _from_values(values, target, config_file, jumps_left)


def _arguments(match: re.Match[str], config_file: str) -> list[str]:
    arguments = ["-F", config_file] if config_file else []
    if match["port"]:
        arguments += ["-p", match["port"]]
    user = f"{match['user']}@" if match["user"] else ""
    return [*arguments, "--", f"{user}{match['host'].strip('[]')}"]


def _ask_ssh(arguments: Sequence[str], target: str) -> dict[str, list[str]]:
    try:
        done = subprocess.run(
            ["ssh", "-T", "-G", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_RESOLVE_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"ssh -G gave no answer for {quoted(target)}", "try: ssh -G " + target) from error
    if done.returncode != 0:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        raise HostError(
            f"ssh does not accept {quoted(target)}: {said[:200]}", "correct the SSH configuration"
        )
    values: dict[str, list[str]] = {}
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(" ")
        values.setdefault(key, []).append(value)
    return values


def _from_values(
    values: Mapping[str, list[str]], target: str, config_file: str, jumps_left: int
) -> Destination:
    def first(key: str) -> str:
        return values.get(key, [""])[0]

    if first("proxycommand") not in ("", "none"):
        raise HostError(
            f"{quoted(target)} is reached by a ProxyCommand, which eymail does not run",
            "use ProxyJump in the SSH configuration",
        )
    host, port, user = first("hostname"), int(first("port") or DEFAULT_PORT), first("user")
    return Destination(
        host=host,
        port=port,
        user=user,
        key_name=first("hostkeyalias") or known_as(host, port),
        identity_files=tuple(
            _path(value, host, user) for value in values.get("identityfile", []) if value != "none"
        ),
        identities_only=first("identitiesonly") == "yes",
        agent=_agent(first("identityagent")),
        user_known_hosts=_paths(first("userknownhostsfile")),
        global_known_hosts=_paths(first("globalknownhostsfile")),
        hash_known_hosts=first("hashknownhosts") == "yes",
        through=_jumps(first("proxyjump"), target, config_file, jumps_left),
    )


def _jumps(proxyjump: str, target: str, config_file: str, jumps_left: int) -> tuple[Destination, ...]:
    """The way to the last jump host: its own jump hosts, as far as ssh would heed them, and itself."""
    if proxyjump in ("", "none"):
        return ()
    if jumps_left == 0:
        raise HostError(
            f"the way to {quoted(target)} leads over more than {_MOST_JUMPS} jump hosts",
            "see ProxyJump in the SSH configuration: does it go round in a circle?",
        )
    way: tuple[Destination, ...] = ()
    for number, jump in enumerate(proxyjump.split(",")):
        hop = _resolve(jump, config_file, jumps_left - 1)
        # ssh heeds the ProxyJump of the first one only; the others are reached through their forerunner.
        way = (*way, *(hop.through if number == 0 else ()), hop)
    return way


def known_as(host: str, port: int) -> str:
    """A server's name in known_hosts: ``host``, or ``[host]:port`` (sshd(8))."""
    return host.lower() if port == DEFAULT_PORT else f"[{host.lower()}]:{port}"


def _agent(identity_agent: str) -> str:
    if identity_agent == "none":
        return ""
    if identity_agent.startswith("$"):
        return os.environ.get(identity_agent.strip("${}"), "")
    if identity_agent in ("", "SSH_AUTH_SOCK"):
        return os.environ.get("SSH_AUTH_SOCK", "")
    return str(Path(identity_agent).expanduser())


def _path(value: str, host: str, user: str) -> Path:
    """A file of the configuration, with the tokens that ``ssh -G`` leaves in it (ssh_config(5))."""
    tokens = {"%%": "%", "%d": str(Path.home()), "%h": host, "%r": user, "%u": getpass.getuser()}
    return Path(re.sub("%.", lambda found: tokens.get(found[0], found[0]), value)).expanduser()


def _paths(value: str) -> tuple[Path, ...]:
    """``ssh -G`` separates files by spaces and does not quote those that are in their names."""
    names = re.split(r"\s+(?=[/~])", value.strip())
    return tuple(Path(name).expanduser() for name in names if name not in ("", "none"))


def _without_ssh(user: str | None, host: str, port: str | None, config_file: str) -> Destination:
    folder = Path.home() / ".ssh"
    number = int(port or DEFAULT_PORT)
    host = host.strip("[]")
    return Destination(
        host=host,
        port=number,
        user=user or getpass.getuser(),
        key_name=known_as(host, number),
        identity_files=tuple(folder / name for name in _DEFAULT_KEYS),
        identities_only=False,
        agent=_agent(""),
        user_known_hosts=(folder / "known_hosts",),
        global_known_hosts=_GLOBAL_KNOWN_HOSTS,
        caveat=f"there is no ssh program here, so {config_file or '~/.ssh/config'} was not read",
    )
