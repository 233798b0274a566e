"""Fills the directory at random, and asks whether the mail host does what it says of many addresses.

Runs as the administrator outside, for tests/lab/test_routes.py: ``python routes.py SEED ROUNDS``. Prints a
JSON document for each round.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Iterator

from eymail.directory import passwords, rows
from eymail.env import Env
from eymail.errors import InvalidInput, NotFound, Refused
from eymail.ops import alias, catchall, change, mailbox, route
from eymail.ops import domain as domains
from eymail.plan import Plan

LOCALS = (
    "a",
    "b",
    "catchall",
    "o'brien",
    "x+y",
    "{}",
    "%u",
    "a.b",
    "=?=",
    "~",
    "it's--",
    "!",
    "&c",
    "_",
    "sales",
)
STRANGE = ("$home", "${run{id}}", "`id`", "*", "-bt", "|cat", "#x", "'or'1'='1", "${lookup", "$local_part")
BELOW = ("", "deep.", "foo.", "x.deep.")
OUTSIDE = ("you@accept.example", "else@people.example")


def main(seed: int, rounds: int) -> None:
    passwords._COST = 4
    for number in range(rounds):
        dice = random.Random(seed * 1000 + number)
        env = Env()
        try:
            name = f"r{number}-{seed}.example"
            made = fill(env, dice, name)
            told = list(route.routes(env, addresses(dice, name), verify=True))
            wrong = [str(one) for one in told if not isinstance(one, route.Route) or one.verified != "ok"]
            kinds = sorted({one.kind for one in told if isinstance(one, route.Route)})
            accepted = sum(one.accepted for one in told if isinstance(one, route.Route))
            found = {
                "asked": len(told), "made": made, "kinds": kinds, "accepted": accepted, "wrong": wrong,
                "mailboxes": dict(_mailboxes(told)),
            }  # fmt: skip
            print(json.dumps(found), flush=True)  # noqa: T201 - a program's output
        finally:
            env.close()


def _mailboxes(told: Iterable[object]) -> Iterator[tuple[str, list[str]]]:
    """Addresses that are accepted, and whose mail ends in mailboxes only."""
    for one in told:
        if not isinstance(one, route.Route) or not one.accepted:
            continue
        if all(end.kind == route.MAILBOX for end in one.destinations):
            yield one.address, [end.address for end in one.destinations]


def fill(env: Env, dice: random.Random, name: str) -> int:
    """Some twenty changes, those that are refused left out; how many were made."""
    made = 0
    for _ in range(22):
        try:
            outcome = change.apply(env, _change(env, dice, name))
        except (Refused, NotFound, InvalidInput):
            continue
        made += outcome.id is not None
    return made


def _change(env: Env, dice: random.Random, name: str) -> Plan:
    place = dice.choice(("", "", "deep.")) + name
    address = f"{dice.choice(LOCALS)}@{place}"
    kind = dice.choice(
        ("mailbox", "mailbox", "alias", "alias", "catchall", "subdomains", "domain", "disable")
    )
    if kind == "mailbox":
        return mailbox.add(env, address)
    if kind == "alias":
        inside = [f"{dice.choice(LOCALS)}@{dice.choice(('', 'deep.'))}{name}" for _ in range(3)]
        return alias.add(env, address, tuple(dice.sample((*inside, *OUTSIDE), dice.choice((1, 1, 2, 3)))))
    if kind == "domain":
        return domains.add(env, place)
    if kind == "disable":
        return _disable(env, dice)
    boxes = [str(row["address"]) for row in env.directory.find("mailbox", domain=place)]
    to = dice.choice((None, *boxes))
    return catchall.add(env, place, to, subdomains=kind == "subdomains")


def _disable(env: Env, dice: random.Random) -> Plan:
    found = env.directory.find("mailbox")
    if not found:
        raise NotFound("no mailbox")
    row = dice.choice(found)
    return Plan("disable", (rows.step("mailbox", row, {**row, "enabled": False}),))


def addresses(dice: random.Random, name: str) -> Iterator[str]:
    """Every name that may be there, at every place, strange ones at some, and what is not ours."""
    for below in BELOW:
        yield from (f"{local}@{below}{name}" for local in dice.sample(LOCALS, 9))
        yield from (f"{local}@{below}{name}" for local in dice.sample(STRANGE, 4))
    yield from (*OUTSIDE, f"x@not{name}", "x@nothing.example")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
