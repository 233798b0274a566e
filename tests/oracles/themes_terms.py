"""Cases about terms: mechanisms in all their forms, records as such, and everything that is no term."""

# ruff: noqa: E501 - tables of texts, which are as long as they are

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.oracles.case import Case
from tests.oracles.making import (
    CLIENTS,
    DOMAIN,
    FOUR,
    OTHER_FOUR,
    QUALIFIERS,
    SIX,
    Records,
    addresses,
    odd_case,
    reverse,
    spf,
)  # fmt: skip
from tests.oracles.zones import ANY, FAIL, SILENT

NAMES = (
    "hit.example.com", "miss.example.com", "four.example.com", "six.example.com", "void.example.com",
    "nx.example.com", "alias.example.com", "alias2.example.com", "HIT.Example.COM",
)  # fmt: skip
MAILED = (
    "mailed.example.com",
    "unmailed.example.com",
    "mailvoid.example.com",
    "hit.example.com",
    "nx.example.com",
)
POLICIES = tuple(f"p-{word}.example.com" for word in (
    "pass", "fail", "softfail", "neutral", "none", "permerror", "nested", "empty", "redirect",
))  # fmt: skip
TROUBLES = ("servfail.example.com", "silent.example.com")


def world() -> Records:
    """Names of every kind: what mechanisms lead to."""
    return {
        "hit.example.com": addresses(True),
        "miss.example.com": addresses(False),
        "four.example.com": [("A", OTHER_FOUR), ("A", FOUR)],
        "six.example.com": [("AAAA", SIX)],
        "void.example.com": [("TXT", "no address here")],
        "alias.example.com": [("CNAME", "hit.example.com")],
        "alias2.example.com": [("CNAME", "alias.example.com")],
        "servfail.example.com": [(ANY, FAIL)],
        "silent.example.com": [(ANY, SILENT)],
        "mailed.example.com": [("MX", (10, "miss.example.com")), ("MX", (20, "hit.example.com"))],
        "unmailed.example.com": [("MX", (10, "miss.example.com"))],
        "mailvoid.example.com": [("MX", (10, "nx.example.com")), ("MX", (5, "hit.example.com"))],
        "p-pass.example.com": spf("v=spf1 +all"),
        "p-fail.example.com": spf("v=spf1 -all"),
        "p-softfail.example.com": spf("v=spf1 ~all"),
        "p-neutral.example.com": spf("v=spf1 ?all"),
        "p-none.example.com": spf("nothing of ours"),
        "p-permerror.example.com": spf("v=spf1 nonsense -all"),
        "p-nested.example.com": spf("v=spf1 include:p-fail.example.com a:hit.example.com ~all"),
        "p-empty.example.com": spf("v=spf1"),
        "p-redirect.example.com": spf("v=spf1 redirect=p-nested.example.com"),
        "why.example.com": spf("%{i} may not send for %{o}"),
        **reverse("hit.example.com", "elsewhere.example.net"),
    }


def term(draw: random.Random) -> str:
    return draw.choice(QUALIFIERS) + draw.choice(_MECHANISMS)(draw)


def _ip(draw: random.Random) -> str:
    """ip4 or ip6, most often near the client's address."""
    four = draw.choice((FOUR, "192.0.2.2", "192.0.2.0", "192.0.0.0", OTHER_FOUR, "0.0.0.0"))
    six = draw.choice(
        (SIX, "2001:DB8::", "2001:db8:0:0:0:0:0:cb00", "::", "::ffff:192.0.2.3", "2001:db8::192.0.2.3")
    )
    if draw.random() < 0.6:
        return odd_case(draw, "ip4") + f":{four}" + draw.choice(("", "/32", "/31", "/24", "/8", "/0", "/25"))
    return odd_case(draw, "ip6") + f":{six}" + draw.choice(("", "/128", "/127", "/112", "/64", "/0", "/1"))


def _cidr(draw: random.Random) -> str:
    four = draw.choice(("", "/32", "/24", "/30", "/0", "/16"))
    return four + draw.choice(("", "", "//128", "//64", "//0", "//112"))


def _a(draw: random.Random) -> str:
    target = draw.choice(("", "", *(f":{name}" for name in NAMES)))
    return odd_case(draw, "a") + target + _cidr(draw)


def _mx(draw: random.Random) -> str:
    target = draw.choice(("", *(f":{name}" for name in MAILED)))
    return odd_case(draw, "mx") + target + _cidr(draw)


def _to(mechanism: str, names: tuple[str, ...]) -> object:
    return lambda draw: f"{odd_case(draw, mechanism)}:{draw.choice(names)}"


