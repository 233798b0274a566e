"""Asked ahead, evaluated in order: the verdict of one question at a time, and nothing beyond the limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eymail.dns.many import Asker
from eymail.dns.question import Question, Reply
from eymail.dns.spf.client import Client
from eymail.dns.spf.run import AT_ONCE, Pool
from tests.unit.dns_peer import Peer, peer, rrset, zone
from tests.unit.dns_peer import Question as Asked
from tests.unit.spf_zone import Zone, evaluated, reply


class Answering:
    """An asker that has answers at hand, and gives the latest asked first."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: list[Question] = []
        self._out: list[Question] = []
        self.rounds = 0

    def ask(self, question: Question) -> None:
        self.asked.append(question)
        self._out.append(question)

    def replies(self, end: float) -> list[tuple[Question, Reply]]:
        self.rounds += 1
        out, self._out = self._out[::-1], []
        return [(question, reply(self.zone, question)) for question in out]


def client(ip: str = "192.0.2.1", sender: str = "joe@d.example") -> Client:
    return Client.of(ip_address(ip), sender, "mx.d.example")


TREE: dict[str, dict[str, object]] = {
    "d.example": {
        "TXT": "v=spf1 include:a.example include:b.example mx -all",
        "MX": ["1 h1.example", "2 h2.example"],
    },
    "a.example": {"TXT": "v=spf1 include:a1.example a:h1.example -all"},
    "a1.example": {"TXT": "v=spf1 exists:%{i}.x.example -all"},
    "b.example": {"TXT": "v=spf1 redirect=b1.example"},
    "b1.example": {"TXT": "v=spf1 a:h2.example -all"},
    "h1.example": {"A": "192.0.2.7"},
    "h2.example": {"A": "192.0.2.8"},
}


def test_a_level_of_the_tree_at_a_time() -> None:
    asker = Answering(TREE)
    verdict = Pool(asker, 20).verdict(client(), "d.example")
    assert verdict.result == "fail"
    assert asker.rounds == 4  # the record; what it names; what that names; and the last
    assert sorted(asker.asked) == sorted(set(evaluated(TREE, "192.0.2.1", "joe@d.example")[1]))


@pytest.mark.parametrize("ip", ["192.0.2.7", "192.0.2.8", "192.0.2.9"])
def test_the_verdict_is_that_of_one_question_at_a_time(ip: str) -> None:
    wanted, _ = evaluated(TREE, ip, "joe@d.example")
    assert Pool(Answering(TREE), 20).verdict(client(ip), "d.example") == wanted


def test_nothing_is_asked_past_a_term_that_decides() -> None:
    for record in ("v=spf1 ip4:192.0.2.0/24 a:h.example -all", "v=spf1 ~all a:h.example"):
        asker = Answering({"d.example": {"TXT": record}})
        Pool(asker, 20).verdict(client(), "d.example")
        assert asker.asked == [Question("d.example", "TXT")]


def test_a_pass_inside_an_include_ends_what_is_asked() -> None:
    zone = {
        "d.example": {"TXT": "v=spf1 include:i.example a:h.example -all"},
        "i.example": {"TXT": "v=spf1 ip4:192.0.2.1 a:x.example -all"},
    }
    asker = Answering(zone)
    assert Pool(asker, 20).verdict(client(), "d.example").result == "pass"
    assert Question("x.example", "A") not in asker.asked


def test_the_eleventh_lookup_is_never_asked() -> None:
    many = " ".join(f"a:h{n}.example" for n in range(40))
    zone = {
        "d.example": {"TXT": f"v=spf1 {many} -all"},
        **{f"h{n}.example": {"A": "192.0.2.99"} for n in range(40)},
    }
    asker = Answering(zone)
    assert Pool(asker, 20).verdict(client(), "d.example").result == "permerror"
    assert asker.asked == [Question("d.example", "TXT"), *(Question(f"h{n}.example", "A") for n in range(10))]


def test_a_wide_and_deep_tree_is_not_asked_without_end() -> None:
    """Ten terms' worth ahead, and what the evaluation itself comes to: fewer than twenty in all."""
    includes = " ".join(f"include:i{n}.example" for n in range(10))
    deeper = {
        f"i{n}.example": {"TXT": f"v=spf1 {' '.join(f'a:h{n}-{m}.example' for m in range(10))} -all"}
        for n in range(10)
    }
    hosts = {f"h{n}-{m}.example": {"A": "192.0.2.99"} for n in range(10) for m in range(10)}
    zone = {"d.example": {"TXT": f"v=spf1 {includes} -all"}, **deeper, **hosts}
    asker = Answering(zone)
    assert Pool(asker, 20).verdict(client(), "d.example").result == "permerror"
    assert len(asker.asked) <= 20


