"""Cases about macros: letters, transformers, delimiters, where they stand, and explanations."""

# ruff: noqa: E501 - tables of texts, which are as long as they are

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.oracles.case import Case
from tests.oracles.making import (
    CLIENTS,
    DOMAIN,
    FOUR,
    HALVES,
    SIX,
    Records,
    addresses,
    odd_case,
    reverse,
    spf,
)
from tests.oracles.zones import ANY, FAIL, SILENT

SENDERS = (
    "strong-bad@email.example.com", "a-b+c=d_e/f.g,h@email.example.com", "User.Name@Email.Example.COM", "@email.example.com",
    "x@email.example.com", "a..b@email.example.com", "-@email.example.com", "plus+tag@email.example.com", "q'uo&te?#x@email.example.com",
    "till~de*(x)@email.example.com", "per%cent@email.example.com", "sp ace@email.example.com", "a@b@email.example.com",
)  # fmt: skip
HELOS = (
    "mx.example.org",
    "MX.Example.ORG",
    "host-1.a_b.example.net",
    "[192.0.2.3]",
    "localhost",
    "a b.example",
)


def macro(draw: random.Random, letters: str) -> str:
    letter = draw.choice(letters)
    if draw.random() < 0.25:
        letter = letter.upper()
    digits = draw.choice(("", "", "", "1", "2", "3", "5", "12", "128", "01"))
    turn = draw.choice(("",) * 12 + ("r",) * 6 + ("R",))
    delimiters = draw.choice(("", "", "", ".", "-", "+", ",", "/", "_", "=", ".-", "-+,/_=", "+-", "--"))
    if not digits and not turn and draw.random() < 0.8:
        delimiters = ""
    return f"%{{{letter}{digits}{turn}{delimiters}}}"


def text(draw: random.Random, letters: str) -> str:
    """A macro string as an explanation's text or a name's part may have it."""
    parts = []
    for _ in range(draw.randint(1, 3)):
        parts.append(macro(draw, letters))
        if draw.random() < 0.3:
            parts.append(draw.choice(("%%", "%_", "%-", "x", "-", ".", "_", "A1")))
    return "".join(parts)


def _reverses(draw: random.Random) -> Records:
    """The names of the client: none, one that holds, some, or lies."""
    names = draw.choice((
        (), ("mx.example.org",), ("lies.example.org",), ("lies.example.org", "mx.example.org"),
        ("mx.example.org", "email.example.com"), ("mx.example.org", "sub.email.example.com"), ("MX.Example.Org",),
    ))  # fmt: skip
    return reverse(*names) if names else {}


def _hosts() -> Records:
    return {
        "mx.example.org": addresses(True),
        "lies.example.org": addresses(False),
        "sub.email.example.com": addresses(True),
    }


def explained(draw: random.Random) -> Case:
    """Macros in an explanation, all letters of it."""
    zones = {**_hosts(), **_reverses(draw)}
    zones["email.example.com"] = [("TXT", "v=spf1 -all exp=why.%{d}"), *addresses(True)]
    zones["why.email.example.com"] = spf(f"<{text(draw, 'slodipvhcr')}> <{text(draw, 'slodipvhcr')}>")
    return Case("", zones, draw.choice(CLIENTS), draw.choice(SENDERS), draw.choice(HELOS))


def named(draw: random.Random) -> Case:
    """Macros in names: which names are asked shows in the result."""
    zones = {**_hosts(), **_reverses(draw), "half.example": [HALVES]}
    mechanisms = [f"{q}{draw.choice('aA')}:{_spec(draw)}" for q in draw.sample(("-", "~", "?", "+"), 3)]
    zones["email.example.com"] = [("TXT", f"v=spf1 {' '.join(mechanisms)} -all"), *addresses(True)]
    return Case("", zones, draw.choice((FOUR, SIX)), draw.choice(SENDERS), draw.choice(HELOS))


def _spec(draw: random.Random) -> str:
    return f"{text(draw, 'slodipvh')}.half.example"


def led(draw: random.Random) -> Case:
    """Macros in include, redirect, mx, ptr, exists and exp, with %{d} changing on the way."""
    zones = {**_hosts(), **_reverses(draw), "half.example": [HALVES]}
    lead = draw.choice(
        (
            "include:%{d1r}.in.%{d}",
            "redirect=%{d1r}.in.%{d}",
            "include:%{l}.in.%{o}",
            "redirect=%{o1r}.in.%{o2}",
        )
    )
    zones["email.example.com"] = [("TXT", f"v=spf1 {lead}"), *addresses(True)]
    inner = (
        f"v=spf1 {draw.choice(('a', 'exists', 'mx'))}:{_spec(draw)} {draw.choice('-~?')}all exp=why.%{{d}}"
    )
    for name in (
        "email.in.email.example.com",
        "email.in.example.com",
        "strong-bad.in.email.example.com",
        "x.in.email.example.com",
    ):
        zones[name] = spf(inner)
        zones[f"why.{name}"] = spf("%{d} of %{o} by %{h}: " + text(draw, "slodivhcr"))
    return Case("", zones, draw.choice(CLIENTS), draw.choice(SENDERS), draw.choice(HELOS))


