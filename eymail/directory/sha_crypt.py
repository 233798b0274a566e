"""crypt(3)'s SHA-512 scheme, which Python had in a module that it has given up.

Source: Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.6; its step numbers stand below.
"""

from __future__ import annotations

import secrets
from hashlib import sha512 as _sha

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DEFAULT_ROUNDS = 5000
_LENGTH = 64


def salt() -> str:
    """Sixteen random characters, 96 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(16))


def sha512(password: bytes, salt: str, rounds: int = _DEFAULT_ROUNDS) -> str:
    """The hash as crypt(3) writes it, ``$6$salt$...``; ``rounds`` between 1,000 and 999,999,999."""
    seasoning = salt.encode()
    digest = _first(password, seasoning)
    password_row = _repeated(_sha(password * len(password)).digest(), len(password))  # 13-16
    salt_row = _repeated(_sha(seasoning * (16 + digest[0])).digest(), len(seasoning))  # 17-20
    for number in range(rounds):  # 21
        digest = _round(number, digest, password_row, salt_row)
    told = "" if rounds == _DEFAULT_ROUNDS else f"rounds={rounds}$"
    return f"$6${told}{salt}${_encoded(digest)}"


def again(password: bytes, value: str) -> str:
    """The hash of a password with another hash's salt and rounds."""
    _, _, *parts, _ = value.split("$")
    rounds = int(parts[0].removeprefix("rounds=")) if len(parts) == 2 else _DEFAULT_ROUNDS
    return sha512(password, parts[-1], rounds)


def _first(password: bytes, salt: bytes) -> bytes:
    other = _sha(password + salt + password).digest()  # 4-8
    mixed = _sha(password + salt + _repeated(other, len(password)))  # 1-3, 9-10
    length = len(password)
    while length:  # 11
        mixed.update(other if length & 1 else password)
        length >>= 1
    return mixed.digest()


def _round(number: int, digest: bytes, password: bytes, salt: bytes) -> bytes:
    odd = number & 1
    middle = (salt if number % 3 else b"") + (password if number % 7 else b"")
    return _sha((password if odd else digest) + middle + (digest if odd else password)).digest()


def _repeated(digest: bytes, length: int) -> bytes:
    return (digest * (length // _LENGTH + 1))[:length]


def _encoded(digest: bytes) -> str:
    """Three bytes in four characters, in the scheme's own order of bytes, each the next column's. 22."""
    order = [(place, place + 21, place + 42) for place in range(21)]
    groups = [triple[turn % 3 :] + triple[: turn % 3] for turn, triple in enumerate(order)]
    text = "".join(_base64(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in groups)
    return text + _base64(digest[63], 2)


def _base64(number: int, characters: int) -> str:
    return "".join(_ALPHABET[number >> 6 * place & 63] for place in range(characters))
