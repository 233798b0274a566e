"""What RFC 7208 itself shows: its appendix A and the examples in its sections, with the results it gives.

The names and addresses are the RFC's, so that each case can be found there; what is said of them is
ours. Unlike the made corpus these are right by the RFC, whatever an implementation says.
"""

# ruff: noqa: E501 - tables of texts, which are as long as they are

from __future__ import annotations

from collections.abc import Iterator

from tests.oracles.case import Case, Verdict
from tests.oracles.making import OTHER_FOUR, Records, spf
from tests.oracles.zones import ANY, FAIL, SILENT

PASS, FAILS, NEUTRAL, SOFTFAIL = Verdict("pass"), Verdict("fail"), Verdict("neutral"), Verdict("softfail")
NONE, PERMERROR, TEMPERROR = Verdict("none"), Verdict("permerror"), Verdict("temperror")

USER = "user@example.com"
ROGUE = "10.0.0.4"


def _host(number: int) -> str:
    return f"192.0.2.{number}"


def appendix_zones() -> Records:
    """The zones of appendix A: two domains, their hosts, the reverse zones, and one that lies."""
    hosts = {
        "amy.example.com": 65, "bob.example.com": 66, "mail-a.example.com": 129, "mail-b.example.com": 130,
        "mail-c.example.org": 140,
    }  # fmt: skip
    zones: Records = {name: [("A", _host(number))] for name, number in hosts.items()}
    zones["example.com"] = [
        ("MX", (10, "mail-a.example.com")), ("MX", (20, "mail-b.example.com")), ("A", _host(10)), ("A", _host(11)),
    ]  # fmt: skip
    zones["example.org"] = [("MX", (10, "mail-c.example.org"))]
    zones["www.example.com"] = [("CNAME", "example.com")]
    pointed = {10: "example.com", 11: "example.com", **{number: name for name, number in hosts.items()}}
    for number, name in pointed.items():
        zones[f"{number}.2.0.192.in-addr.arpa"] = [("PTR", name)]
    zones["4.0.0.10.in-addr.arpa"] = [("PTR", "bob.example.com")]
    return zones


_A1 = {
    "v=spf1 +all": ({10, 11, 65, 66, 129, 140}, {}),
    "v=spf1 a -all": ({10, 11}, {65, 129, 140}),
    "v=spf1 a:example.org -all": (set(), {10, 140}),
    "v=spf1 mx -all": ({129, 130}, {10, 65, 140}),
    "v=spf1 mx:example.org -all": ({140}, {129, 130}),
    "v=spf1 mx mx:example.org -all": ({129, 130, 140}, {10, 65}),
    "v=spf1 mx/30 mx:example.org/30 -all": ({128, 129, 130, 131, 140, 141, 142, 143}, {127, 132, 139, 144}),
    "v=spf1 ptr -all": ({65, 66, 10, 129}, {140}),
    "v=spf1 ip4:192.0.2.128/28 -all": ({129, 128, 143}, {65, 127, 144}),
}


def appendix_a1() -> Iterator[Case]:
    """One domain, one record, all hosts."""
    for record, (good, bad) in _A1.items():
        zones = appendix_zones()
        zones["example.com"].append(("TXT", record))
        for number in sorted({*good, *bad}):
            verdict = PASS if number in good else FAILS
            yield Case(f"{record} {number}", zones, _host(number), USER, verdict=verdict, section="A.1")
    zones = appendix_zones()
    zones["example.com"].append(("TXT", "v=spf1 ptr -all"))
    yield Case("a name that lies", zones, ROGUE, USER, verdict=FAILS, section="A.1")


def appendix_a2() -> Iterator[Case]:
    """Several domains that share policies by include and redirect."""
    zones = appendix_zones()
    zones["example.org"].append(("TXT", "v=spf1 include:example.com include:example.net -all"))
    zones["example.com"].append(("TXT", "v=spf1 mx -all"))
    zones["example.net"] = spf("v=spf1 ip4:198.51.100.0/24 -all")
    for name in ("la.example.org", "ny.example.org"):
        zones[name] = spf("v=spf1 redirect=example.org")
    for domain in ("example.org", "la.example.org", "ny.example.org"):
        for ip, verdict in ((_host(129), PASS), (OTHER_FOUR, PASS), (_host(65), FAILS)):
            yield Case(f"{domain} {ip}", zones, ip, f"x@{domain}", verdict=verdict, section="A.2")


