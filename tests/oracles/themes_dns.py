"""Cases about look-ups: limits, voids, trouble, aliases, reverse names, and odd identities."""

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
    MAPPED,
    OTHER_FOUR,
    OTHER_SIX,
    SIX,
    Records,
    addresses,
    reverse,
    spf,
)  # fmt: skip
from tests.oracles.themes_terms import world
from tests.oracles.zones import ANY, FAIL, SILENT, Record

USER = f"user@{DOMAIN}"
COUNTED = {
    "a": "a:miss.example.com", "mx": "mx:unmailed.example.com", "exists": "exists:void{}.half2.example.com",
    "include": "include:p-fail.example.com", "ptr": "ptr:example.net", "ip4": "ip4:198.51.100.1",
}  # fmt: skip


def limited() -> Iterator[Case]:
    """9, 10 and 11 terms that cost a look-up, of one kind; then one that decides (section 4.6.4)."""
    for kind in ("a", "mx", "include", "ptr", "ip4"):
        for count in (9, 10, 11):
            for end in ("-all", "redirect=p-softfail.example.com", "ip4:192.0.2.3"):
                text = f"v=spf1 {' '.join([COUNTED[kind]] * count)} {end}"
                yield Case(f"{count} {kind} {end}", {**world(), DOMAIN: spf(text)}, FOUR, USER)
    before = f"v=spf1 ip4:192.0.2.3 {' '.join([COUNTED['a']] * 12)}"
    yield Case("decided before the limit", {**world(), DOMAIN: spf(before)}, FOUR, USER)


def nested(draw: random.Random) -> Case:
    """A tree of includes and redirects around the limit: the order of evaluation decides."""
    zones = world()
    for depth in range(6):
        terms = [
            draw.choice((COUNTED["a"], COUNTED["mx"], COUNTED["include"], COUNTED["ip4"]))
            for _ in range(draw.randint(0, 3))
        ]
        if depth < 5:
            lead = draw.choice(
                ("include:t{}.example.com", "redirect=t{}.example.com", "?include:t{}.example.com")
            )
            terms.insert(draw.randint(0, len(terms)), lead.format(depth + 1))
        terms += [draw.choice(("", "?all", "ip4:192.0.2.3", "-all"))]
        zones[f"t{depth}.example.com"] = spf("v=spf1 " + " ".join(terms))
    zones[DOMAIN] = spf("v=spf1 include:t0.example.com -all")
    return Case("", zones, FOUR, USER)


def void(draw: random.Random) -> Case:
    """Some voids among other terms: NXDOMAIN, no data, only the other family, an mx host, an alias to nowhere."""
    zones = world()
    zones["dangling.example.com"] = [("CNAME", "nx.example.com")]
    zones["mailless.example.com"] = [("MX", (10, "nx1.example.com")), ("MX", (20, "nx2.example.com"))]
    zones["v-none.example.com"] = [("A", FOUR)]
    kinds = (
        "a:nx.example.com", "a:void.example.com", "a:six.example.com", "mx:void.example.com", "mx:nx.example.com",
        "exists:nx.example.com", "exists:six.example.com", "a:dangling.example.com", "mx:mailless.example.com",
        "a:miss.example.com", "ip4:198.51.100.1", "include:p-neutral.example.com", "exists:void.example.com", "a:four.example.com/32",
    )  # fmt: skip
    terms = [draw.choice(kinds) for _ in range(draw.randint(1, 5))]
    zones[DOMAIN] = spf(
        f"v=spf1 {' '.join(terms)} {draw.choice(('-all', '~all', 'redirect=p-softfail.example.com', 'a:hit.example.com'))}"
    )
    return Case(" ".join(terms), zones, draw.choice((FOUR, SIX)), USER)


def mailed(draw: random.Random) -> Case:
    """MX records of many numbers and orders of preference, void ones, aliases among the hosts."""
    count = draw.choice((1, 2, 5, 9, 10, 10, 11, 12))
    hit, nowhere = draw.randrange(count + 2), draw.sample(range(count), draw.choice((0, 0, 1, 2, 3)) % count)
    zones: Records = {DOMAIN: spf("v=spf1 mx:m.example.com -all"), "m.example.com": []}
    for number in range(count):
        zones["m.example.com"].append(("MX", (draw.choice((0, 10, 20, number)), f"h{number}.example.com")))
        if number not in nowhere:
            zones[f"h{number}.example.com"] = addresses(number == hit)
    return Case(f"{count} hosts", zones, draw.choice((FOUR, SIX)), USER)


