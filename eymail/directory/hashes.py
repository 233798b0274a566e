"""Hashes that came from elsewhere: which of them Dovecot and Exim both understand, and which cost too much.

A scheme is known here when the mail host can check it, and what a login costs is bounded: an
import must not make one that takes the host a minute.
"""

from __future__ import annotations

import re

_SHA = r"\$(?:rounds=(?P<cost>[1-9][0-9]{3,8})\$)?[./0-9A-Za-z]{1,16}\$"
_B64 = r"[A-Za-z0-9+/]"
_FORMS = {
    "BLF-CRYPT": re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./0-9A-Za-z]{53}"),
    "SHA512-CRYPT": re.compile(rf"\$6{_SHA}[./0-9A-Za-z]{{86}}"),
    "SHA256-CRYPT": re.compile(rf"\$5{_SHA}[./0-9A-Za-z]{{43}}"),
    "ARGON2ID": re.compile(
        rf"\$argon2id\$v=19\$m=(?P<cost>[1-9][0-9]{{0,8}}),t=[1-9],p=[1-9]\${_B64}{{11,86}}\${_B64}{{22,86}}"
    ),
    "SCRAM-SHA-256": re.compile(
        rf"(?P<cost>[1-9][0-9]{{3,8}}),{_B64}{{8,86}}={{0,2}},{_B64}{{43}}=,{_B64}{{43}}="
    ),
}
# Bcrypt's is an exponent, Argon2's is KiB of memory, the others' are rounds. Each is seconds of a login.
_MOST = {
    "BLF-CRYPT": 14,
    "SHA512-CRYPT": 1_000_000,
    "SHA256-CRYPT": 1_000_000,
    "ARGON2ID": 1 << 18,
    "SCRAM-SHA-256": 1_000_000,
}
_LEAST_OF_BCRYPT = 4
_PLAIN = re.compile(r"\{(PLAIN|PLAINTEXT|CLEARTEXT)\}(.*)", re.IGNORECASE | re.DOTALL)
_PREFIXED = re.compile(r"\{([A-Za-z0-9.-]{1,32})\}(.*)", re.DOTALL)
_CRYPT = {"$2a$": "BLF-CRYPT", "$2b$": "BLF-CRYPT", "$2y$": "BLF-CRYPT", "$6$": "SHA512-CRYPT",
          "$5$": "SHA256-CRYPT", "$argon2id$": "ARGON2ID"}  # fmt: skip
KNOWN = tuple(_FORMS)


def plain(text: str) -> str | None:
    """The password where the text says that it is one: ``{PLAIN}password``."""
    found = _PLAIN.fullmatch(text)
    return found[2] if found else None


def looks_like_one(text: str) -> bool:
    """Whether the text has a scheme before it, or begins as crypt(3)'s hashes do."""
    return bool(_PREFIXED.fullmatch(text)) or re.match(r"\$[0-9a-z-]+\$", text) is not None


def canonical(text: str) -> str:
    """The hash with its scheme's own name before it; what cannot be told is left as it is.

    ``$2y$...`` and ``{CRYPT}$2y$...`` become ``{BLF-CRYPT}$2y$...``.
    """
    found = _PREFIXED.fullmatch(text)
    scheme, value = (found[1].upper(), found[2]) if found else ("CRYPT", text)
    if scheme == "CRYPT":
        scheme = next((name for start, name in _CRYPT.items() if value.startswith(start)), scheme)
    return f"{{{scheme}}}{value}" if found or scheme != "CRYPT" else text


def problem(stored: str) -> str | None:
    """What is wrong with a hash in its canonical form, in words that do not show it; None when nothing is."""
    found = _PREFIXED.fullmatch(stored)
    scheme = found[1] if found else ""
    if found is None or scheme not in _FORMS:
        named = f"the password scheme {scheme}" if found else "a password hash of this form"
        return f"{named} is none that Dovecot and Exim both understand: {', '.join(KNOWN)}"
    form = _FORMS[scheme].fullmatch(found[2])
    if form is None:
        return f"the password hash is not one of {scheme}"
    cost = int(form["cost"] or 0)
    if cost > _MOST[scheme]:
        return f"the password hash would cost the mail host seconds at each login: {cost} of {scheme}"
    if scheme == "BLF-CRYPT" and cost < _LEAST_OF_BCRYPT:
        return f"the password hash is not one of {scheme}"
    return None
