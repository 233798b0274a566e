"""The whole tree of a record, every fault in it in one go, and the record that would be right."""

from __future__ import annotations

import time

import pytest

from eymail.dns.question import Question, Reply
from eymail.dns.spf import faults, mending
from eymail.dns.spf.faults import Finding
from eymail.dns.spf.tree import MOST_QUESTIONS, Builder
from tests.unit.spf_zone import policy, reply

Zone = dict[str, dict[str, object]]


def found(zone: Zone) -> tuple[Finding, ...]:
    return faults.findings(policy(zone, "d.example"))


def problems(record: str, **zone: dict[str, object]) -> dict[str, str]:
    """Problem by term, with its level."""
    names = {name.replace("_", "."): records for name, records in zone.items()}
    here: Zone = {"d.example": {"TXT": record}, "r.example": {"TXT": "v=spf1 -all"}}
    return {one.term: f"{one.level}: {one.problem}" for one in found({**here, **names})}


def publish(zone: Zone, *add: str) -> str:
    """The proposal, "" where it is what stands there."""
    tree = policy(zone, "d.example")
    record = mending.proposal(tree, add)
    return "" if [record] == [one.text for one in tree.records] else record


TREE: Zone = {
    "d.example": {"TXT": "v=spf1 mx include:i.example a:%{d2} exists:ex.example ptr ip4:192.0.2.1 -all"},
    "i.example": {"TXT": "v=spf1 redirect=r.example"},
    "r.example": {"TXT": "v=spf1 ip6:2001:db8::1 ~all"},
    "ex.example": {"A": "127.0.0.2"},
}


def test_what_each_term_leads_to() -> None:
    zone = {
        **TREE,
        "d.example": {**TREE["d.example"], "MX": ["1 m.example"], "A": "192.0.2.7", "AAAA": "::7"},
    }
    tree = policy({**zone, "m.example": {"A": "192.0.2.8"}}, "d.example")
    assert [
        (there.name, branch.term.text, branch.hosts, branch.addresses) for there, branch in tree.walk()
    ] == [
        ("d.example", "mx", ("m.example",), ("192.0.2.8",)),
        ("d.example", "include:i.example", (), ()),
        ("i.example", "redirect=r.example", (), ()),
        ("r.example", "ip6:2001:db8::1", (), ("2001:db8::1/128",)),
        ("r.example", "~all", (), ()),
        ("d.example", "a:%{d2}", (), ("192.0.2.7", "::7")),
        ("d.example", "exists:ex.example", (), ("127.0.0.2",)),
        ("d.example", "ptr", (), ()),
        ("d.example", "ip4:192.0.2.1", (), ("192.0.2.1/32",)),
        ("d.example", "-all", (), ()),
    ]
    assert faults.use(tree).lookups == 6
    assert faults.use(tree).voids == (0, 1)  # m.example has no IPv6 address


@pytest.mark.parametrize(
    ("record", "term", "told"),
    [
        ("v=spf1 mxx -all", "mxx", "error: SPF has no mechanism mxx"),
        ("v=spf1 ip4:192.0.2 -all", "ip4:192.0.2", "error: ip4 wants an IPv4 address"),
        ("v=spf1 -all;", "-all;", "error: it is no SPF term"),
        ("v=spf1 +all", "+all", "warning: anybody may send"),
        ("v=spf1 ALL", "ALL", "warning: anybody may send"),
        ("v=spf1 ptr -all", "ptr", "warning: slow, unreliable"),
        ("v=spf1 ip4:192.0.2.1", "", "warning: no all and no redirect"),
        ("v=spf1 IP4:192.0.2.1 -all", "", "warning: capitals"),
        ("v=spf1 -all ip4:192.0.2.1", "ip4:192.0.2.1", "warning: never comes into play"),
        ("v=spf1 redirect=r.example -all", "redirect=r.example", "warning: does not count beside an all"),
        ("v=spf1 exists:%{l}.x.example -all", "exists:%{l}.x.example", "warning: depends on the client"),
        ("v=spf1 include:gone.example -all", "include:gone.example", "error: gone.example does not exist"),
        ("v=spf1 include:d.example -all", "include:d.example", "error: leads back to itself"),
        ("v=spf1 a:gone.example -all", "a:gone.example", "warning: gone.example: no address"),
        ("v=spf1 mx:gone.example -all", "mx:gone.example", "warning: gone.example has no mail exchanger"),
        ("v=spf1 ip4:0.0.0.0/0 -all", "ip4:0.0.0.0/0", "warning: lets 4.3e+09 addresses send"),
        ("v=spf1 ip6:::ffff:192.0.2.1 -all", "ip6:::ffff:192.0.2.1", "warning: matches nobody"),
        ("v=spf1 include=x.example -all", "include=x.example", "warning: is an unknown modifier"),
        ("v=spf1 ip4:192.0.2.1 ip4:192.0.2.1 -all", "ip4:192.0.2.1", "warning: stands there twice"),
        (
            "v=spf1 -all exp=gone.example",
            "exp=gone.example",
            "warning: gone.example has not one TXT record but 0",
        ),
        (f"v=spf1 {' '.join(f'ip4:10.0.{n}.0/24' for n in range(30))} -all", "", "warning: the record has"),
    ],
)
def test_faults(record: str, term: str, told: str) -> None:
    assert problems(record)[term].startswith(told)


def test_a_record_that_is_right_has_none() -> None:
    assert problems("v=spf1 ip4:192.0.2.1 ip6:2001:db8::/32 ~all") == {}


