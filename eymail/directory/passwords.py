"""Password hashes that Exim and Dovecot both understand, and passwords worth having.

BLF-CRYPT is cheap enough for an application that logs in at every poll; bcrypt is loaded
when a hash is made or compared.
"""

from __future__ import annotations

import secrets

from eymail.errors import InvalidInput

_COST = 10
_LONGEST = 72
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_SCHEME = "{BLF-CRYPT}"


def make() -> str:
    """A password of 99 bits that can be read out: no letters that look like digits."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))
    return "-".join(groups)


def check(password: str) -> str:
    """The password, if it can be one. Raises InvalidInput, which never shows it."""
    if not password:
        raise InvalidInput("the password is empty", "leave --password-stdin out to have one made")
    if not password.isprintable():
        raise InvalidInput("the password holds control characters", "use letters, digits and signs")
    if len(password.encode()) > _LONGEST:
        raise InvalidInput(
            f"the password is longer than {_LONGEST} bytes", "bcrypt would not look at the rest; shorten it"
        )
    return password


def hashed(password: str) -> str:
    """The hash with its scheme, as Dovecot writes it: ``{BLF-CRYPT}$2y$...``. Raises InvalidInput."""
    import bcrypt

    made = bcrypt.hashpw(check(password).encode(), bcrypt.gensalt(_COST)).decode()
    return _SCHEME + made.replace("$2b$", "$2y$", 1)  # the same algorithm under crypt(3)'s name


def matches(password: str, stored: str) -> bool:
    """Whether the password is the one that was hashed; False for a scheme of somebody else's."""
    import bcrypt

    if not stored.startswith(_SCHEME):
        return False
    try:
        return bcrypt.checkpw(check(password).encode(), stored.removeprefix(_SCHEME).encode())
    except ValueError:
        return False
