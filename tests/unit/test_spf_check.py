"""check_host(): limits in evaluation order, errors, families, identities (RFC 7208 sections 2, 4, 5, 6)."""

from __future__ import annotations

import pytest

from tests.unit.spf_zone import evaluated, result

HOST = {"A": "192.0.2.10", "AAAA": "2001:db8::10"}


def of(record: str, **names: dict[str, object]) -> dict[str, dict[str, object]]:
    return {"d.example": {"TXT": record}, "host.example": HOST, **names}


def said(record: str, ip: str = "192.0.2.10", zone: dict[str, dict[str, object]] | None = None) -> str:
    return result({**of(record), **(zone or {})}, ip, "joe@d.example")


@pytest.mark.parametrize(
    ("record", "ip", "wanted"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.10", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.3.10", "fail"),
        ("v=spf1 ip4:192.0.2.0/24 ~all", "2001:db8::1", "softfail"),
        ("v=spf1 ip4:192.0.2.10 ?all", "::ffff:192.0.2.10", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::10", "pass"),
        ("v=spf1 ip6:::ffff:192.0.2.10 -all", "192.0.2.10", "fail"),
        ("v=spf1 a:host.example -all", "192.0.2.10", "pass"),
        ("v=spf1 a:host.example -all", "2001:db8::10", "pass"),
        ("v=spf1 a:host.example/24//64 -all", "192.0.2.99", "pass"),
        ("v=spf1 a:host.example/24//64 -all", "2001:db8::99", "pass"),
        ("v=spf1 a:host.example/24 -all", "2001:db8::99", "fail"),
        ("v=spf1 exists:host.example -all", "2001:db8:ffff::1", "pass"),
        ("v=spf1", "192.0.2.10", "neutral"),
        ("V=SPF1 IP4:192.0.2.10 -ALL", "192.0.2.10", "pass"),
        ("v=spf1  -all ", "192.0.2.10", "fail"),
        ("v=spf1 ip4:192.0.2.10 oops", "192.0.2.10", "permerror"),
        ("v=spf1 ip4:192.0.2.10 redirect=x.example redirect=x.example", "192.0.2.10", "permerror"),
        ("v=spf1 ip4:192.0.2.10 odd=%{q}", "192.0.2.10", "permerror"),
        ("v=spf1 odd=%{i}thing ip4:192.0.2.10", "192.0.2.10", "pass"),
        ("v=spf10 -all", "192.0.2.10", "none"),
    ],
)
def test_what_a_record_says(record: str, ip: str, wanted: str) -> None:
    assert said(record, ip) == wanted


@pytest.mark.parametrize(
    ("inner", "wanted"),
    [
        ("v=spf1 +all", "pass"),
        ("v=spf1 -all", "neutral"),
        ("v=spf1 ~all", "neutral"),
        ("v=spf1 ?all", "neutral"),
        ("v=spf1 bogus", "permerror"),
        ("no policy", "permerror"),
    ],
)
def test_what_an_include_comes_to(inner: str, wanted: str) -> None:
    """Section 5.2's table."""
    assert said("v=spf1 include:i.example ?all", zone={"i.example": {"TXT": inner}}) == wanted


def test_an_include_that_fails_for_now_is_a_temporary_error() -> None:
    assert said("v=spf1 include:i.example -all", zone={"i.example": {"TXT": None}}) == "temperror"


def test_what_matches_before_an_error_decides() -> None:
    zone = {"i.example": {"TXT": None}}
    assert said("v=spf1 ip4:192.0.2.10 include:i.example -all", zone=zone) == "pass"


def test_two_records_are_an_error_and_other_text_is_none() -> None:
    assert (
        result({"d.example": {"TXT": ["v=spf1 -all", "v=spf1 +all"]}}, "192.0.2.1", "a@d.example")
        == "permerror"
    )
    assert result({"d.example": {"TXT": ["hello", "v=spf1 -all"]}}, "192.0.2.1", "a@d.example") == "fail"