def pointed(draw: random.Random) -> Case:
    """Reverse names: many, lying, in other cases, without addresses, below, beside, above the domain."""
    pool = (
        "host.example.com", "example.com", "a.b.c.example.com", "notexample.com", "example.com.example.net", "lies.example.com",
        "void.example.com", "nx.example.com", "HOST.Example.Com", "mx.example.org",
    )  # fmt: skip
    names = [draw.choice(pool) for _ in range(draw.randint(0, 5))]
    if draw.random() < 0.3:
        names = [f"n{number}.example.org" for number in range(draw.choice((8, 9, 10)))] + names
    zones: Records = {name.lower(): addresses(True) for name in (*pool, *names)}
    zones |= {"lies.example.com": addresses(False), "void.example.com": [("TXT", "x")]}
    del zones["nx.example.com"]
    zones |= reverse(*dict.fromkeys(names)) if names else {}
    text = draw.choice(
        (
            "v=spf1 ptr -all",
            "v=spf1 ptr:example.org -all",
            "v=spf1 -all exp=why.example.com",
            "v=spf1 ptr:Example.COM ~all",
        )
    )
    zones[DOMAIN] = [("TXT", text), *addresses(True)]
    zones["why.example.com"] = spf("you are %{p}, %{p1}, %{pr}")
    return Case(" ".join(names), zones, draw.choice(CLIENTS), USER)


def troubled() -> Iterator[Case]:
    """A look-up that fails, wherever one is made; and one behind the term that decides."""
    terms = {
        "a:bad.example.com": {}, "mx:bad.example.com": {}, "exists:bad.example.com": {}, "include:bad.example.com": {},
        "redirect=bad.example.com": {}, "mx:m.example.com": {"m.example.com": [("MX", (10, "bad.example.com"))]},
        "mx:m2.example.com": {"m2.example.com": [("MX", (10, "bad.example.com")), ("MX", (20, "hit.example.com"))]},
        "ptr": {}, "a:alias-bad.example.com": {"alias-bad.example.com": [("CNAME", "bad.example.com")]},
        "exp=bad.example.com -all": {}, "include:outer.example.com": {"outer.example.com": spf("v=spf1 include:bad.example.com")},
        "exists:%{p}.example.com": {}, "-all": {},
    }  # fmt: skip
    for trouble in (FAIL, SILENT):
        for term, more in terms.items():
            for lead in ("", "ip4:192.0.2.3 ", "a:nx.example.com a:nx2.example.com "):
                zones: dict[str, list[Record]] = {**world(), **more, "bad.example.com": [(ANY, trouble)]}
                zones[DOMAIN] = spf(f"v=spf1 {lead}{term} ?all")
                if "ptr" in term or "%{p}" in term:
                    zones |= reverse("bad.example.com", "hit.example.com")
                yield Case(f"{trouble} {lead}{term}", zones, FOUR, USER, kinds=frozenset({term}))
        yield Case(f"{trouble} top", {DOMAIN: [(ANY, trouble)]}, FOUR, USER)
        bad_reverse = {**world(), DOMAIN: spf("v=spf1 ptr -all"), "3.2.0.192.in-addr.arpa": [(ANY, trouble)]}
        yield Case(f"{trouble} reverse", bad_reverse, FOUR, USER, kinds=frozenset({"ptr"}))


def aliased() -> Iterator[Case]:
    """CNAMEs before records of every type."""
    zones: Records = {
        "c.example.com": [("CNAME", "real.example.net")], "cc.example.com": [("CNAME", "c.example.com")],
        "real.example.net": [("TXT", "v=spf1 a mx:%{d} -all exp=c-why.example.com"), *addresses(False), ("MX", (1, "mc.example.net"))],
        "mc.example.net": [("CNAME", "mail.example.net")], "mail.example.net": addresses(True),
        "c-why.example.com": [("CNAME", "why.example.net")], "why.example.net": spf("why %{d}"),
        "3.2.0.192.in-addr.arpa": [("CNAME", "3.0-25.2.0.192.in-addr.arpa")],
        "3.0-25.2.0.192.in-addr.arpa": [("PTR", "pc.example.com")],
        "pc.example.com": [("CNAME", "mail.example.net")],
    }  # fmt: skip
    texts = (
        "v=spf1 a:c.example.com -all", "v=spf1 mx:c.example.com -all", "v=spf1 include:c.example.com ~all", "v=spf1 redirect=c.example.com",
        "v=spf1 redirect=cc.example.com", "v=spf1 exists:cc.example.com -all", "v=spf1 ptr -all", "v=spf1 ptr:example.net -all",
        "v=spf1 -all exp=c-why.example.com", "v=spf1 a:cc.example.com/0 -all",
    )  # fmt: skip
    for text in texts:
        for ip in (FOUR, OTHER_FOUR):
            yield Case(f"{text} {ip}", {**zones, DOMAIN: spf(text)}, ip, USER)
    yield Case("the domain itself", zones, FOUR, "user@c.example.com")