def appendix_a3() -> Iterator[Case]:
    """Users that travel are listed by their names, as block lists are."""
    zones = appendix_zones()
    policy = "v=spf1 mx include:mobile-users._spf.%{d} include:remote-users._spf.%{d} -all"
    zones["example.com"].append(("TXT", policy))
    zones["mobile-users._spf.example.com"] = spf("v=spf1 exists:%{l1r+}.%{d}")
    zones["remote-users._spf.example.com"] = spf("v=spf1 exists:%{ir}.%{l1r+}.%{d}")
    here = (
        "mary.mobile-users._spf", "fred.mobile-users._spf", "15.15.168.192.joel.remote-users._spf",
        "16.15.168.192.joel.remote-users._spf",
    )  # fmt: skip
    zones |= {f"{name}.example.com": [("A", "127.0.0.2")] for name in here}
    rows = (
        ("mary", ROGUE, PASS), ("fred+lists", ROGUE, PASS), ("joel", "192.168.15.15", PASS), ("joel+x", "192.168.15.16", PASS),
        ("joel", "192.168.15.17", FAILS), ("amy", ROGUE, FAILS), ("amy", _host(129), PASS),
    )  # fmt: skip
    for local, ip, verdict in rows:
        yield Case(f"{local} {ip}", zones, ip, f"{local}@example.com", verdict=verdict, section="A.3")


def appendix_a4() -> Iterator[Case]:
    """Two conditions that must both hold, said by what must not fail."""
    zones = appendix_zones()
    zones["example.com"].append(("TXT", "v=spf1 -include:ip4._spf.%{d} -include:ptr._spf.%{d} +all"))
    zones["ip4._spf.example.com"] = spf("v=spf1 -ip4:192.0.2.0/24 +all")
    zones["ptr._spf.example.com"] = spf("v=spf1 -ptr:example.com +all")
    for ip, verdict in ((_host(65), PASS), (_host(140), FAILS), (ROGUE, FAILS), (OTHER_FOUR, FAILS)):
        yield Case(ip, zones, ip, USER, verdict=verdict, section="A.4")


MACROS = {
    "%{s}": "strong-bad@email.example.com", "%{o}": "email.example.com", "%{d}": "email.example.com", "%{d4}": "email.example.com",
    "%{d3}": "email.example.com", "%{d2}": "example.com", "%{d1}": "com", "%{dr}": "com.example.email", "%{d2r}": "example.email",
    "%{l}": "strong-bad", "%{l-}": "strong.bad", "%{lr}": "strong-bad", "%{lr-}": "bad.strong", "%{l1r-}": "strong",
}  # fmt: skip
NAMES = {
    "%{ir}.%{v}._spf.%{d2}": "3.2.0.192.in-addr._spf.example.com", "%{lr-}.lp._spf.%{d2}": "bad.strong.lp._spf.example.com",
    "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}": "bad.strong.lp.3.2.0.192.in-addr._spf.example.com",
    "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}": "3.2.0.192.in-addr.strong.lp._spf.example.com",
    "%{d2}.trusted-domains.example.net": "example.com.trusted-domains.example.net",
}  # fmt: skip
LONG_NAME = "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"


def macros() -> Iterator[Case]:
    """The expansions that section 7.4 lists: as texts, and as names that are asked for."""
    for macro, text in MACROS.items():
        zones = {"email.example.com": spf("v=spf1 -all exp=why.example.com"), "why.example.com": spf(macro)}
        yield Case(macro, zones, _host(3), verdict=Verdict("fail", text), section="7.4")
    for macro, name in NAMES.items():
        zones = {"email.example.com": spf(f"v=spf1 exists:{macro} -all"), name: [("A", "127.0.0.2")]}
        yield Case(macro, zones, _host(3), verdict=PASS, section="7.4")
    zones = {
        "email.example.com": spf("v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all"),
        LONG_NAME: [("A", "127.0.0.2")],
    }
    yield Case("IPv6", zones, "2001:db8::cb01", verdict=PASS, section="7.4")


def explanations() -> Iterator[Case]:
    """Section 6.2's texts, and its rule that one without fault is needed."""
    texts = {
        "Mail from example.com should only be sent by its own servers.": "Mail from example.com should only be sent by its own servers.",
        "%{i} is not one of %{d}'s designated mail servers.": "192.0.2.65 is not one of example.com's designated mail servers.",
        "See http://%{d}/why.html?s=%{S}&i=%{I}": "See http://example.com/why.html?s=user%40example.com&i=192.0.2.65",
        "%{h} %{c} %{r}": "mx.example.org 192.0.2.65 unknown", "50%% off%_%-": "50% off %20", "%{x}": "", "%": "", "a\tb": "",
    }  # fmt: skip
    for text, told in texts.items():
        zones = {
            "example.com": spf("v=spf1 mx -all exp=explain._spf.%{d}"),
            "explain._spf.example.com": spf(text),
        }
        yield Case(repr(text), zones, _host(65), USER, verdict=Verdict("fail", told), section="6.2")
    zones = {
        "example.com": spf("v=spf1 include:in.example.com -all exp=out.example.com"), "out.example.com": spf("outer"),
        "in.example.com": spf("v=spf1 -all exp=in-why.example.com"), "in-why.example.com": spf("inner"),
        "led.example.com": spf("v=spf1 exp=out.example.com redirect=in.example.com"),
    }  # fmt: skip
    yield Case("not an include's", zones, _host(65), USER, verdict=Verdict("fail", "outer"), section="6.2")
    yield Case(
        "the redirect's",
        zones,
        _host(65),
        "x@led.example.com",
        verdict=Verdict("fail", "inner"),
        section="6.2",
    )


