"""Source addresses of a lab: assigned, listed, and seen from outside."""

from __future__ import annotations

import itertools
from typing import Any

from tests.lab.conftest import Lab

ZONE = "ey04.engineyard.com"
DOMAIN = "example.com"
OTHERS = ("gateway", "relay1", "relay2", "deferred1", "mail1")
numbers = itertools.count()


def sources(lab: Lab) -> list[dict[str, Any]]:
    return list(lab.json("source", "list")["data"]["sources"])


def world(lab: Lab) -> list[str]:
    """All that an assignment touches, but the directory: files, addresses, rules, records."""
    shown = (
        "cat /etc/exim4/exim4.conf /etc/nftables.conf /etc/network/if-up.d/eymail-addresses 2>/dev/null;"
        " ip -o -4 address show | awk '{print $2, $4}' | sort; nft list ruleset 2>/dev/null; true"
    )
    zones = (ZONE, f"{lab.outside(10).split('.')[2]}.18.198.in-addr.arpa")
    records = (lab.exec("ns1", "knotc", "zone-read", zone) for zone in zones)
    lines = (line for text in records for line in text.splitlines() if " SOA " not in line)
    return [*(lab.exec(host, "sh", "-c", shown) for host in OTHERS), *sorted(lines)]


def answers(lab: Lab, expected: list[str], *question: str) -> None:
    """Both name servers say so, and the resolver; the secondary has a moment to follow."""
    for server in ("ns1", "ns2", "resolver"):
        words = ("kdig", "+short", f"@{lab.hosts[server]['outside']}", *question)

        def right(words: tuple[str, ...] = words) -> bool:
            return lab.exec("workstation", *words).split("\n")[:-1] == expected

        lab.wait(f"{server}: {question}: {expected}", right, 10)


def record(lab: Lab, *lasts: int) -> str:
    """The cluster's SPF record with these addresses."""
    return f'"{" ".join(["v=spf1", *(f"ip4:{lab.outside(last)}" for last in lasts), "~all"])}"'


def seen_from(lab: Lab, sender: str, count: int = 2) -> set[str]:
    """Where mx-accept sees mail from a sender come from: slice1 -> smtp -> the relays -> gateway -> it."""
    word = f"source test {next(numbers)}."
    for _ in range(count):
        lab.send("you@accept.example", sender=sender, subject=word)

    def arrived() -> list[dict[str, Any]]:
        found = [one for one in lab.seen("mx-accept") if word in one["data"]]
        return found if len(found) == count else []

    return {str(one["peer"]) for one in lab.wait("all arrived", arrived)}


def assign(lab: Lab, domain: str, last: int, *options: str) -> Any:
    return lab.json("source", "assign", domain, lab.outside(last), *options)


def proof(told: Any) -> str:
    return f"expected {told['data']['expected']}, seen {told['data']['proof']['seen']}"
