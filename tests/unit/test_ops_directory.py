"""Operations on the directory: what they plan, what they say, and that planning again finds nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eymail.directory import passwords
from eymail.env import Env
from eymail.errors import EymailError, InvalidInput, NotFound, Refused
from eymail.model import Address
from eymail.ops import alias, catchall, change, history, mailbox, route
from eymail.ops import domain as domains
from eymail.plan import Outcome, Plan, Step
from tests.unit.directories import applied, environment, sql, world


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_COST", 4)


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    with environment(tmp_path) as made:
        yield made


def told(steps: tuple[Step, ...]) -> list[str]:
    return [f"{step.action} {step.place} {step.key}" for step in steps]


def do(env: Env, make: Callable[[], Plan]) -> Outcome:
    """Apply a plan; the same plan made again is empty."""
    outcome = applied(env, make())
    assert make().steps == ()
    return outcome


def test_a_catchall_makes_what_it_needs_and_says_so(env: Env) -> None:
    outcome = do(env, lambda: catchall.add(env, "example.com"))
    made = ["add domain example.com", "add mailbox catchall@example.com", "add catchall example.com"]
    assert told(outcome.done) == made
    assert any("example.com was not known here" in note for note in outcome.notes)
    assert any("mailbox catchall@example.com was not there" in note for note in outcome.notes)
    assert [secret.label for secret in outcome.secrets] == ["password of catchall@example.com"]
    assert do(env, lambda: catchall.add(env, "EXAMPLE.com.")).id is None


def test_a_catchall_of_subdomains_speaks_of_the_dns(env: Env) -> None:
    outcome = do(env, lambda: catchall.add(env, "example.com", subdomains=True))
    assert told(outcome.done)[-1] == "add catchall *.example.com"
    said = " ".join(outcome.notes)
    assert "*.example.com MX" in said
    assert "(not checked)" in said
    assert "records of its own" in said
    assert catchall.list_(env).catchalls == (catchall.Catchall("example.com", True, "catchall@example.com"),)


def test_a_catchall_to_another_mailbox_is_a_change(env: Env) -> None:
    do(env, lambda: catchall.add(env, "example.com"))
    do(env, lambda: mailbox.add(env, "in@example.org"))
    outcome = do(env, lambda: catchall.add(env, "example.com", "in@example.org"))
    assert told(outcome.done) == ["change catchall example.com"]
    assert "until now it led to catchall@example.com" in outcome.notes
    assert outcome.secrets == ()


def test_a_catchall_to_a_mailbox_that_is_not_there(env: Env) -> None:
    with pytest.raises(NotFound) as error:
        catchall.add(env, "example.com", "nobody@example.com")
    assert error.value.hint == "make it first: eymail mailbox add nobody@example.com"
    with pytest.raises(InvalidInput, match=r"is not a mailbox of example.com"):
        catchall.add(env, "example.com", "in@example.org", subdomains=True)


def test_removing_a_catchall_leaves_its_mailbox(env: Env) -> None:
    do(env, lambda: catchall.add(env, "example.com"))
    outcome = do(env, lambda: catchall.remove(env, "example.com"))
    assert told(outcome.done) == ["remove catchall example.com"]
    assert mailbox.show(env, "catchall@example.com").catchalls == ()


def test_what_goes_with_a_domain_is_shown_and_is_a_danger(env: Env) -> None:
    do(env, lambda: catchall.add(env, "example.com"))
    do(env, lambda: alias.add(env, "a@example.com", ("b@elsewhere.org",)))
    do(env, lambda: alias.add(env, "x@example.net", ("a@example.com",)))
    plan = domains.remove(env, "example.com")
    assert plan.dangers == (
        "with example.com goes 1 catchall",
        "with example.com goes 1 alias",
        "with example.com goes 1 mailbox",
        "alias x@example.net will lead outside, to a@example.com",
    )
    do(env, lambda: domains.remove(env, "example.com"))
    assert [one.name for one in domains.list_(env).domains] == ["example.net"]


def test_several_domains_come_and_go_in_one_change(env: Env) -> None:
    names = ("a.example", "B.example.", "b.example", "bücher.example")
    outcome = do(env, lambda: domains.add(env, *names))
    assert [step.key for step in outcome.done] == ["a.example", "b.example", "xn--bcher-kva.example"]
    do(env, lambda: mailbox.add(env, "in@a.example"))
    do(env, lambda: catchall.add(env, "b.example", "in@a.example"))
    do(env, lambda: alias.add(env, "x@b.example", ("in@a.example",)))
    do(env, lambda: alias.add(env, "x@c.example", ("in@a.example",)))
    plan = domains.remove(env, *names, "no.example")
    assert plan.dangers == (
        "with a.example goes 1 catchall",
        "with a.example goes 1 mailbox",
        "alias x@c.example will lead outside, to in@a.example",
        "with b.example goes 1 catchall",
        "with b.example goes 1 alias",
    )
    outcome = do(env, lambda: domains.remove(env, *names))
    assert [one.name for one in domains.list_(env).domains] == ["c.example"]
    assert outcome.id is not None
    applied(env, change.undo(env, outcome.id))
    assert route.route(env, "any@b.example").kind == "catchall"


def test_a_domain_with_nothing_in_it_is_no_danger(env: Env) -> None:
    do(env, lambda: domains.add(env, "example.com"))
    assert domains.remove(env, "example.com").dangers == ()


def test_what_goes_with_a_mailbox_is_shown_and_is_a_danger(env: Env) -> None:
    do(env, lambda: catchall.add(env, "example.com"))
    do(env, lambda: catchall.add(env, "example.com", subdomains=True))
    do(env, lambda: alias.add(env, "a@example.com", ("catchall@example.com",)))
    do(env, lambda: alias.add(env, "b@example.com", ("a@example.com", "c@elsewhere.org")))
    plan = mailbox.remove(env, "catchall@example.com")
    assert told(plan.steps) == [
        "remove catchall example.com",
        "remove catchall *.example.com",
        "remove alias a@example.com to catchall@example.com",
        "remove alias b@example.com to a@example.com",
        "remove mailbox catchall@example.com",
    ]
    assert len(plan.dangers) == 4
    do(env, lambda: mailbox.remove(env, "catchall@example.com"))
    assert alias.list_(env).aliases == (alias.Alias("b@example.com", ("c@elsewhere.org",)),)


def test_a_mailbox_that_is_there_keeps_its_password(env: Env) -> None:
    do(env, lambda: mailbox.add(env, "joe@example.com", "first password"))
    assert mailbox.add(env, "joe@example.com").steps == ()
    assert mailbox.add(env, "joe@example.com", "first password").steps == ()
    with pytest.raises(Refused, match="with another password"):
        mailbox.add(env, "joe@example.com", "second password")


def test_an_address_is_a_mailbox_or_an_alias(env: Env) -> None:
    do(env, lambda: mailbox.add(env, "joe@example.com"))
    do(env, lambda: alias.add(env, "a@example.com", ("joe@example.com",)))
    with pytest.raises(Refused, match="is a mailbox"):
        alias.add(env, "joe@example.com", ("x@y.org",))
    with pytest.raises(Refused, match=r"is an alias, to joe@example.com"):
        mailbox.add(env, "a@example.com")
    do(env, lambda: alias.add(env, "catchall@example.com", ("joe@example.com",)))
    with pytest.raises(Refused, match="is an alias"):
        catchall.add(env, "example.com")


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_loop_of_any_length_is_refused(env: Env, length: int) -> None:
    names = [f"a{number}@example.com" for number in range(length)]
    for one, next_one in pairwise(names):
        do(env, partial(alias.add, env, one, (next_one,)))
    with pytest.raises(Refused, match=" to ".join((names[-1], *names))):
        alias.add(env, names[-1], ("ok@y.org", names[0]))


def test_an_alias_gains_and_loses_targets(env: Env) -> None:
    do(env, lambda: alias.add(env, "a@example.com", ("x@y.org", "z@y.org", "x@Y.org")))
    do(env, lambda: alias.add(env, "a@example.com", ("x@y.org", "w@y.org")))
    assert alias.list_(env).aliases == (alias.Alias("a@example.com", ("w@y.org", "x@y.org", "z@y.org")),)
    do(env, lambda: alias.remove(env, "a@example.com", ("z@y.org",)))
    outcome = do(env, lambda: alias.remove(env, "a@example.com"))
    assert len(outcome.done) == 2
    assert alias.list_(env).aliases == ()


def test_an_alias_to_nobody_is_said(env: Env) -> None:
    do(env, lambda: domains.add(env, "example.com"))
    plan = alias.add(env, "a@example.com", ("nobody@example.com", "b@elsewhere.org"))
    assert plan.notes == ("careful: nobody@example.com is taken by nothing here yet",)


def test_removing_what_is_not_there_is_nothing_to_do(env: Env) -> None:
    for plan in (
        domains.remove(env, "example.com"),
        mailbox.remove(env, "a@example.com"),
        alias.remove(env, "a@example.com"),
        catchall.remove(env, "example.com"),
    ):
        assert plan.steps == ()
        assert plan.notes
        assert applied(env, plan).id is None
    assert not env.directory.exists


def test_a_list_of_a_directory_that_is_not_there_says_so(env: Env) -> None:
    for result in (domains.list_(env), mailbox.list_(env), alias.list_(env), catchall.list_(env)):
        assert result.view().rows == ()
        assert result.view().notes == (domains.NO_DIRECTORY,)
    assert history.history(env, 5).view().notes == (domains.NO_DIRECTORY,)
    with pytest.raises(NotFound):
        domains.show(env, "example.com")
    with pytest.raises(NotFound):
        mailbox.show(env, "a@example.com")


def ends(found: route.Route) -> list[tuple[str, str]]:
    return [(one.address, one.kind) for one in found.destinations]


def test_route_follows_the_mail_hosts_rules_in_their_order(env: Env, tmp_path: Path) -> None:
    for name in ("example.com", "b.example.com"):
        do(env, partial(catchall.add, env, name, subdomains=True))
    do(env, lambda: mailbox.add(env, "joe@example.com"))
    do(env, lambda: alias.add(env, "team@example.com", ("joe@example.com", "ann@elsewhere.org")))
    do(env, lambda: alias.add(env, "all@example.com", ("team@example.com", "joe@example.com")))
    joe = ("joe@example.com", "mailbox")
    for address, kind, expected in (
        ("JOE@example.com", "mailbox", [joe]),
        ("team@example.com", "alias", [("ann@elsewhere.org", "not ours"), joe]),
        ("all@example.com", "alias", [joe, ("ann@elsewhere.org", "not ours")]),
        ("x@example.com", "refused", [("x@example.com", "refused")]),
        ("x@foo.example.com", "subdomain catchall", [("catchall@example.com", "mailbox")]),
        ("x@a.b.example.com", "subdomain catchall", [("catchall@b.example.com", "mailbox")]),
        ("x@b.example.com", "subdomain catchall", [("catchall@example.com", "mailbox")]),
        ("x@notexample.com", "not ours", [("x@notexample.com", "not ours")]),
    ):
        found = route.route(env, address)
        assert (found.kind, sorted(ends(found)), found.verified) == (kind, sorted(expected), "not checked")
    do(env, lambda: catchall.add(env, "example.com"))
    assert route.route(env, "x@example.com").kind == "catchall"
    assert route.route(env, "joe@example.com").kind == "mailbox"
    sql(tmp_path / "d" / "directory.db", "UPDATE mailboxes SET enabled = 0 WHERE address = 'joe@example.com'")
    found = route.route(env, "joe@example.com")
    assert (found.kind, found.rule) == ("catchall", "its mailbox is disabled; catchall of example.com")


def test_route_of_a_catchall_whose_mailbox_is_disabled_ends(env: Env, tmp_path: Path) -> None:
    do(env, lambda: catchall.add(env, "example.com"))
    sql(tmp_path / "d" / "directory.db", "UPDATE mailboxes SET enabled = 0")
    assert ends(route.route(env, "x@example.com")) == [("catchall@example.com", "refused")]


DOMAINS = st.sampled_from(["example.com", "b.example.com", "example.org"])
LOCALS = st.sampled_from(["a", "b", "catchall", "o'brien", "x+y", "{}", "$a", "%u", "`id`", "a.b"])
ADDRESSES = st.builds(lambda local, domain: f"{local}@{domain}", LOCALS, DOMAINS)
CHANGES = st.one_of(
    st.tuples(st.just(domains.add), DOMAINS),
    st.tuples(st.just(domains.remove), DOMAINS),
    st.tuples(st.just(mailbox.add), ADDRESSES),
    st.tuples(st.just(mailbox.remove), ADDRESSES),
    st.tuples(st.just(alias.add), ADDRESSES, st.lists(ADDRESSES, min_size=1, max_size=3).map(tuple)),
    st.tuples(st.just(alias.remove), ADDRESSES),
    st.tuples(st.just(catchall.add), DOMAINS, st.none() | ADDRESSES),
    st.tuples(st.just(catchall.remove), DOMAINS),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(CHANGES, min_size=1, max_size=12))
def test_any_changes_replan_to_nothing_and_undo_to_the_beginning(
    changes: list[tuple[Callable[..., Plan], object]],
) -> None:
    with tempfile.TemporaryDirectory() as folder, environment(Path(folder)) as env:
        worlds = [world(env.directory)]
        ids: list[int] = []
        for operation, *arguments in changes:
            try:
                outcome = applied(env, operation(env, *arguments))
            except (Refused, NotFound, InvalidInput):
                continue
            assert operation(env, *arguments).steps == ()
            if outcome.id is not None:
                ids.append(outcome.id)
                worlds.append(world(env.directory))
        for local in ("a", "nobody"):
            route.route(env, f"{local}@b.example.com")
        for id, before in zip(reversed(ids), reversed(worlds[:-1]), strict=True):
            applied(env, change.undo(env, id))
            assert world(env.directory) == before


@settings(deadline=None)
@given(st.text())
def test_any_text_is_an_address_or_invalid_input(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, environment(Path(folder)) as env:
        for operation in (mailbox.add, alias.remove, catchall.add, domains.add, domains.show, route.route):
            try:
                operation(env, text)
            except EymailError as error:
                assert isinstance(error, InvalidInput | NotFound | Refused)
        assert not env.directory.exists


@pytest.mark.parametrize(
    "local", ["*", "a*b", "-a", "-", "$home", "${run{id}}", "a`id`b", "|cat", "#a", "a$"]
)
def test_names_that_programs_stumble_over_are_refused_and_no_more_than_names(env: Env, local: str) -> None:
    address = f"{local}@example.com"
    for make in (
        partial(mailbox.add, env, address),
        partial(alias.add, env, address, ("x@y.org",)),
        partial(alias.add, env, "x@y.org", (address,)),
    ):
        with pytest.raises(InvalidInput, match="cannot name a mailbox or an alias"):
            make()
    do(env, partial(catchall.add, env, "example.com"))
    assert route.route(env, address).kind == "catchall"
    assert mailbox.remove(env, address).steps == alias.remove(env, address).steps == ()


@pytest.mark.parametrize("name", ["192.0.2.1", "1.2", "a.1", "192.0.2.1."])
def test_an_ip_address_is_no_domain(env: Env, name: str) -> None:
    for make in (partial(domains.add, env, name), partial(mailbox.add, env, f"a@{name}")):
        with pytest.raises(InvalidInput) as error:
            make()
        assert "more like an IP address" in error.value.hint


def test_hostile_addresses_are_kept_as_they_are(env: Env) -> None:
    for local in ("o'brien", "%u", "'--", "{sqlite}", "a=b"):
        address = f"{local}@example.com"
        do(env, partial(mailbox.add, env, address))
        assert mailbox.show(env, address).mailbox.address == str(Address.parse(address))
        assert route.route(env, address).kind == "mailbox"
