"""The key that DNS updates are signed with (RFC 8945), read from the file that key makers write.

``tsig-keygen`` and ``ddns-confgen`` write BIND's form, which ``nsupdate -k`` reads; Knot's ``keymgr -t``
writes YAML. The secret is in the file and in ``Key.secret``, and shown nowhere.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from dataclasses import dataclass, field

from eymail.errors import ConfigError

ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
"""What may sign; those that RFC 8945 section 6 counts as weak are left out."""

_LARGEST = 65536
_SHORTEST_SECRET = 16
_HOW = "make one with: tsig-keygen -a hmac-sha256 NAME"
# A secret may have // in it, so what is quoted is kept.
_BIND_COMMENT = re.compile(r'("[^"\n]*")|/\*.*?\*/|//[^\n]*|#[^\n]*', re.DOTALL)
_KNOT_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.MULTILINE)
_BIND = re.compile(
    r'\s*key\s+(?:"([^"\s]+)"|([^"\s{;]+))\s*\{((?:\s*[a-z]+\s+(?:"[^"\n]*"|[^"\s;{}]+)\s*;)+)\s*\}\s*;\s*'
)
_BIND_SETTING = re.compile(r'([a-z]+)\s+"?([^"\s;]*)"?\s*;')
_KNOT = re.compile(r"\s*key:\s*\n((?:\s*(?:-\s+)?[a-z]+:\s+\S+[ \t]*\n?)+)\s*")
_KNOT_SETTING = re.compile(r"(?:-\s+)?([a-z]+):\s+\"?([^\s\"]+)\"?")


@dataclass(frozen=True)
class Key:
    """A key's name, one of ALGORITHMS, and its secret in base64."""

    name: str
    algorithm: str
    secret: str = field(repr=False)


def read_key(path: str) -> Key:
    """The key in a file. Raises ConfigError, which never has anything of the secret in it."""
    text = _content(path)
    if found := _BIND.fullmatch(_BIND_COMMENT.sub(r"\1", text)):
        settings = dict(_BIND_SETTING.findall(found[3]))
        return _key(path, found[1] or found[2], settings)
    if found := _KNOT.fullmatch(_KNOT_COMMENT.sub("", text)):
        settings = dict(_KNOT_SETTING.findall(found[1]))
        return _key(path, settings.pop("id", ""), settings)
    raise ConfigError(f"{path} has no key as tsig-keygen or keymgr -t writes it, and only one", _HOW)


def _content(path: str) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigError(f"cannot read the key {path}: {error.strerror}", _HOW) from error
    try:
        _check(path, os.fstat(handle))
        return os.read(handle, _LARGEST).decode("utf-8", "replace")
    finally:
        os.close(handle)


def _check(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"the key {path} is no ordinary file", _HOW)
    if status.st_mode & 0o027:
        raise ConfigError(f"the key {path} can be read by everybody, or written by its group", _mend(path))


def _mend(path: str) -> str:
    return f"chmod 600 {path}; who has read it may change your zones, so make a new key"


def _key(path: str, name: str, settings: dict[str, str]) -> Key:
    algorithm, secret = settings.get("algorithm", "").lower().rstrip("."), settings.get("secret", "")
    if not name or settings.keys() != {"algorithm", "secret"}:
        raise ConfigError(f"the key in {path} is not whole: it needs a name, an algorithm and a secret", _HOW)
    if algorithm not in ALGORITHMS:
        raise ConfigError(f"the key in {path} is for {algorithm}, which is too weak or not known", _HOW)
    try:
        long_enough = len(base64.b64decode(secret, validate=True)) >= _SHORTEST_SECRET
    except (binascii.Error, ValueError):
        raise ConfigError(f"the secret in {path} is not in base64", _HOW) from None
    if not long_enough:
        raise ConfigError(f"the secret in {path} is shorter than {_SHORTEST_SECRET} bytes", _HOW)
    return Key(name, algorithm, secret)
