"""Reasons by meaning: a delivery error's text, made comparable.

``451 4.7.1 <joe@x>: Greylisted, come back in 287 seconds`` and the same for Ann are
one reason, ``451 4.7.1 greylisted``: hosts, addresses and numbers go, the SMTP code and
the enhanced code (RFC 3463) stay, for they are what an administrator looks up.
Runs on the mail hosts, with their own python3 (3.9 or newer) and nothing else.
"""

from __future__ import annotations

import re
from functools import lru_cache

RETRY_TIME = "retry time not reached"
NOT_TRIED = "not tried yet"
NO_RECORD = "no error on record"
NONE_LEFT = "nothing left to deliver"
_LONGEST = 60


def _table(*rows: tuple[str, str]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((meaning, re.compile(words, re.IGNORECASE)) for meaning, words in rows)


# The first row whose words occur decides, so the special stands before the general.
_REPLIES = _table(
    ("greylisted", r"gr[ae]y-?\s?list|postgrey"),
    (
        "over quota",
        r"quota|mailbox (is )?full|(disk|storage) (space|full)|insufficient (system )?(storage|space)",
    ),
    (
        "DNS failure",
        r"\bdns\b|resolv|\bptr\b|host(name)? lookup|domain (of sender )?.{0,80}(not|n't) (exist|found)",
    ),
    ("TLS failure", r"\btls\b|starttls|certificate"),
    (
        "policy",
        r"polic|block(ed| ?list)|black ?list|\brbl\b|dnsbl|spam|reputation|den(y|ied)|dmarc|\bspf\b|dkim"
        r"|not (yet )?(allowed|permitted|authori[sz]ed)",
    ),
    (
        "busy",
        r"busy|too many|\brate\b|throttl|overload|load (is )?too|concurren|connections"
        r"|try (again )?(later|in)|temporar(il)?y (unavailable|deferred)|not available",
    ),
    ("local problem", r"local (problem|error)|internal|error in processing"),
    (
        "no such mailbox",
        r"(user|mailbox|recipient|account).{0,40}(unknown|not found|no longer|disabled|unavailable)"
        r"|no such|unknown user",
    ),
)

_EVENTS = _table(
    (RETRY_TIME, r"retry time not reached"),
    ("TLS failure", r"\b(tls|ssl|starttls|gnutls|openssl)\b|certificate"),
    ("connection timed out", r"timed? ?out"),
    ("connection refused", r"connection refused"),
    ("no route", r"no route to host|network is unreachable|(network|host) is down|host (is )?unreachable"),
    ("connection closed", r"closed connection|connection (reset|closed|lost)|broken pipe"),
    (
        "DNS failure",
        r"host lookup (did not complete|failed)|lookup (of host|failed|deferred)|lowest numbered mx"
        r"|all relevant mx|\bdns\b|no ip address found|host not found",
    ),
    ("over quota", r"quota"),
    ("unrouteable address", r"unrouteable|unroutable"),
    ("policy", r"administrative prohibition|\bpolicy\b"),
)

# As in a log's line, or as a relay hands it over: "host [address] 451 ...".
_REPLY = re.compile(
    r"(?:SMTP|LMTP) error from remote mail server after |^(?:\S+ \[[^\]]*\] )?(?=[45]\d\d[ -])"
)
_CODE = re.compile(r"(?<![^\s:>])([245]\d\d)(?:[ -]+#?([245]\.\d{1,3}\.\d{1,3})(?![\d.]))?(?=[\s:-]|$)")
_NOISE = re.compile(
    r"H=\S+(?: \[[^\]]*\])?(?::\d+)?:?"  # the host
    r"|<[^>]*>|\S+@\S+|\[[^\]]*\]|'[^']*'|\"[^\"]*\"|https?://\S+"  # addresses, names, links
    r"|\b(?:\d{1,3}\.){3}\d{1,3}\b|\b\w*\d\w*\b"  # numbers and queue ids
)
_IN_BRACKETS = re.compile(r"<[^<>]*>")
_GAPS = re.compile(r"[\s\\\W_]+")


def group(error: str) -> str:
    """The reason in an error's text as Exim logs it, in a few words without control characters."""
    return _group(_IN_BRACKETS.sub("<>", error))


@lru_cache(maxsize=8192)
def _group(error: str) -> str:
    reply = _REPLY.search(error)
    code = _CODE.search(error, reply.end()) if reply else None
    if code is None:
        return _meaning(_EVENTS, error) or _words(error) or "unknown error"
    codes = " ".join(part for part in code.groups() if part)
    text = error[code.end() :]
    return f"{codes} {_meaning(_REPLIES, text) or _words(text)}".strip()


def is_hidden(reason: str) -> bool:
    """Whether the reason says only that it is not yet time, and so hides the real one."""
    return reason == RETRY_TIME


def _meaning(table: tuple[tuple[str, re.Pattern[str]], ...], text: str) -> str:
    return next((meaning for meaning, words in table if words.search(text)), "")


def _words(text: str) -> str:
    words = _GAPS.sub(" ", _NOISE.sub(" ", text.replace("\\n", " "))).strip().lower()
    return words if len(words) <= _LONGEST else words[:_LONGEST].rsplit(" ", 1)[0]
