"""Which host keys are known, read the way OpenSSH reads known_hosts: line by line.

A line that cannot be understood is passed over and spoils nothing else. Certificate
authorities are passed over too: a host must be known by its own key.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_LARGEST_FILE = 16 * 1024 * 1024
_LONGEST_LINE = 16 * 1024


@dataclass(frozen=True)
class HostKey:
    """A public key as SSH sends it: its type, and the blob that begins with it (RFC 4253 section 6.6)."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """``SHA256:...`` as ssh-keygen -l prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


@dataclass(frozen=True)
class Known:
    """What the files say of one host."""

    keys: tuple[HostKey, ...] = ()
    revoked: tuple[HostKey, ...] = ()

    @property
    def types(self) -> tuple[str, ...]:
        """The key types known, each once."""
        return tuple(dict.fromkeys(key.type for key in self.keys))


def look_up(name: str, files: Iterable[Path]) -> Known:
    """What these files say of the host called ``name`` (``host`` or ``[host]:port``)."""
    keys: list[HostKey] = []
    revoked: list[HostKey] = []
    for file in files:
        for marker, key in _entries(name, _text(file)):
            (revoked if marker == "@revoked" else keys).append(key)
    return Known(tuple(dict.fromkeys(keys)), tuple(dict.fromkeys(revoked)))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(_LARGEST_FILE).decode("utf-8", "replace")
    except OSError:
        return ""


def _entries(name: str, text: str) -> Iterator[tuple[str, HostKey]]:
    for line in text.split("\n"):
        if len(line) > _LONGEST_LINE:
            continue
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#") or marker not in ("", "@revoked"):
            continue
        key = _key(fields[1], fields[2])
        if key and _matches(name, fields[0]):
            yield marker, key


def _key(kind: str, text: str) -> HostKey | None:
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    size = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + size] != kind.encode() or len(blob) <= 4 + size:
        return None
    return HostKey(kind, blob)


def _matches(name: str, patterns: str) -> bool:
    if patterns.startswith("|"):
        return _matches_hash(name, patterns)
    found = False
    for pattern in patterns.lower().split(","):
        # In a pattern brackets are literal ([host]:port), only * and ? are wild (ssh_config(5)).
        wanted = pattern.removeprefix("!").replace("[", "[[]")
        if fnmatch.fnmatchcase(name.lower(), wanted):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _matches_hash(name: str, hashed: str) -> bool:
    match = re.fullmatch(r"\|1\|([A-Za-z0-9+/=]+)\|([A-Za-z0-9+/=]+)", hashed)
    if not match:
        return False
    try:
        salt, digest = base64.b64decode(match[1]), base64.b64decode(match[2])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(_digest(salt, name), digest)


def _digest(salt: bytes, name: str) -> bytes:
    return hmac.digest(salt, name.lower().encode(), "sha1")


def line_for(name: str, key: HostKey, hashed: bool) -> str:
    """A known_hosts line for this key, the name hashed as HashKnownHosts asks."""
    if hashed:
        salt = os.urandom(20)
        digest = _digest(salt, name)
        name = f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
    return f"{name} {key.type} {base64.b64encode(key.blob).decode()}\n"


def append(file: Path, line: str) -> None:
    """Add a line to the user's file, after whatever unfinished line it ends with. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b", buffering=0) as stream:
        size = stream.seek(0, os.SEEK_END)
        unfinished = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        stream.write((b"\n" if unfinished else b"") + line.encode())
