"""``eymail mx show``: what the servers' answers come to, whose MX they are, what could not be asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from eymail import providers
from eymail.dns.answers import Mx, MxAnswer, NoAnswer, Why, Zone
from eymail.dns.authority import AtServer, mx_everywhere
from eymail.dns.lookup import Resolver
from eymail.dns.side_by_side import MOST
from eymail.env import Env
from eymail.errors import DnsError, NotFound
from eymail.ops import mx
from tests.unit.dns_peer import Peer, Script, peer, rrset, zone

INVENTORY = """
[clusters.ey04.hosts]
mail1 = { role = "mail", address = "10.0.0.14", public = "198.51.100.14" }
[clusters.ey05]
"""


@pytest.fixture
def server() -> Iterator[Peer]:
    with peer(zone()) as started:
        yield started


@pytest.fixture
def env(server: Peer, tmp_path: Path) -> Env:
    file = tmp_path / "eymail.toml"
    file.write_text(INVENTORY)
    return Env(str(file), servers=(server.address,))


def at(server: str, *records: tuple[int, str], ttl: int = 300) -> AtServer:
    answer = MxAnswer("a.example", ttl, tuple(Mx(*record) for record in records)) if records else None
    return AtServer(server, f"192.0.2.{server[2]}", answer)


def failing(server: str, error: NotFound | DnsError, address: str = "192.0.2.9") -> AtServer:
    return AtServer(server, address, error)


def judged(env: Env, *asked: AtServer) -> mx.DomainMx:
    return mx.judge(env, "a.example", "a.example", "a.example", asked)


@pytest.mark.parametrize(
    ("targets", "name", "cluster"),
    [
        (["mx1.emailsrvr.com", "mx2.emailsrvr.com"], "mailtrust", ""),
        (["mx.ey04.engineyard.com"], "cluster", "ey04"),
        (["mx.ey77.engineyard.com"], "cluster", "ey77"),
        (["smtp.google.com"], "google", ""),
        (["aspmx.l.google.com", "alt1.aspmx.l.google.com"], "google", ""),
        (["a-example.mail.protection.outlook.com"], "microsoft", ""),
        (["notaspmx.l.google.com"], "other", ""),
        (["mx1.emailsrvr.com.example"], "other", ""),
        (["xmx.ey04.engineyard.com"], "other", ""),
        (["mx1.emailsrvr.com", "mx.ey04.engineyard.com"], "several", ""),
        (["mx.ey04.engineyard.com", "mx.ey05.engineyard.com"], "several", ""),
        (["mx1.emailsrvr.com", "mx.example"], "several", ""),
        ([""], "null", ""),
        ([], "none", ""),
    ],
)
def test_whose_mx_they_are(targets: list[str], name: str, cluster: str) -> None:
    clusters = [providers.of_cluster("ey04", "ey04.engineyard.com")]
    provider = providers.provider_of(targets, clusters)
    assert (provider.name, provider.cluster) == (name, cluster)


def test_an_mx_under_another_name_that_leads_to_the_clusters_mail_host(env: Env, server: Peer) -> None:
    server.script = zone(rrset("mail.a.example", "A", "198.51.100.14"))
    result = judged(env, at("ns1", (10, "mail.a.example")))
    assert (result.provider.name, result.provider.cluster) == ("cluster", "ey04")
    assert result.servers[0].provider == result.provider


def test_all_servers_agree(env: Env) -> None:
    records = (10, "mx1.emailsrvr.com"), (20, "mx2.emailsrvr.com")
    result = judged(env, at("ns1", *records), at("ns2", *records, ttl=60))
    assert result.agree and result.remarks == () and result.failures == () and result.exit_code == 0
    assert result.view().rows == (
        ("ns1", "192.0.2.1", "ok", 10, "mx1.emailsrvr.com", 300, "mailtrust (Rackspace Email)", ""),
        ("ns1", "192.0.2.1", "ok", 20, "mx2.emailsrvr.com", 300, "mailtrust (Rackspace Email)", ""),
        ("ns2", "192.0.2.2", "ok", 10, "mx1.emailsrvr.com", 60, "mailtrust (Rackspace Email)", ""),
        ("ns2", "192.0.2.2", "ok", 20, "mx2.emailsrvr.com", 60, "mailtrust (Rackspace Email)", ""),
    )


@pytest.mark.parametrize(
    "other",
    [
        at("ns2", (10, "mx.ey04.engineyard.com")),
        at("ns2", (20, "mx1.emailsrvr.com")),
        at("ns2"),
        failing("ns2", NotFound("no such domain")),
    ],
    ids=["another target", "another preference", "no MX", "no such domain"],
)
def test_servers_that_do_not_agree(env: Env, other: AtServer) -> None:
    result = judged(env, at("ns1", (10, "mx1.emailsrvr.com")), other)
    assert not result.agree
    assert "the servers do not agree" in result.remarks[0]


def test_no_mx_and_no_such_domain_are_not_the_same(env: Env) -> None:
    result = judged(env, at("ns1"), failing("ns2", NotFound("no such domain")))
    assert not result.agree
    assert [server.exists for server in result.servers] == [True, False]


def test_a_server_that_could_not_be_asked_makes_it_partial(env: Env) -> None:
    error = NoAnswer(
        Why.TIMEOUT, "name server 192.0.2.9 did not answer in time: MX of a.example", "is it up?"
    )
    result = judged(env, at("ns1", (10, "mx1.emailsrvr.com")), failing("ns2", error))
    assert result.agree and result.provider is providers.MAILTRUST
    assert result.exit_code == 1
    assert [failure.message for failure in result.failures] == [error.message]
    assert result.view().rows[1] == ("ns2", "192.0.2.9", "not checked", None, None, None, "", error.message)


def test_an_address_out_of_reach_is_no_failure_when_its_server_was_asked_at_another(env: Env) -> None:
    no_route = NoAnswer(Why.NO_ROUTE, "name server 2001:db8::1 cannot be reached", "no way")
    asked = at("ns1", (10, "mx1.emailsrvr.com"))
    result = judged(env, asked, failing("ns1", no_route, "2001:db8::1"))
    assert result.exit_code == 0
    assert result.servers[1].status == "not checked"
    assert judged(env, asked, failing("ns2", no_route, "2001:db8::1")).exit_code == 1


def test_none_could_be_asked(env: Env) -> None:
    error = DnsError("name server 192.0.2.9 answered REFUSED")
    with pytest.raises(DnsError, match="no authoritative server of a") as caught:
        judged(env, failing("ns1", error), failing("ns2", error, "192.0.2.8"))
    assert caught.value.hint == "name server 192.0.2.9 answered REFUSED"


def test_null_mx(env: Env) -> None:
    result = judged(env, at("ns1", (0, "")))
    assert result.provider is providers.NULL
    assert result.remarks == ("null MX: the domain wants no mail (RFC 7505)",)
    assert result.view().rows[0][3:5] == (0, ".")
    both = judged(env, at("ns1", (0, ""), (10, "mx1.emailsrvr.com")))
    assert any("must stand alone" in remark for remark in both.remarks)


def test_implicit_mx_is_the_domains_own_address(env: Env, server: Peer) -> None:
    server.script = zone(rrset("a.example", "A", "198.51.100.14"))
    result = judged(env, at("ns1"))
    assert result.implicit == ("198.51.100.14",)
    assert (result.provider.name, result.provider.cluster) == ("cluster", "ey04")
    assert "mail goes to the domain's own address, 198.51.100.14" in result.remarks[0]


def test_no_mx_and_no_address(env: Env, server: Peer) -> None:
    server.script = zone(rrset("a.example", "TXT", '"x"'))
    result = judged(env, at("ns1"))
    assert result.provider is providers.NONE
    assert result.remarks == ("no MX and no address: the domain receives no mail",)


def test_an_alias_is_told(env: Env) -> None:
    result = mx.judge(env, "www.example", "a.example", "a.example", [at("ns1", (10, "mx1.emailsrvr.com"))])
    assert result.remarks == ("www.example is an alias of a.example, whose MX these are",)


def test_where_the_targets_lead_could_not_be_asked(env: Env, server: Peer) -> None:
    server.script = lambda question: [question.answer(code="SERVFAIL")]
    result = judged(env, at("ns1", (10, "mail.a.example")))
    assert result.provider is providers.OTHER
    assert "SERVFAIL" in result.failures[0].message


def serve_zone(script: Script, *ips: str) -> tuple[ExitStack, int]:
    """The same zone at several addresses on one port, as authoritative servers have it."""
    stack = ExitStack()
    first = stack.enter_context(peer(script, ips[0]))
    for ip in ips[1:]:
        stack.enter_context(peer(script, ip, first.port))
    return stack, first.port


def test_every_address_of_every_server_is_asked(server: Peer) -> None:
    """ns1 has two addresses, ns2 a dead one, ns3 none, ns4 does not exist, ns5 cannot be looked up."""
    names = zone(
        rrset("ns1.example", "A", "127.0.0.2", "127.0.0.3"),
        rrset("ns2.example", "A", "127.0.0.4"),
        rrset("ns3.example", "TXT", '"x"'),
    )
    server.script = lambda question: (
        [question.answer(code="SERVFAIL")] if question.name == "ns5.example" else names(question)
    )
    servers = tuple(f"ns{number}.example" for number in range(1, 6))
    stack, port = serve_zone(zone(rrset("a.example", "MX", "10 b.example.")), "127.0.0.2", "127.0.0.3")
    with stack:
        found = mx_everywhere(Resolver([server.address], 1), "a.example", Zone("a.example", servers), port)
    answered = [(one.server, one.address) for one in found if isinstance(one.found, MxAnswer)]
    assert answered == [("ns1.example", "127.0.0.2"), ("ns1.example", "127.0.0.3")]
    others = {one.server: str(one.found) for one in found if isinstance(one.found, DnsError)}
    assert "cannot be reached" in others["ns2.example"]
    assert (
        others["ns3.example"]
        == others["ns4.example"].replace("ns4", "ns3")
        == "name server ns3.example has no address"
    )
    assert "SERVFAIL" in others["ns5.example"]


def test_a_zone_with_a_thousand_servers_is_not_asked_a_thousand_times(server: Peer) -> None:
    server.script = zone(rrset("ns1.example", "A", *(f"127.0.1.{number}" for number in range(1, 101))))
    zone_of = Zone("a.example", ("ns1.example",))
    found = mx_everywhere(Resolver([server.address], 1), "a.example", zone_of, 9)
    assert len(found) == 100
    assert sum("not asked" in str(one.found) for one in found) == 100 - MOST


@pytest.mark.parametrize(
    ("domain", "code", "sentence"),
    [
        ("nosuch.invalid", 1, "nosuch.invalid does not exist in the DNS"),
        ("bad domain", 2, "'bad domain' is not a domain name"),
        ("\x1b[31m.example", 2, "is not a domain name"),
        ("nozone.example", 1, "no name servers were found for nozone.example"),
    ],
)
def test_bad_domains(server: Peer, domain: str, code: int, sentence: str) -> None:
    server.script = zone(rrset("nozone.example", "TXT", '"x"'))
    env = {name: value for name, value in os.environ.items() if name != "EYMAIL_CONFIG"}
    env["XDG_CONFIG_HOME"] = "/nonexistent"
    argv = [sys.executable, "-m", "eymail", "mx", "show", domain, "--server", server.address]
    told = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=60)
    assert (told.returncode, told.stdout) == (code, "")
    assert sentence in told.stderr and "\x1b" not in told.stderr
    told = subprocess.run([*argv, "--json"], capture_output=True, text=True, env=env, timeout=60)
    envelope = json.loads(told.stdout)
    assert (envelope["command"], envelope["status"]) == ("mx show", "error")
    assert sentence in envelope["errors"][0]["message"]