@pytest.mark.parametrize(
    ("sender", "helo"),
    [
        ("", "onelabel"),
        ("", "[192.0.2.1]"),
        ("joe@", "mx.example"),
        ("joe@a..example", "mx.example"),
        (f"joe@{'x' * 64}.example", "mx.example"),
        ("", ""),
        ("joe@nowhere.example", "mx.example"),
    ],
)
def test_identities_without_a_policy(sender: str, helo: str) -> None:
    verdict, asked = evaluated({}, "192.0.2.1", sender, helo)
    assert verdict.result == "none"
    assert verdict.problem
    assert len(asked) == (1 if sender.endswith("nowhere.example") else 0)


def test_an_empty_sender_is_postmaster_at_the_helo_name() -> None:
    zone = {
        "mx.d.example": {"TXT": "v=spf1 exists:%{l}.%{o}.is -all"},
        "postmaster.mx.d.example.is": {"A": "127.0.0.2"},
    }
    assert result(zone, "192.0.2.1", "", "mx.d.example") == "pass"


def chain(length: int) -> dict[str, dict[str, object]]:
    """Includes within includes, the last one passing."""
    zone = {f"i{n}.example": {"TXT": f"v=spf1 include:i{n + 1}.example -all"} for n in range(length)}
    return {**zone, f"i{length}.example": {"TXT": "v=spf1 +all"}}


def test_ten_lookups_and_no_more() -> None:
    assert said("v=spf1 include:i1.example -all", zone=chain(10)) == "pass"
    verdict, asked = evaluated(
        {**of("v=spf1 include:i1.example -all"), **chain(11)}, "192.0.2.1", "a@d.example"
    )
    assert verdict.result == "permerror"
    assert len(asked) == 11  # the record itself, and ten
    assert [step.partition(": ")[0] for step in verdict.path[:2]] == ["d.example", "i1.example"]


def test_a_match_at_the_tenth_lookup_is_a_match() -> None:
    misses = " ".join(f"a:m{n}.example" for n in range(9))
    zone = {f"m{n}.example": {"A": "192.0.2.99"} for n in range(9)}
    assert said(f"v=spf1 {misses} a:host.example a:eleventh.example -all", zone=zone) == "pass"
    assert said(f"v=spf1 {misses} a:m1.example a:host.example -all", zone=zone) == "permerror"


def test_two_void_answers_and_no_more() -> None:
    assert said("v=spf1 a:v1.example a:v2.example ?all") == "neutral"
    assert said("v=spf1 a:v1.example a:v2.example a:v3.example ?all") == "permerror"
    assert said("v=spf1 a:v1.example a:v2.example a:host.example a:v3.example ?all") == "pass"


def test_a_name_without_addresses_of_the_clients_family_is_void() -> None:
    zone = {f"v{n}.example": {"A": "192.0.2.1"} for n in range(3)}
    record = "v=spf1 a:v0.example a:v1.example a:v2.example ?all"
    assert said(record, "192.0.2.99", zone) == "neutral"
    assert said(record, "2001:db8::1", zone) == "permerror"


def test_ten_mail_exchangers_and_no_more() -> None:
    def exchangers(number: int) -> dict[str, dict[str, object]]:
        hosts = {f"h{n}.example": {"A": "192.0.2.99"} for n in range(number - 1)}
        targets = [*(f"{n} h{n}.example" for n in range(number - 1)), f"{number} host.example"]
        return {**hosts, "d.example": {"TXT": "v=spf1 mx -all", "MX": targets}, "host.example": HOST}

    assert result(exchangers(10), "192.0.2.10", "a@d.example") == "pass"
    assert result(exchangers(11), "192.0.2.10", "a@d.example") == "permerror"


POINTED = {
    "10.2.0.192.in-addr.arpa": {"PTR": ["mx.d.example", "liar.d.example"]},
    "mx.d.example": {"A": "192.0.2.10"},
    "liar.d.example": {"A": "192.0.2.66"},
}