_MECHANISMS = (
    _ip, _ip, _a, _a, _mx,
    lambda draw: odd_case(draw, "all"),
    _to("include", POLICIES), _to("include", POLICIES),
    _to("exists", NAMES),
    lambda draw: odd_case(draw, "ptr") + draw.choice(("", ":hit.example.com", ":example.com", ":example.net", ":it.example.com")),
)  # fmt: skip
_MODIFIERS = (
    *(f"redirect={name}" for name in POLICIES), "redirect=nx.example.com", "exp=why.example.com",
    "x-other=anything%20", "op=auth", "moo=", "EXP=why.example.com", "Redirect=p-fail.example.com",
)  # fmt: skip


def mixed(draw: random.Random) -> Case:
    """A record of some terms, with modifiers anywhere."""
    terms = [term(draw) for _ in range(draw.randint(1, 5))]
    for modifier in {draw.choice(_MODIFIERS) for _ in range(draw.randint(0, 2))}:
        terms.insert(draw.randint(0, len(terms)), modifier)
    if draw.random() < 0.1:
        terms.insert(
            draw.randint(0, len(terms)),
            f"{draw.choice(('a', 'mx', 'include', 'exists'))}:{draw.choice(TROUBLES)}",
        )
    text = odd_case(draw, "v=spf1") + "".join(
        draw.choice((" ", " ", " ", "  ", "   ")) + one for one in terms
    )
    zones = {
        **world(),
        DOMAIN: [("TXT", text), *addresses(draw.random() < 0.3), ("MX", (10, "hit.example.com"))],
    }
    return Case("", zones, draw.choice(CLIENTS), f"user@{odd_case(draw, DOMAIN)}", "mx.example.org")


BROKEN = (
    "all:example.com", "all/24", "all.", "+", "-", "++all", "-~all", "a:", "mx:", "ptr:", "include:", "include",
    "exists", "exists:", "exists/24", "ip4", "ip4:", "ip4:192.0.2", "ip4:192.0.2.256", "ip4:192.0.2.3.4",
    "ip4:192.0.2.3/", "ip4:192.0.2.3/33", "ip4:192.0.2.3/032", "ip4:192.0.2.3//32", "ip4:192.0.2.03", "ip4:2001:db8::1",
    "ip4=192.0.2.3", "ip4:example.com", "ip4:192.0.2.3:25", "ip6", "ip6:", "ip6:192.0.2.3", "ip6:2001:db8::/129",
    "ip6:2001:db8::1::2", "ip6:2001:db8::g", "ip6:2001:db8::/064", "ip6:2001:db8:::1", "ip6:2001:db8::%1", "ip6:[2001:db8::1]",
    "a/33", "a//129", "a/", "a//", "a/24/64", "a/24//", "a/08", "a:/24", "a///64", "a:miss.example.com/24/", "a:miss.example.com/-1",
    "mx/33", "mx//129", "mx/24/64", "mx/", "a=miss.example.com", "mx=miss.example.com", "ptr/24", "ptr//64", "a:example.com:8080",
    "include:p-none.example.com/24", "a:%{", "a:%{d", "a:%{x}.example.com", "a:%{d}}", "a:%(d).example.com", "a:%d.example.com", "a:%",
    "a:%%%", "a:%{d0}.example.com", "a:%{dd}.example.com", "a:%{d2x}.example.com", "a:%{dr2}.example.com", "a:%{d*}.example.com",
    "a:%{c}.example.com", "a:%{t}.example.com", "a:%{r}.example.com", "exists:%{C}.example.com", "a:%{d-2}.example.com", "a:%{ d}.example.com",
    "a:localhost", "a:example", "a:example.123", "a:example.-com", "a:example.com-", "a:.com", "a:example..com", "a:.example.com",
    "a:exa_mple.com", "a:*.example.com", "a:exam!ple.com", "a:example.c_m", "a:com.", "include:com", "exists:co", "mx:example.1-2",
    "redirect=", "redirect", "redirect=com", "redirect:example.com", "redirect=%{c}.example.com", "redirect=p-fail.example.com/24",
    "exp=", "exp=com", "exp=%{c}.example.com", "exp=%%%", "exp=%{x}.example.com", "exp", "exp:why.example.com", "-exp=why.example.com",
    "=", "=x", "1x=y", "-x=y", "x_y-z.9=%{d}", "x=%", "x=%{x}", "x=%{c}", "x=%{d", "x:y", "unknown", "unknown:example.com",
    "ipv4:192.0.2.3", "ip:192.0.2.3", "192.0.2.3", "a,", "a;", "\"a\"", "a\t-all", "-all\t", "-all\r", "\x0b-all", "v=spf1", "v=spf2.0/pra",
    "prt", "spf2.0", "%{d}", "all=x", "include=p-pass.example.com", "a.", "a-", "mx.example.com", "INCLUDE:P-PASS.EXAMPLE.COM",
)  # fmt: skip
TWICE = (
    "redirect=p-fail.example.com redirect=p-fail.example.com", "exp=why.example.com exp=why.example.com",
    "redirect=p-fail.example.com REDIRECT=p-pass.example.com", "exp=why.example.com Exp=void.example.com",
    "x=1 x=2", "redirect=p-fail.example.com a:miss.example.com redirect=p-fail.example.com",
)  # fmt: skip


