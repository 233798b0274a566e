"""What Exim says of an address, read, and compared with what the directory says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.directory import passwords
from eymail.env import Env
from eymail.errors import EymailError, HostError
from eymail.exim import ways
from eymail.exim.ways import DELIVERED, DISCARDED, SENT_ON, UNDELIVERABLE, UNRESOLVED, End, Said
from eymail.hosts.local import LocalHost
from eymail.ops import alias, catchall, mailbox, route, route_check
from tests.unit.directories import applied, environment, sql

# As Exim 4.96 of the mail host prints it.
MAILBOX = "joe@example.com\n  router = mailbox, transport = dovecot\n"
TEAM = """\
joe@example.com
    <-- team@example.com
  router = mailbox, transport = dovecot
joe@example.com   [duplicate, would not be delivered]
    <-- b@example.com
    <-- team@example.com
  router = mailbox, transport = dovecot
ann@elsewhere.org
    <-- team@example.com
  router = outward, transport = smtp
  host smtp.ey04.engineyard.com [10.44.0.10]
nobody@example.com is undeliverable: Unrouteable address
    <-- team@example.com
"""
JOE = End("joe@example.com", DELIVERED, "router mailbox, transport dovecot")


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Env]:
    monkeypatch.setattr(passwords, "_COST", 4)
    with environment(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        (MAILBOX, (JOE,)),
        (
            TEAM,
            (
                End("ann@elsewhere.org", SENT_ON, "router outward, transport smtp"),
                JOE,
                End("nobody@example.com", UNDELIVERABLE, "Unrouteable address"),
            ),
        ),
        ("x@example.com is undeliverable\n", (End("x@example.com", UNDELIVERABLE),)),
        (
            "x@example.com cannot be resolved at this time: the directory cannot be asked\n",
            (End("x@example.com", UNRESOLVED, "the directory cannot be asked"),),
        ),
        ("mail to x@example.com is discarded\n", (End("x@example.com", DISCARDED),)),
        ("", ()),
        ("Exim configuration error in line 3\n", ()),
    ],
)
def test_what_exim_prints_is_read(text: str, ends: tuple[End, ...]) -> None:
    assert ways.ends_of(text) == ends


@given(st.text())
def test_any_output_is_read_or_nothing(text: str) -> None:
    ways.ends_of(text)


def said(ends: tuple[End, ...], code: int, words: str = "") -> Said:
    return Said(ends, "", code, words)


@pytest.mark.parametrize(
    ("answer", "accepted", "statuses"),
    [
        (said((JOE,), 250), True, ["ok", "ok"]),
        (said((JOE,), 550), True, ["ok", "differs"]),
        (said((JOE,), 250), False, ["ok", "differs"]),
        (said((JOE,), 451), True, ["ok", "not checked"]),
        (said((JOE,), 0, "timed out"), True, ["ok", "not checked"]),
        (said((End("joe@example.com", SENT_ON),), 250), True, ["differs", "ok"]),
        (said((JOE, End("ann@example.com", DELIVERED)), 250), True, ["differs", "ok"]),
        (said((End("joe@example.com", UNRESOLVED),), 250), True, ["not checked", "ok"]),
        (said((), 250), True, ["not checked", "ok"]),
    ],
)
def test_answers_are_compared(answer: Said, accepted: bool, statuses: list[str]) -> None:
    checks = route_check.compare(answer, [("joe@example.com", DELIVERED)], accepted=accepted)
    assert [one.status for one in checks] == statuses
    worst = next((one for one in ("differs", "not checked") if one in statuses), "ok")
    assert route_check.verdict(checks) == worst


def test_a_mail_host_that_cannot_be_asked_is_not_checked_and_no_success(env: Env) -> None:
    applied(env, mailbox.add(env, "joe@example.com"))
    found = route.route(env, "joe@example.com", verify=True)
    assert (found.kind, found.verified, found.exit_code) == ("mailbox", "not checked", 1)
    assert [one.status for one in found.checks] == ["not checked"] * 2
    assert "no cluster was named" in found.view().rows[0][-1]
    assert route.route(env, "joe@example.com").exit_code == 0


def test_many_addresses_are_told_in_their_order_bad_ones_too(env: Env) -> None:
    applied(env, mailbox.add(env, "joe@example.com"))
    found = list(route.routes(env, ["x@example.com", "nonsense", "joe@example.com"]))
    assert [one.kind if isinstance(one, route.Route) else type(one).__name__ for one in found] == [
        "refused",
        "InvalidInput",
        "mailbox",
    ]


def test_what_is_accepted_at_rcpt(env: Env, tmp_path: Path) -> None:
    """Exim looks behind a redirection to one address, and not behind one to several."""
    applied(env, mailbox.add(env, "joe@example.com"))
    applied(env, mailbox.add(env, "off@example.com"))
    applied(env, catchall.add(env, "other.example"))
    for address, targets in (
        ("one@example.com", ("joe@example.com",)),
        ("out@example.com", ("x@elsewhere.org",)),
        ("dead@example.com", ("nobody@example.com",)),
        ("chain@example.com", ("dead@example.com",)),
        ("pair@example.com", ("nobody@example.com", "none@example.com")),
    ):
        applied(env, alias.add(env, address, targets))
    file = tmp_path / "d" / "directory.db"
    sql(
        file,
        "UPDATE mailboxes SET enabled = 0 WHERE address IN ('off@example.com', 'catchall@other.example')",
    )
    accepted = {
        name: route.route(env, name).accepted
        for name in (
            *(f"{local}@example.com" for local in ("joe", "one", "out", "pair", "dead", "chain", "off", "x")),
            "x@elsewhere.org",
            "x@other.example",
        )
    }
    assert [name for name, yes in accepted.items() if yes] == [
        f"{local}@example.com" for local in ("joe", "one", "out", "pair")
    ]


def test_an_alias_shows_its_ways_to_their_ends(env: Env) -> None:
    applied(env, mailbox.add(env, "joe@example.com"))
    applied(env, alias.add(env, "team@example.com", ("joe@example.com", "ann@elsewhere.org")))
    applied(env, alias.add(env, "all@example.com", ("team@example.com", "nobody@example.com")))
    rows = alias.chains(env, "ALL@example.com").view().rows
    assert [row[1:4] for row in rows] == [
        ("", "nobody@example.com", "refused"),
        ("team@example.com", "ann@elsewhere.org", "not ours"),
        ("team@example.com", "joe@example.com", "mailbox"),
    ]
    with pytest.raises(EymailError, match=r"there is no alias joe@example\.com"):
        alias.chains(env, "joe@example.com")


def test_aliases_that_fan_out_and_in_again_end_in_time(env: Env) -> None:
    """2 to the 24 ways: all ends are found at once, and the list of ways is cut."""
    for level in range(24):
        for side in "ab":
            targets = (f"a{level + 1}@example.com", f"b{level + 1}@example.com")
            applied(env, alias.add(env, f"{side}{level}@example.com", targets))
    assert len(route.route(env, "a0@example.com").destinations) == 2
    found = alias.chains(env, "a0@example.com")
    assert len(found.chains) == 1000 and found.notes


def test_a_host_that_answers_nonsense_is_an_error(tmp_path: Path) -> None:
    class Liar(LocalHost):
        def run(self, argv, **options):  # type: ignore[no-untyped-def]  # any signature will do
            return super().run(["echo", '{"address": 1}'])

    with pytest.raises(HostError, match="makes no sense"):
        ways.ask(Liar("liar"), "127.0.0.1", ["joe@example.com"])


def test_the_program_runs_where_there_is_no_exim_and_no_smtp() -> None:
    """On a host of neither, both answers say that they could not be had."""
    answers = ways.ask(LocalHost("here"), "127.0.0.255", ["joe@example.com"])
    found = answers["joe@example.com"]
    assert found.ends == () and found.not_routed
    assert found.code == 0 and found.words