def test_ptr_wants_a_name_that_leads_back() -> None:
    assert said("v=spf1 ptr -all", zone=POINTED) == "pass"
    assert said("v=spf1 ptr:mx.d.example -all", zone=POINTED) == "pass"
    assert said("v=spf1 ptr:liar.d.example -all", zone=POINTED) == "fail"
    assert said("v=spf1 ptr:ample -all", zone=POINTED) == "permerror"
    assert said("v=spf1 ptr -all", "192.0.2.11", POINTED) == "fail"


def test_an_error_in_a_reverse_zone_is_no_match() -> None:
    zone = {"10.2.0.192.in-addr.arpa": {"PTR": None}}
    assert said("v=spf1 ptr -all", zone=zone) == "fail"
    assert said("v=spf1 a:%{p}.example -all", zone=zone) == "fail"


def test_only_ten_names_of_an_address_are_looked_at() -> None:
    names = [f"n{n:02}.other.example" for n in range(10)]
    hosts = {name: {"A": "192.0.2.99"} for name in names}
    zone = {**POINTED, **hosts, "10.2.0.192.in-addr.arpa": {"PTR": [*names, "mx.d.example"]}}
    assert said("v=spf1 ptr -all", zone=zone) == "fail"


def test_redirect_takes_the_others_result_and_explanation() -> None:
    zone = {
        "d.example": {"TXT": "v=spf1 redirect=e.example exp=mine.example"},
        "e.example": {"TXT": "v=spf1 -all exp=theirs.example"},
        "mine.example": {"TXT": "mine"},
        "theirs.example": {"TXT": "theirs at %{d}, for %{o}"},
    }
    verdict, _ = evaluated(zone, "192.0.2.1", "a@d.example")
    assert (verdict.result, verdict.explanation) == ("fail", "theirs at e.example, for d.example")
    assert verdict.path == ("d.example: redirect=e.example", "e.example: -all")


def test_redirect_to_nothing_is_an_error() -> None:
    assert said("v=spf1 redirect=nowhere.example") == "permerror"
    assert said("v=spf1 redirect=nowhere.example -all") == "fail"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("%{i} is not one of %{d}'s", "192.0.2.1 is not one of d.example's"),
        ("see http://%{d}/why?s=%{S}&x=%%%_%-", "see http://d.example/why?s=a%40d.example&x=% %20"),
        ("%{q}", ""),
        ("caf\xe9", ""),
        (["one", "two"], ""),
        (None, ""),
        ("\x1b[2J", ""),
    ],
)
def test_explanations(text: object, wanted: str) -> None:
    zone = {"d.example": {"TXT": "v=spf1 -all exp=why.example"}, "why.example": {"TXT": text}}
    assert evaluated(zone, "192.0.2.1", "a@d.example")[0].explanation == wanted


def test_an_explanation_is_no_part_of_the_limits() -> None:
    misses = " ".join(f"a:m{n}.example" for n in range(8))
    zone = {
        "d.example": {"TXT": f"v=spf1 {misses} a:void1.example a:void2.example -all exp=%{{p}}.why.example"},
        **{f"m{n}.example": {"A": "192.0.2.99"} for n in range(8)},
        "unknown.why.example": {"TXT": "because"},
    }
    verdict, _ = evaluated(zone, "192.0.2.1", "a@d.example")
    assert (verdict.result, verdict.explanation, verdict.lookups, verdict.voids) == ("fail", "because", 10, 2)


def test_a_name_that_cannot_be_asked_does_not_match() -> None:
    zone = {"d.example": {"TXT": "v=spf1 a:%{h} exists:%{l}.example -all"}}
    verdict, asked = evaluated(zone, "192.0.2.1", "a..b@d.example", "x" * 70 + ".example")
    assert (verdict.result, verdict.voids) == ("fail", 0)
    assert len(asked) == 1