def includes() -> Iterator[Case]:
    """What an included policy's result makes of the mechanism (the table of section 5.2)."""
    inner: Records = {
        "pass.example.com": spf("v=spf1 +all"), "fail.example.com": spf("v=spf1 -all"), "softfail.example.com": spf("v=spf1 ~all"),
        "neutral.example.com": spf("v=spf1 ?all"), "temperror.example.com": [(ANY, FAIL)], "silent.example.com": [(ANY, SILENT)],
        "permerror.example.com": spf("v=spf1 what"), "none.example.com": spf("text"),
    }  # fmt: skip
    results = {
        "pass": PASS, "fail": SOFTFAIL, "softfail": SOFTFAIL, "neutral": SOFTFAIL, "temperror": TEMPERROR, "silent": TEMPERROR,
        "permerror": PERMERROR, "none": PERMERROR,
    }  # fmt: skip
    for name, verdict in results.items():
        zones = {**inner, "example.com": spf(f"v=spf1 include:{name}.example.com ~all")}
        yield Case(name, zones, _host(3), USER, verdict=verdict, section="5.2")
    zones = {**inner, "example.com": spf("v=spf1 -include:pass.example.com ~all")}
    yield Case("-include", zones, _host(3), USER, verdict=FAILS, section="5.2")


_HIT: Records = {
    "hit.example.com": [("A", _host(3)), ("AAAA", "2001:db8::3")],
    "miss.example.com": [("A", _host(4))],
}
RECORDS = (
    ("2.4", "v=spf1 -all", "", FAILS), ("4.5", "v=spf10 -all", USER, NONE), ("4.5", "V=SPF1 -ALL", USER, FAILS),
    ("4.6", "v=spf1 ip4:192.0.2.3 what", USER, PERMERROR), ("4.6.1", "v=spf1 A:HIT.example.COM -all", USER, PASS),
    ("4.6.1", "v=spf1 -Redirect=hit.example.com", USER, PERMERROR), ("4.6.2", "v=spf1 ?ip4:192.0.2.3 -all", USER, NEUTRAL),
    ("4.6.2", "v=spf1 ~ip4:192.0.2.3 -all", USER, SOFTFAIL), ("4.7", "v=spf1", USER, NEUTRAL), ("4.7", "v=spf1 a:miss.example.com", USER, NEUTRAL),
    ("4.7", "v=spf1 a:miss.example.com moo=x", USER, NEUTRAL), ("5.1", "v=spf1 ~all ip4:192.0.2.3", USER, SOFTFAIL),
    ("5.1", "v=spf1 ~all redirect=none.example.com", USER, SOFTFAIL), ("5.3", "v=spf1 a:miss.example.com/24 -all", USER, PASS),
    ("5.3", "v=spf1 a:miss.example.com//0 -all", USER, FAILS), ("5.4", "v=spf1 mx:hit.example.com -all", USER, FAILS),
    ("5.6", "v=spf1 ip4:192.0.2.0/30 -all", USER, PASS), ("5.6", "v=spf1 ip4:192.0.2.0/30/30 -all", USER, PERMERROR),
    ("5.7", "v=spf1 exists:hit.example.com -all", USER, PASS), ("5.7", "v=spf1 exists:hit.example.com/32 -all", USER, PERMERROR),
    ("6", "v=spf1 exp=a.example.com exp=a.example.com -all", USER, PERMERROR), ("6.1", "v=spf1 redirect=none.example.com", USER, PERMERROR),
    ("6.1", "v=spf1 redirect=hit.example.com/24", USER, PERMERROR), ("7.1", "v=spf1 a:hit.example.123 -all", USER, PERMERROR),
    ("7.2", "v=spf1 exists:%{c}.example.com -all", USER, PERMERROR), ("7.3", "v=spf1 a:%{d0}.example.com -all", USER, PERMERROR),
)  # fmt: skip


