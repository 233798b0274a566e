"""The flat form: the same verdicts, the fewest networks, order kept; compared with what is published."""

from __future__ import annotations

from ipaddress import IPv4Address, collapse_addresses, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from eymail.dns.spf import flat
from eymail.dns.spf.space import EVERYTHING, Space, fewest
from tests.unit.spf_zone import policy, result


def flattened(zone: dict[str, dict[str, object]], at: str = "d.example") -> dict[str, str]:
    return dict(flat.published(flat.flatten(policy(zone, "d.example")), at))


ZONE: dict[str, dict[str, object]] = {
    "d.example": {
        "TXT": "v=spf1 a mx/28 include:i.example -ip4:198.51.100.0/24 ip4:198.51.0.0/16 ~all",
        "A": "192.0.2.1",
        "AAAA": "2001:db8::1",
        "MX": ["1 h.example"],
    },
    "h.example": {"A": ["192.0.2.17"]},
    "i.example": {"TXT": "v=spf1 -ip4:203.0.113.7 ip4:203.0.113.0/24 include:j.example -all"},
    "j.example": {"TXT": "v=spf1 ip4:192.0.2.0 ip6:2001:db8::/127 redirect=k.example"},
    "k.example": {"TXT": "v=spf1 ip4:192.0.2.2/31 ?all"},
}


def test_a_tree_as_networks() -> None:
    (record,) = flattened(ZONE).values()
    assert record == (
        "v=spf1 ip4:192.0.2.0/30 ip4:192.0.2.16/28 ip4:203.0.113.0/30 ip4:203.0.113.4/31 ip4:203.0.113.6"
        " ip4:203.0.113.8/29 ip4:203.0.113.16/28 ip4:203.0.113.32/27 ip4:203.0.113.64/26 ip4:203.0.113.128/25"
        " ip6:2001:db8::/127 -ip4:198.51.100.0/24 ip4:198.51.0.0/16 ~all"
    )


def test_what_only_the_dns_can_tell_stays() -> None:
    zone: dict[str, dict[str, object]] = {
        "d.example": {
            "TXT": "v=spf1 exists:%{i}.x.example include:i.example ptr ip4:192.0.2.1 exp=y.example -all"
        },
        "i.example": {"TXT": "v=spf1 ip4:192.0.2.9 a:%{l}.z.example -all"},
        "y.example": {"TXT": "because"},
    }
    made = flat.flatten(policy(zone, "d.example"))
    (record,) = dict(flat.published(made, "d.example")).values()
    assert record == "v=spf1 ip4:192.0.2.1 exists:%{i}.x.example include:i.example ptr -all exp=y.example"
    assert [one.text for one in made.kept] == ["exists:%{i}.x.example", "include:i.example", "ptr"]
    assert made.kept[1].why == "it leads to a:%{l}.z.example"


def test_a_redirect_is_taken_in_with_its_end() -> None:
    zone: dict[str, dict[str, object]] = {
        "d.example": {"TXT": "v=spf1 ip4:192.0.2.1 redirect=r.example"},
        "r.example": {"TXT": "v=spf1 ip4:192.0.2.0 -all"},
    }
    assert flattened(zone) == {"d.example": "v=spf1 ip4:192.0.2.0/31 -all"}


def test_a_broken_include_is_dropped_and_one_that_is_not_known_kept() -> None:
    zone: dict[str, dict[str, object]] = {
        "d.example": {"TXT": "v=spf1 include:gone.example include:later.example ip4:192.0.2.1 -all"},
        "later.example": {"TXT": None},
    }
    made = flat.flatten(policy(zone, "d.example"))
    assert (
        dict(flat.published(made, "d.example"))["d.example"]
        == "v=spf1 ip4:192.0.2.1 include:later.example -all"
    )
    assert made.dropped == ["include:gone.example: gone.example does not exist"]
    assert len(made.unknown) == 1


def test_at_another_name_it_means_the_same() -> None:
    """The current domain is written out wherever a term means it."""
    terms = "ptr ?exists:%{i}.%{d2}.%%.%_x%{dr-}.y.example a:%{p}.z.example/24//64 exp=%{d}.why.example"
    zone: dict[str, dict[str, object]] = {"d.x.example": {"TXT": f"v=spf1 {terms} -all"}}
    made = flat.flatten(policy(zone, "d.x.example"), moved=True)
    (record,) = dict(flat.published(made, "e.example")).values()
    assert record == (
        "v=spf1 ptr:d.x.example ?exists:%{i}.x.example.%%.%_xd.x.example.y.example a:%{p}.z.example/24//64"
        " -all exp=d.x.example.why.example"
    )
    again = {"d.x.example": {"TXT": record}}
    assert dict(flat.published(flat.flatten(policy(again, "d.x.example")), "x"))["x"] == record


def test_a_redirect_brings_its_own_explanation() -> None:
    zone: dict[str, dict[str, object]] = {
        "d.example": {"TXT": "v=spf1 redirect=r.example exp=mine.example"},
        "r.example": {"TXT": "v=spf1 -all exp=%{d}.theirs.example"},
    }
    assert flattened(zone) == {"d.example": "v=spf1 -all exp=r.example.theirs.example"}


def test_a_term_that_adds_nothing_parts_no_neighbours() -> None:
    v4, v6 = "ip4:192.0.2.0/25 -ip4:192.0.2.64/26 ip4:192.0.2.128/25", "ip6:2001:db8::/32 -ip6:2001:db8::5"
    terms = f"{v4} {v6} a:h.example/0"
    zone: dict[str, dict[str, object]] = {
        "d.example": {"TXT": f"v=spf1 {terms} -all"},
        "h.example": {"AAAA": "2001:db8::5"},
    }
    assert flattened(zone) == {"d.example": "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"}


