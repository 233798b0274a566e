"""Passwords worth having, and their hashes by this process: BLF-CRYPT, SHA512-CRYPT, SCRAM-SHA-256.

BLF-CRYPT is cheap enough for an application that logs in at every poll; bcrypt is loaded
when such a hash is made or compared. What a hash from elsewhere has to be is in ``hashes``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from eymail.directory import hashes, sha_crypt
from eymail.errors import InvalidInput

DEFAULT = "BLF-CRYPT"
SCHEMES = (DEFAULT, "SHA512-CRYPT", "SCRAM-SHA-256")
SHORTEST = 8
_COST = 10
_ROUNDS = 5000  # of SHA512-CRYPT, whose own default it is
_ITERATIONS = 4096  # of SCRAM-SHA-256 (RFC 7677 section 4)
_LONGEST = 128
_LONGEST_OF_BCRYPT = 72
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def make() -> str:
    """A password of 99 bits that can be read out: no letters that look like digits."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))
    return "-".join(groups)


def check(password: str, scheme: str = DEFAULT) -> str:
    """The password, if it can be one. Raises InvalidInput, which never shows it."""
    if not password:
        raise InvalidInput("the password is empty", "leave --password-stdin out to have one made")
    if not password.isprintable():
        raise InvalidInput("the password holds control characters", "use letters, digits and signs")
    if len(password) < SHORTEST:
        hint = "take a longer one, or let eymail make one"
        raise InvalidInput(f"the password is shorter than {SHORTEST} characters", hint)
    if scheme == DEFAULT and len(password.encode()) > _LONGEST_OF_BCRYPT:
        hint = "bcrypt would not look at the rest; shorten it, or take --scheme SHA512-CRYPT"
        raise InvalidInput(f"the password is longer than {_LONGEST_OF_BCRYPT} bytes", hint)
    if len(password.encode()) > _LONGEST:
        raise InvalidInput(f"the password is longer than {_LONGEST} bytes", "shorten it")
    return password


def hashed(password: str, scheme: str = DEFAULT) -> str:
    """The hash with its scheme, as Dovecot writes it: ``{BLF-CRYPT}$2y$...``. Raises InvalidInput."""
    makers = {"BLF-CRYPT": _bcrypt, "SHA512-CRYPT": _sha512, "SCRAM-SHA-256": _scram}
    if scheme not in makers:
        raise InvalidInput(f"hashes of the scheme {scheme} are not made here", f"one of {', '.join(makers)}")
    return f"{{{scheme}}}{makers[scheme](check(password, scheme).encode())}"


def _bcrypt(password: bytes) -> str:
    import bcrypt

    made = bcrypt.hashpw(password, bcrypt.gensalt(_COST)).decode()
    return made.replace("$2b$", "$2y$", 1)  # the same algorithm under crypt(3)'s name


def _sha512(password: bytes) -> str:
    return sha_crypt.sha512(password, sha_crypt.salt(), _ROUNDS)


def _scram(password: bytes, salt: bytes = b"", iterations: int = _ITERATIONS) -> str:
    """Iterations, salt, stored key and server key. Source: RFC 5802 section 3, Dovecot's order of them."""
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    keys = (hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))
    return ",".join((str(iterations), *(base64.b64encode(one).decode() for one in (salt, *keys))))


def matches(password: str, stored: str) -> bool:
    """Whether the password is the one that was hashed; False for a hash of a kind that is not made here."""
    scheme, _, value = stored.removeprefix("{").partition("}")
    known = hashes.problem(stored) is None
    if not known or len(password.encode()) > _LONGEST:
        return False
    if scheme == "BLF-CRYPT" and len(password.encode()) <= _LONGEST_OF_BCRYPT:
        return _bcrypt_matches(password.encode(), value)
    if scheme == "SHA512-CRYPT":
        return hmac.compare_digest(sha_crypt.again(password.encode(), value), value)
    return scheme == "SCRAM-SHA-256" and _scram_matches(password.encode(), value)


def _bcrypt_matches(password: bytes, value: str) -> bool:
    import bcrypt

    try:
        return bcrypt.checkpw(password, value.encode())
    except ValueError:
        return False


def _scram_matches(password: bytes, value: str) -> bool:
    iterations, salt, *_ = value.split(",")
    try:
        made = _scram(password, base64.b64decode(salt, validate=True), int(iterations))
    except binascii.Error:
        return False
    return hmac.compare_digest(made, value)