EXPLANATIONS = (
    "plain", "", " ", "%", "%%", "%{", "%{d", "%{x}", "%{d0}", "100% sure", "50%% of %{d}", "%{D}", "%(d)", "%{c} %{r}",
    "%_%-%%", "%{d}%{d}", "v=spf1 is no policy here", "a\ttab", "\xe9t\xe9", "bell\x07", "del\x7f", "esc\x1b[31m", "%{S} %{L} %{O} %{H} %{I} %{V}",
    "x" * 300, "%{p}", "%{P}", "line\nbreak", "~tilde~", "trailing ", "trailing.", "%{d}.",
)  # fmt: skip


def explanations() -> Iterator[Case]:
    """Texts of every kind at the name that exp= gives."""
    for one in EXPLANATIONS:
        zones = {DOMAIN: spf("v=spf1 -all exp=why.example.com"), "why.example.com": spf(one)}
        yield Case(
            repr(one[:30]),
            zones,
            FOUR,
            f"o'neil@{DOMAIN}",
            "mx.example.org",
            kinds=frozenset({f"exp {one[:30]}"}),
        )


def where_explained() -> Iterator[Case]:
    """Which explanation counts, and what is wrong with the name that it is at (section 6.2)."""
    why = {"why.example.com": spf("outer %{d}"), "other.example.com": spf("inner %{d}")}
    inner = {
        "in.example.com": spf("v=spf1 -all exp=other.example.com"),
        "bare.example.com": spf("v=spf1 -all"),
    }
    policies = (
        "v=spf1 include:in.example.com -all exp=why.example.com", "v=spf1 -include:in.example.com -all",
        "v=spf1 include:in.example.com -all", "v=spf1 redirect=in.example.com", "v=spf1 exp=why.example.com redirect=in.example.com",
        "v=spf1 exp=why.example.com redirect=bare.example.com", "v=spf1 exp=why.example.com -all", "v=spf1 exp=why.example.com ~all",
        "v=spf1 -all exp=nx.example.com", "v=spf1 -all exp=two.example.com", "v=spf1 -all exp=servfail.example.com",
        "v=spf1 -all exp=silent.example.com", "v=spf1 -all exp=alias.example.com", "v=spf1 -all exp=parts.example.com",
        "v=spf1 -all exp=%{l}.example.com", "v=spf1 -all exp=empty.example.com", "v=spf1 -all exp=addressed.example.com",
        "v=spf1 a:nx.example.com a:nx2.example.com -all exp=nx3.example.com", "v=spf1 -all EXP=why.example.com",
        "v=spf1 +all exp=silent.example.com", "v=spf1 -all exp=%{d}..example.com", "v=spf1 -all exp=" + "x" * 64 + ".example.com",
    )  # fmt: skip
    odd: Records = {
        "two.example.com": [("TXT", "one"), ("TXT", "two")], "servfail.example.com": [(ANY, FAIL)],
        "silent.example.com": [(ANY, SILENT)], "alias.example.com": [("CNAME", "why.example.com")],
        "parts.example.com": [("TXT", ("in ", "two ", "parts"))], "empty.example.com": spf(""),
        "addressed.example.com": [("A", FOUR)],
    }  # fmt: skip
    for one in policies:
        yield Case(
            one,
            {**why, **inner, **odd, DOMAIN: spf(one)},
            FOUR,
            f"why@{DOMAIN}",
            "mx.example.org",
            kinds=frozenset({one}),
        )


LONG = "long" * 15


def overlong(draw: random.Random) -> Case:
    """Expanded names that are too long, or have labels that are, or empty ones (section 7.3)."""
    local = draw.choice(
        ("a" * 63, "a" * 64, ".".join(["b" * 40] * 4), ".".join(["c" * 9] * 24), "", "d.", ".d", "e..e")
    )
    spec = draw.choice(
        (
            "%{l}.half.example",
            "%{l}.%{l}.half.example",
            "x.%{l}.half.example",
            "%{l2}.half.example",
            f"{LONG}.%{{l}}.{LONG}.half.example",
        )
    )
    term = draw.choice(("a:{}", "-a:{}", "exists:{}", "mx:{}", "include:{}", "redirect={}", "ptr:{}"))
    zones = {
        DOMAIN: spf(f"v=spf1 {term.format(spec)}"),
        "half.example": [HALVES],
        **reverse("mx.example.org"),
        **_hosts(),
    }
    return Case(f"{term} {spec} {local}", zones, FOUR, f"{local}@{DOMAIN}", "mx.example.org")


def varied_case(draw: random.Random) -> Case:
    """Upper and lower case in everything that may have it."""
    zones = {
        DOMAIN: spf(odd_case(draw, "v=spf1 include:pol.example.com a:host.example.com/24 -all")),
        **_hosts(),
    }
    zones["pol.example.com"] = spf(odd_case(draw, "v=spf1 mx:example.com ?all"))
    zones["host.example.com"] = addresses(draw.random() < 0.5)
    return Case(
        "", zones, draw.choice(CLIENTS), odd_case(draw, f"user@{DOMAIN}"), odd_case(draw, "mx.example.org")
    )