def broken() -> Iterator[Case]:
    """Every faulty (or only odd) term where it is reached, and behind a term that matches."""
    for one in (*BROKEN, *TWICE):
        for frame in ("v=spf1 {} ~all", "v=spf1 ip4:192.0.2.3 {}", "v=spf1 -all {}"):
            zones = {**world(), DOMAIN: [("TXT", frame.format(one)), *addresses(False)]}
            yield Case(frame.format(one), zones, FOUR, f"user@{DOMAIN}", kinds=frozenset({one}))


def wrapped(draw: random.Random) -> Case:
    """A faulty record by include or redirect, behind one that decides or not."""
    zones = world()
    zones["inner.example.com"] = spf(f"v=spf1 {draw.choice(BROKEN)} ?all")
    lead = draw.choice(
        ("include:inner.example.com", "-include:inner.example.com", "redirect=inner.example.com")
    )
    before = draw.choice(("", "", "ip4:192.0.2.3 ", "ip4:198.51.100.1 "))
    zones[DOMAIN] = spf(f"v=spf1 {before}{lead}")
    kind = str(zones["inner.example.com"][0][1]).removeprefix("v=spf1 ").removesuffix(" ?all")
    return Case(f"{lead} {kind}", zones, FOUR, f"user@{DOMAIN}", kinds=frozenset({kind}))


def records() -> Iterator[Case]:
    """What is a record, how many there are, how they are divided (RFC 7208 sections 3.1-3.3, 4.5)."""
    several = (
        ["v=spf1 -all"], ["V=SPF1 -all"], ["v=spf1"], ["v=spf1 "], ["v=spf1  -all"], ["v=spf1 -all "], ["v=spf1 -all   "],
        ["v=spf10 -all"], ["v=spf1-all"], ["v=spf1\t-all"], [" v=spf1 -all"], ["v=spf2.0/mfrom -all"], ["v=spf1,-all"], [""],
        ["v=spf1 -all", "v=spf1 -all"], ["v=spf1 -all", "V=sPf1 +all"], ["v=spf1 -all", "v=spf10 +all"], ["v=spf1", "v=spf1 -all"],
        ["other text", "v=spf1 -all", "spf2.0/pra +all"], ["v=spf1\n-all"], ["v=spf1\xa0-all"], ["v=spf1 -all\x00"], ["v=spf1\x00 -all"],
        ["v=spf1 -all \xe9"], ["v=spf1 -all x=\xe9"], ["v=spf1 ip4:192.0.2.3 \xe9"], ["\xe9\xe9", "v=spf1 -all"], ["v=spf1 a:\xe9.example.com -all"],
    )  # fmt: skip
    for texts in several:
        yield Case(repr(texts), {DOMAIN: [("TXT", text) for text in texts]}, FOUR, f"user@{DOMAIN}")
    divided = (
        ("v=spf1 ", "-all"), ("v=spf1", " -all"), ("v=sp", "f1 -a", "ll"), ("v=spf1", "-all"), ("", "v=spf1 -all"), ("v=spf1 -all", ""),
        ("v=spf1 ip4:192.0.", "2.3 -all"), ("v=spf1 " + "ip4:198.51.100.1 " * 14, "ip4:192.0.2.3 " * 3, " -all"),
    )  # fmt: skip
    for parts in divided:
        yield Case(repr(parts), {DOMAIN: [("TXT", parts)]}, FOUR, f"user@{DOMAIN}")
    yield Case("type SPF alone", {DOMAIN: [("SPF", "v=spf1 -all")]}, FOUR, f"user@{DOMAIN}")
    yield Case(
        "another SPF", {DOMAIN: [("SPF", "v=spf1 +all"), ("TXT", "v=spf1 -all")]}, FOUR, f"user@{DOMAIN}"
    )
    yield Case("nobody", {"other.example": spf("v=spf1 -all")}, FOUR, f"user@{DOMAIN}")
    yield Case("empty non-terminal", {"a.example.com": spf("v=spf1 -all")}, FOUR, f"user@{DOMAIN}")