def records() -> Iterator[Case]:
    """Rules of sections 2 to 7 that one record shows, for the client 192.0.2.3."""
    for section, record, sender, verdict in RECORDS:
        zones = {**_HIT, "example.com": spf(record)}
        yield Case(record, zones, _host(3), sender, "example.com", verdict=verdict, section=section)
    two = {"example.com": [*spf("v=spf1 +all"), *spf("v=spf1 ip4:192.0.2.3")]}
    yield Case("two records", two, _host(3), USER, verdict=PERMERROR, section="4.5")
    divided: Records = {"example.com": [("TXT", ("v=spf1 ip4:192.0", ".2.3 -all"))]}
    yield Case("strings joined without a space", divided, _host(3), USER, verdict=PASS, section="3.3")
    for domain in ("localhost", "a..example.com", "a" * 64 + ".example.com", "[192.0.2.3]", ""):
        yield Case(f"{domain} is no domain", {}, _host(3), f"x@{domain}", verdict=NONE, section="4.3")
    for domain in ("example.com.", "EXAMPLE.com", "b\xfccher.example"):
        zones = {"example.com": spf("v=spf1 -all"), "xn--bcher-kva.example": spf("v=spf1 -all")}
        yield Case(f"{domain} is one", zones, _host(3), f"x@{domain}", verdict=FAILS, section="4.3")
    yield Case(
        "a client's mapped address",
        {"example.com": spf("v=spf1 ip4:192.0.2.3 -all")},
        "::ffff:192.0.2.3",
        USER,
        verdict=PASS,
        section="5",
    )
    yield Case(
        "no answer", {"example.com": [(ANY, SILENT)]}, _host(3), USER, verdict=TEMPERROR, section="4.4"
    )


def limits() -> Iterator[Case]:
    """Ten terms that ask, two void look-ups, ten mail exchangers; ten names of a client, no more (section 4.6.4)."""
    for count, verdict in ((10, PASS), (11, PERMERROR)):
        zones = {**_HIT, "example.com": spf(f"v=spf1 {'a:miss.example.com ' * count}ip4:192.0.2.3 -all")}
        yield Case(f"{count} terms", zones, _host(3), USER, verdict=verdict, section="4.6.4")
        mail: Records = {"m.example.com": [("MX", (9, f"h{n}.example.com")) for n in range(count)]}
        mail |= {f"h{n}.example.com": [("A", _host(3 if n == count - 1 else 9))] for n in range(count)}
        zones = {**mail, "example.com": spf("v=spf1 mx:m.example.com -all")}
        yield Case(f"{count} exchangers", zones, _host(3), USER, verdict=verdict, section="4.6.4")
        named: Records = {f"n{n}.example.org": [("A", _host(3))] for n in range(count - 1)}
        named["ours.example.com"] = [("A", _host(3))]
        named["3.2.0.192.in-addr.arpa"] = [("PTR", name) for name in named]
        zones = {**named, "example.com": spf("v=spf1 ptr -all")}
        yield Case(
            f"{count} names", zones, _host(3), USER, verdict=PASS if count == 10 else FAILS, section="4.6.4"
        )
    for count, verdict in ((2, PASS), (3, PERMERROR)):
        voids = " ".join(f"a:void{number}.example.com" for number in range(count))
        zones = {"example.com": spf(f"v=spf1 {voids} ip4:192.0.2.3 -all")}
        yield Case(f"{count} voids", zones, _host(3), USER, verdict=verdict, section="4.6.4")
    used_up = ("a:miss.example.com " * 10, "a:void1.example.com a:void2.example.com ")
    for number, terms in enumerate(used_up):
        for at, text, told in (("why", "%{p}", "unknown"), ("void3", "", "")):
            zones = {**_HIT, "example.com": spf(f"v=spf1 {terms}-all exp={at}.example.com")}
            zones |= {"why.example.com": spf(text)} if text else {}
            name = f"an explanation after the limit: {at} {number}"
            yield Case(name, zones, _host(3), USER, verdict=Verdict("fail", told), section="4.6.4")
    loop = {
        "example.com": spf("v=spf1 include:b.example.com -all"),
        "b.example.com": spf("v=spf1 include:example.com -all"),
    }
    yield Case("a loop of includes", loop, _host(3), USER, verdict=PERMERROR, section="4.6.4")
    led = {
        "example.com": spf("v=spf1 redirect=b.example.com"),
        "b.example.com": spf("v=spf1 redirect=example.com"),
    }
    yield Case("a loop of redirects", led, _host(3), USER, verdict=PERMERROR, section="4.6.4")


def examples() -> Iterator[Case]:
    for make in (
        appendix_a1, appendix_a2, appendix_a3, appendix_a4, macros, explanations, includes, records, limits,
    ):  # fmt: skip
        for number, case in enumerate(make()):
            named = f"{make.__name__} {number} {case.name}"
            yield Case(
                named,
                case.zones,
                case.ip,
                case.sender,
                case.helo,
                frozenset({"RFC"}),
                case.verdict,
                case.section,
            )