def test_a_redirect_that_stays_is_told_and_one_that_leads_nowhere_is_dropped() -> None:
    zone: dict[str, dict[str, object]] = {
        "d.example": {"TXT": "v=spf1 ip4:192.0.2.1 redirect=m.example"},
        "m.example": {"TXT": "v=spf1 exists:%{i}.x.example -all"},
        "e.example": {"TXT": "v=spf1 ip4:192.0.2.1 redirect=gone.example"},
    }
    made = flat.flatten(policy(zone, "d.example"))
    assert [one.text for one in made.kept] == ["redirect=m.example"]
    assert flattened(zone) == {"d.example": "v=spf1 ip4:192.0.2.1 redirect=m.example"}
    made = flat.flatten(policy(zone, "e.example"))
    assert dict(flat.published(made, "e.example")) == {"e.example": "v=spf1 ip4:192.0.2.1"}
    assert made.dropped == ["redirect=gone.example: gone.example does not exist"]


def test_an_error_deep_in_the_tree_is_told() -> None:
    zone: dict[str, dict[str, object]] = {
        "d.example": {"TXT": "v=spf1 ip4:192.0.2.1 include:i.example -all"},
        "i.example": {"TXT": "v=spf1 include:d.example ip4:192.0.2.9 -all"},
    }
    made = flat.flatten(policy(zone, "d.example"))
    assert made.dropped == ["include:i.example: include:d.example: leads back to itself"]
    assert dict(flat.published(made, "d.example")) == {"d.example": "v=spf1 ip4:192.0.2.1 -all"}


def test_what_would_be_too_many_parts_stays_one_record() -> None:
    signs = ("", "-", "~")
    terms = " ".join(f"{signs[n % 3]}ip4:10.{n}.0.0/16" for n in range(60))
    (record,) = flattened({"d.example": {"TXT": f"v=spf1 {terms} -all"}}).values()
    assert record == f"v=spf1 {terms} -all"


def test_a_long_record_in_parts() -> None:
    networks = " ".join(f"ip4:10.{n}.0.0/24" for n in range(80))
    zone: dict[str, dict[str, object]] = {"d.example": {"TXT": f"v=spf1 {networks} -ip4:11.0.0.0/8 ?all"}}
    parts = flattened(zone, "p.example")
    assert all(len(record) <= flat.LONGEST_RECORD for record in parts.values())
    assert list(parts) == ["p.example", *(f"_spf{n}.p.example" for n in range(1, len(parts)))]
    again: dict[str, dict[str, object]] = {name: {"TXT": record} for name, record in parts.items()}
    for ip, wanted in (("10.79.0.1", "pass"), ("10.79.1.1", "neutral"), ("11.1.1.1", "fail")):
        assert result(again, ip, "a@p.example") == wanted
    there = flat.as_published(policy(again, "p.example"))
    made = flat.flatten(policy(zone, "d.example"))
    assert (there.named(), there.end, there.kept) == (made.named(), made.end, ())


def test_published_includes_of_others_are_no_flat_form() -> None:
    there = flat.as_published(policy(ZONE, "d.example"))
    assert [one.text for one in there.kept] == ["a", "mx/28", "include:i.example"]


RANGES = st.lists(
    st.builds(lambda a, p: ip_network((a, p), strict=False), st.integers(0, 2**32 - 1), st.integers(20, 32)),
    max_size=8,
)
NEAR = st.lists(
    st.builds(lambda a, p: ip_network((a, p), strict=False), st.integers(0, 255), st.integers(25, 32)),
    max_size=10,
)


@given(RANGES)
def test_the_fewest_networks_are_those_that_the_standard_library_finds(networks: list) -> None:  # type: ignore[type-arg]
    assert list(Space.of(networks).networks()) == list(collapse_addresses(networks))


@given(NEAR, NEAR)
def test_sets_by_their_members(some: list, others: list) -> None:  # type: ignore[type-arg]
    def members(space: Space) -> set[int]:
        return {n for start, end in space.v4 for n in range(start, end + 1)}

    one, two = Space.of(some), Space.of(others)
    assert members(one | two) == members(one) | members(two)
    assert members(one - two) == members(one) - members(two)
    assert members(one & two) == members(one) & members(two)
    assert EVERYTHING - (EVERYTHING - one) == one
    chosen = members(Space.of(fewest(one, two)))
    assert members(one - two) <= chosen <= members(one | two)


INNER = st.lists(
    st.builds(
        "{}ip4:0.0.0.{}/{}".format,
        st.sampled_from(["", "-", "~", "?"]),
        st.integers(0, 255),
        st.integers(26, 32),
    ),
    max_size=4,
)
END = st.sampled_from(["", "-all", "~all", "?all", "all"])


@settings(max_examples=200, deadline=None)
@given(INNER, INNER, INNER, st.sampled_from(["", "-", "~", "?"]), END, END)
def test_flat_and_whole_say_the_same_of_every_address(
    before: list[str], inner: list[str], after: list[str], sign: str, end: str, inner_end: str
) -> None:
    """Of all addresses at the edges of any network in it."""
    text = " ".join(("v=spf1", *before, f"{sign}include:i.example", *after, end))
    zone: dict[str, dict[str, object]] = {
        "d.example": {"TXT": text},
        "i.example": {"TXT": " ".join(("v=spf1", *inner, inner_end))},
    }
    made: dict[str, dict[str, object]] = {name: {"TXT": record} for name, record in flattened(zone).items()}
    for number in range(0, 256, 1):
        ip = str(IPv4Address(number))
        assert result(zone, ip, "a@d.example") == result(made, ip, "a@d.example"), (text, made)
