"""What is evaluated in the SPF bench: zones, a client, and what an evaluation in order needs of them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracles.zones import Record

FOUR = "192.0.2.3"
ELSEWHERE = "198.51.100.1"

_Zones = dict[str, list[Record]]


@dataclass(frozen=True)
class Scenario:
    """``needed`` questions in order, of which ``depth`` have to wait for each other."""

    name: str
    zones: _Zones
    domain: str
    needed: int
    depth: int
    result: str
    ip: str = FOUR
    helo: str = "mx.example.org"

    @property
    def sender(self) -> str:
        return f"user@{self.domain}"


def _spf(text: str) -> list[Record]:
    return [("TXT", text)]


def one() -> Scenario:
    """One TXT record."""
    zones = {"one.example": _spf(f"v=spf1 ip4:{FOUR} -all")}
    return Scenario("one record", zones, "one.example", 1, 1, "pass")


def tree() -> Scenario:
    """15 questions, four deep: three chains of three includes, and an mx with four hosts."""
    top = "v=spf1 include:a1.tree.example include:b1.tree.example include:c1.tree.example mx -all"
    zones: _Zones = {"tree.example": [("TXT", top)]}
    for chain in "abc":
        for level in (1, 2):
            below = f"include:{chain}{level + 1}.tree.example"
            zones[f"{chain}{level}.tree.example"] = _spf(f"v=spf1 ip4:{ELSEWHERE} {below} ~all")
        zones[f"{chain}3.tree.example"] = _spf(f"v=spf1 ip4:{ELSEWHERE} ~all")
    zones["tree.example"] += [("MX", (10, f"h{number}.tree.example")) for number in range(4)]
    zones |= {f"h{number}.tree.example": [("A", ELSEWHERE)] for number in range(4)}
    return Scenario("tree of 15, depth 4", zones, "tree.example", 15, 4, "fail")


def exchangers() -> Scenario:
    """Ten mx mechanisms of ten hosts each: the most that RFC 7208 allows, 111 questions."""
    zones: _Zones = {"mx.example": _spf(f"v=spf1 {' '.join(f'mx:m{n}.mx.example' for n in range(10))} -all")}
    for number in range(10):
        hosts = [f"h{host}.m{number}.mx.example" for host in range(10)]
        zones[f"m{number}.mx.example"] = [("MX", (10, host)) for host in hosts]
        zones |= {host: [("A", ELSEWHERE)] for host in hosts}
    return Scenario("10 mx of 10 hosts", zones, "mx.example", 111, 3, "fail")


def decided_early() -> Scenario:
    """The second of ten terms decides: what is asked of the others is asked in vain."""
    terms = " ".join(f"a:h{number}.early.example" for number in range(10))
    zones: _Zones = {"early.example": _spf(f"v=spf1 {terms} -all")}
    zones |= {f"h{n}.early.example": [("A", FOUR if n == 1 else ELSEWHERE)] for n in range(10)}
    return Scenario("decided by the second of ten", zones, "early.example", 3, 2, "pass")


SCENARIOS = (one(), tree(), exchangers(), decided_early())