def identified() -> Iterator[Case]:
    """Senders and HELO names as the worst of clients give them (sections 2.3, 2.4, 4.1-4.3)."""
    senders = (
        "", "user@example.com", "@example.com", "example.com", "user", "user@", "user@localhost", "user@com", "user@[192.0.2.3]",
        "user@example.com.", "user@.example.com", "user@example..com", "user@" + "a" * 64 + ".example.com", "user@" + "a" * 63 + ".example.com",
        "user@" + "abcdefgh." * 28 + "example.com", "a@b@example.com", '"a@b"@example.com', "user@EXAMPLE.COM", "user name@example.com",
        "user@exam ple.com", "user@_spf.example.com", "user@-x.example.com", "user@192.0.2.3", "user@ex%{d}ample.com", "us%{d}er@example.com",
        "user@b\xfccher.example", "\xfcser@example.com", "user@example.com\x00", "<>", "postmaster@example.com", "user@*.example.com", "@",
    )  # fmt: skip
    helos = (
        "mx.example.com",
        "",
        "localhost",
        "[192.0.2.3]",
        "192.0.2.3",
        "mx_1.example.com",
        "MX.EXAMPLE.COM",
        "mx.example.com.",
        "-",
        "..",
        "com",
    )
    long = "a" * 63 + ".example.com"
    policy = spf("v=spf1 -all exp=why.example.com")
    names = (
        DOMAIN,
        "mx.example.com",
        "mx_1.example.com",
        "_spf.example.com",
        "-x.example.com",
        long,
        "localhost",
        "com",
        "xn--bcher-kva.example",
    )
    zones: Records = dict.fromkeys(names, policy)
    zones["why.example.com"] = spf("%{s} | %{l} | %{o} | %{d} | %{h} | %{i}")
    for sender in senders:
        yield Case(
            f"sender {sender!r:.40}",
            zones,
            FOUR,
            sender,
            "mx.example.com",
            kinds=frozenset({f"sender {sender}"}),
        )
    for helo in helos:
        yield Case(f"empty sender, HELO {helo!r}", zones, FOUR, "", helo, kinds=frozenset({f"helo {helo}"}))
        yield Case(f"HELO {helo!r}", zones, FOUR, USER, helo, kinds=frozenset({f"besides helo {helo}"}))


def clients() -> Iterator[Case]:
    """Addresses of both families in all their spellings, beside ip4, ip6, a and mx."""
    spellings = (
        FOUR, SIX, MAPPED, "2001:DB8:0:0:0:0:0:CB01", "2001:0db8:0000:0000:0000:0000:0000:cb01", "::FFFF:C000:203", "::1", "::",
        "0.0.0.0", "255.255.255.255", "2001:db8::192.0.2.3", OTHER_SIX,
    )  # fmt: skip
    texts = (
        "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/64 -all exp=why.example.com", "v=spf1 ip6:::ffff:192.0.2.3 -all exp=why.example.com",
        "v=spf1 a:hit.example.com mx:mailed.example.com ~all", "v=spf1 ip4:0.0.0.0/0 -all", "v=spf1 ip6:::/0 ?all",
        "v=spf1 exists:%{ir}.%{v}.half.example -all exp=why.example.com", "v=spf1 a:six.example.com//0 a:four.example.com/0 -all",
    )  # fmt: skip
    for text in texts:
        for ip in spellings:
            zones: Records = {
                **world(),
                DOMAIN: spf(text),
                "why.example.com": spf("%{i} %{c} %{v} %{ir} %{i5r}"),
            }
            yield Case(f"{ip} {text}", zones, ip, USER)


def names_of_the_client() -> Iterator[Case]:
    """What %{p} stands for beside a sender in capitals, and how often a void answer counts for it."""
    below: Records = {**reverse("other.example.org", "mx.example.com"), "why.example.com": spf("%{p} %{p2r}")}
    below |= {"other.example.org": addresses(True), "mx.example.com": addresses(True)}
    below[DOMAIN] = spf("v=spf1 -all exp=why.example.com")
    yield Case("capitals", below, FOUR, "user@Example.COM")
    for text in ("a:%{p}.%{p}.half.example", "a:%{p}.half.example exists:%{p}.half.example", "ptr ptr ptr"):
        zones: Records = {"half.example": [HALVES], DOMAIN: spf(f"v=spf1 a:nx.example.com {text} ~all")}
        yield Case(text, zones, FOUR, USER)
    for count in (9, 10):
        text = f"v=spf1 {'a:%{p}.miss.example ' * count}ip4:192.0.2.3 -all"
        zones = {**below, "mx.example.com.miss.example": addresses(False), DOMAIN: spf(text)}
        yield Case(f"{count} terms with p", zones, FOUR, USER, kinds=frozenset({f"p and {count} terms"}))
    zones = {**reverse("mx.example.com", "nowhere.example.net"), "mx.example.com": addresses(True)}
    zones[DOMAIN] = spf("v=spf1 a:nx1.example.com a:nx2.example.com ptr ~all")
    yield Case("a name elsewhere that is void", zones, FOUR, USER)