def test_an_include_without_a_record_or_with_two() -> None:
    zone = {"i_example": {"TXT": ["v=spf1 -all", "v=spf1 ~all"]}, "j_example": {"TXT": "hello"}}
    told = problems("v=spf1 include:i.example include:j.example -all", **zone)
    assert told["include:i.example"] == "error: i.example has 2 SPF records"
    assert told["include:j.example"] == "error: j.example has no SPF record"


def test_too_many_lookups_name_the_culprits_and_the_walk_goes_on() -> None:
    wide = " ".join(f"include:i{n}.example" for n in range(12))
    zone: Zone = {f"i{n}.example": {"TXT": "v=spf1 ip4:192.0.2.1 -all"} for n in range(11)}
    zone["d.example"] = {"TXT": f"v=spf1 {wide} mxx -all"}
    told = found(zone)
    assert told[0].problem == (
        "12 look-ups, and 10 are allowed; too many: include:i10.example in d.example,"
        " include:i11.example in d.example"
    )
    assert {one.term for one in told} >= {"include:i11.example", "mxx"}


def test_too_many_void_answers_name_the_culprits() -> None:
    told = found({"d.example": {"TXT": "v=spf1 a:v1.example a:v2.example a:v3.example -all"}})
    assert told[0].level == "error"
    assert "3 void answers for clients of IPv4" in told[0].problem
    assert "a:v3.example in d.example" in told[0].problem


def test_several_records_become_one() -> None:
    zone: Zone = {
        "d.example": {
            "TXT": ["v=spf1 ip4:192.0.2.1 -all", "v=spf1 MX ip4:192.0.2.1 ~all"],
            "MX": ["1 h.example"],
        }
    }
    zone["h.example"] = {"A": "192.0.2.9"}
    assert publish(zone) == "v=spf1 ip4:192.0.2.1 mx -all"


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ("v=spf1 ip4:192.0.2.1 -all", ""),
        ("v=spf1 +all", "v=spf1 ~all"),
        ("V=SPF1 +IP4:192.0.2.1 -ALL", "v=spf1 ip4:192.0.2.1 -all"),
        ("v=spf1 mxx ptr include:gone.example ip4:192.0.2.1", "v=spf1 ip4:192.0.2.1 ~all"),
        ("v=spf1 -all ip4:192.0.2.1", "v=spf1 -all"),
        ("v=spf1 redirect=r.example redirect=q.example exp=x.example", "v=spf1 redirect=r.example"),
        ("v=spf1 redirect=gone.example", "v=spf1 ~all"),
        ("v=spf1 redirect=r.example", ""),
        ("v=spf1 exists:%{i}.x.example ?all", ""),
    ],
)
def test_the_record_to_publish(record: str, wanted: str) -> None:
    assert publish({"d.example": {"TXT": record}, "r.example": {"TXT": "v=spf1 -all"}}) == wanted


def test_what_is_to_be_added_goes_before_the_end() -> None:
    assert publish({"d.example": {"TXT": "v=spf1 ip4:192.0.2.1 -all"}}, "include:c.example") == (
        "v=spf1 ip4:192.0.2.1 include:c.example -all"
    )
    zone: Zone = {"d.example": {"TXT": "v=spf1 redirect=r.example"}, "r.example": {"TXT": "v=spf1 -all"}}
    assert publish(zone, "include:c.example") == "v=spf1 include:c.example redirect=r.example"
    zone["d.example"] = {"TXT": "v=spf1 -ip4:192.0.2.1 ~all"}
    first = mending.proposal(policy(zone, "d.example"), ["include:c.example"], first=True)
    assert first == "v=spf1 include:c.example -ip4:192.0.2.1 ~all"


def test_what_could_not_be_asked_is_not_checked() -> None:
    zone: Zone = {"d.example": {"TXT": "v=spf1 include:later.example a:later.example mx -all", "MX": None}}
    zone["later.example"] = {"TXT": None, "A": None}
    tree = policy(zone, "d.example")
    assert [branch.checked for branch in tree.branches] == [False, False, False, True]
    # Nothing is left out for not having been asked.
    assert mending.proposal(tree) == tree.records[0].text


def test_a_thousand_includes_and_a_tree_that_doubles_are_bounded() -> None:
    """Twenty-five levels of two includes each would be thirty million branches."""
    doubling: Zone = {
        f"i{n}.example": {"TXT": f"v=spf1 include:i{n + 1}.example include:i{n + 1}.example"}
        for n in range(25)
    }
    wide: Zone = {
        "w.example": {"TXT": f"v=spf1 {' '.join(f'include:x{n}.example' for n in range(1000))} -all"}
    }
    zone: Zone = {
        **doubling,
        **wide,
        "d.example": {"TXT": "v=spf1 include:i0.example include:w.example -all"},
    }
    started = time.monotonic()
    tree = policy(zone, "d.example")
    assert time.monotonic() - started < 5
    assert sum(1 for _ in tree.walk()) < 5000
    assert any(not branch.checked for _, branch in tree.walk())


def test_no_more_is_asked_than_the_bound() -> None:
    zone: Zone = {"d.example": {"TXT": f"v=spf1 {' '.join(f'a:h{n}.example' for n in range(1000))} -all"}}
    known: dict[Question, Reply] = {}
    for _ in range(5):
        builder = Builder(known)
        builder.policy("d.example")
        known |= {question: reply(zone, question) for question in builder.missing}
    assert len(known) == MOST_QUESTIONS