def test_the_hosts_of_too_many_exchangers_are_not_asked() -> None:
    zone = {"d.example": {"TXT": "v=spf1 mx -all", "MX": [f"{n} h{n}.example" for n in range(11)]}}
    asker = Answering(zone)
    assert Pool(asker, 20).verdict(client(), "d.example").result == "permerror"
    assert len(asker.asked) == 2


NAMES = [f"n{n}.example" for n in range(6)]
TERMS = st.one_of(
    st.builds("{}include:{}".format, st.sampled_from(["", "?", "-"]), st.sampled_from(NAMES)),
    st.builds("{}a:{}".format, st.sampled_from(["", "~"]), st.sampled_from(NAMES)),
    st.builds("mx:{}".format, st.sampled_from(NAMES)),
    st.builds("exists:%{{i}}.{}".format, st.sampled_from(NAMES)),
    st.builds("redirect={}".format, st.sampled_from(NAMES)),
    st.sampled_from(["ip4:192.0.2.1", "-ip4:192.0.2.0/30", "ptr", "a:%{p}.n1.example", "all", "-all", "mxx"]),
)
RECORDS = st.lists(TERMS, max_size=5).map(lambda terms: " ".join(("v=spf1", *terms)))
PLACES = st.fixed_dictionaries(
    {},
    optional={
        "TXT": st.one_of(RECORDS, st.none(), st.lists(RECORDS, max_size=2)),
        "A": st.one_of(st.sampled_from([["192.0.2.1"], ["192.0.2.9"], []]), st.none()),
        "MX": st.lists(st.sampled_from(NAMES).map("5 {}".format), max_size=12),
    },
)
POINTERS = st.lists(st.sampled_from(NAMES), max_size=12).map(
    lambda names: {"1.2.0.192.in-addr.arpa": {"PTR": names}}
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), PLACES), POINTERS)
def test_any_tree_comes_to_what_it_comes_to_in_order(places: Zone, pointers: Zone) -> None:
    zone = {**places, **pointers}
    wanted, in_order = evaluated(zone, "192.0.2.1", "joe@n0.example")
    asker = Answering(zone)
    assert Pool(asker, 20).verdict(client(sender="joe@n0.example"), "n0.example") == wanted
    assert set(in_order) <= set(asker.asked)
    assert len(asker.asked) == len(set(asker.asked))


def test_many_at_once_are_told_in_order_and_share_what_is_known() -> None:
    asker = Answering(TREE)
    checks = [(client(f"192.0.2.{n % 10}"), "d.example") for n in range(5 * AT_ONCE)]
    results = [verdict.result for verdict in Pool(asker, 20).verdicts(checks)]
    assert results == ["pass" if n % 10 in (7, 8) else "fail" for n in range(5 * AT_ONCE)]
    assert len(asker.asked) == len(set(asker.asked))


def test_what_came_so_far_is_told_before_more_is_read() -> None:
    told: list[str] = []

    def checks() -> Iterator[tuple[Client, str] | None]:
        yield client(), "d.example"
        yield None
        assert told == ["fail"]
        yield client("192.0.2.7"), "d.example"

    for verdict in Pool(Answering(TREE), 20).verdicts(checks()):
        told.append(str(verdict.result))
    assert told == ["fail", "pass"]


@pytest.fixture
def silent() -> Iterator[Peer]:
    """Knows the record, and says nothing of what it names."""
    known = zone(rrset("d.example", "TXT", '"v=spf1 a:h1.example a:h2.example mx -all"'))

    def script(question: Asked) -> Iterator[bytes]:
        return iter(known(question)) if question.kind == "TXT" else iter(())  # type: ignore[arg-type]

    with peer(script) as started:
        yield started


def test_the_deadline_of_an_evaluation(silent: Peer) -> None:
    with Asker([silent.address], 30) as asker:
        started = time.monotonic()
        verdict = Pool(asker, 0.5).verdict(client(), "d.example")
        assert time.monotonic() - started < 3
    assert verdict.result == "temperror"
    assert verdict.problem == "the deadline of 0.5 s is over: no answer to A of h1.example"
