"""Dedicating a source address to a customer's domain, and taking it back.

The order of the acts is what makes it harmless to be killed between any two of them. Assigning:

1. the directory. It claims domain, address and inner addresses, by the database's own constraints, so of
   two administrators one wins before anything else is touched. What is claimed and not done yet shows as
   "not published", and assigning again completes it.
2. the DNS, so that no receiver sees mail from an address that is not published.
3. the gateway, so that nothing leaves from an inner address that is not translated.
4. deferred hosts and the mail host, which have to know the relays' new addresses before they come from there.
5. the relays, which are the first to use what is there by then.

Releasing goes the other way round, and the directory's row is the last to go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from itertools import islice
from typing import TYPE_CHECKING

from eymail.cluster.complete import complete
from eymail.config import Cluster, Role
from eymail.directory import rows
from eymail.errors import Refused
from eymail.hosts import neighbours
from eymail.model import parse_domain
from eymail.ops import inventory
from eymail.ops.inventory import Assigned
from eymail.ops.source import check, dns, files
from eymail.ops.source.dns import Published
from eymail.ops.source.spf import customer_verdict
from eymail.plan import Plan

if TYPE_CHECKING:
    from eymail.env import Env
    from eymail.hosts import Host
    from eymail.plan import Step

_SPARE = 8
_TTL_NOTE = "receivers may know the cluster's old SPF record for as long as its TTL says"


@dataclass(frozen=True)
class _Situation:
    """What is so now: the cluster as eymail.toml describes it, and what the directory assigns in it."""

    described: Cluster
    assigned: tuple[Assigned, ...]

    def at(self, address: IPv4Address) -> Assigned:
        """What the directory has of an address; empty when it has nothing."""
        return next((one for one in self.assigned if one.address == address), Assigned(address, ()))

    def without(self, domain: str) -> Cluster:
        kept = (
            replace(one, domains=tuple(name for name in one.domains if name != domain))
            for one in self.assigned
        )
        return inventory.extended(self.described, kept)

    def having(self, one: Assigned) -> Cluster:
        others = (other for other in self.assigned if other.address != one.address)
        return inventory.extended(self.described, (*others, one))

    def in_file(self, domain: str) -> bool:
        return any(domain in entry.domains for entry in self.described.dedicated)


def _situation(env: Env) -> _Situation:
    described = inventory.described(env)
    return _Situation(described, inventory.assigned(env, described.name))


def assign(env: Env, domain: str, address: str, inside: Iterable[str] = ()) -> Plan:
    """Let a domain's mail leave by an address of its own.

    ``inside`` gives sending hosts their inner address for it, as HOST=ADDRESS; the others get free ones.
    Planned again, it completes what was begun. Raises InvalidInput, Refused, and what hosts, directory
    and DNS raise that cannot be asked.
    """
    name, wanted, given = parse_domain(domain), check.parse_address(address), tuple(inside)
    now = _situation(env)
    title = f"source assign {name} {wanted}"
    _check(env, now, name, wanted)
    if now.in_file(name):
        return Plan(title, (), (f"eymail.toml dedicates {wanted} to {name}",))
    if lacking := _lacking(now):
        return _claimed_for_new_hosts(env, now, lacking, title)
    there = now.at(wanted)
    chosen, notes = _inside(env, now, there, check.parse_inside(given))
    one = Assigned(wanted, tuple(dict.fromkeys((*there.domains, name))), {**there.inside, **chosen})
    before, after = now.without(name), now.having(one)
    published = dns.publish(env, after, wanted)
    steps = (
        *_claim(now, there, name, chosen),
        *published.steps,
        *files.steps(env, before, after),
    )
    warnings = _customer_warnings(env, after, name, wanted, published.record)
    begun = _begun(env, there, name, steps)
    told = (*begun, *notes, *published.lines, *warnings, *_ttl_notes(published))
    return Plan(title, steps, told, (*_too_early(after, wanted, published), *published.dangers))


def _begun(env: Env, there: Assigned, domain: str, steps: tuple[Step, ...]) -> Iterator[str]:
    """What is left of an assignment that did not come to its end is a change of its own."""
    if domain in there.domains and steps:
        number = env.directory.changes_of("source").get(domain)
        began = f"change {number}" if number else "an earlier change"
        yield f"{began} began this; all of it is taken back by eymail source release {domain}"


def _too_early(cluster: Cluster, address: IPv4Address, published: Published) -> tuple[str, ...]:
    """Mail would come from an address that the cluster's record does not have yet."""
    if not published.record_waits:
        return ()
    return (
        f"{cluster.spf_name} does not have {address} yet, and others publish it: until then SPF gives no pass"
        " to mail that comes from there",
    )


def _lacking(now: _Situation) -> dict[IPv4Address, tuple[str, ...]]:
    """The sending hosts that came into the inventory after an address was assigned, by address."""
    missing = {one.address: check.missing_inside(now.described, one) for one in now.assigned if one.domains}
    return {address: hosts for address, hosts in missing.items() if hosts}


def _claimed_for_new_hosts(
    env: Env, now: _Situation, lacking: dict[IPv4Address, tuple[str, ...]], title: str
) -> Plan:
    """Inner addresses for them come first: without, nothing can be rendered for any host."""
    places = [(address, host) for address, hosts in lacking.items() for host in hosts]
    free = _free(now, len(places))
    around = neighbours.ask(_gateway(env, now), free)
    chosen = check.choose(places, {}, free, around.taken)
    steps = (
        rows.step("source_inside", None, _inside_row(now, address, host, inner))
        for (address, host), inner in chosen.items()
    )
    names = ", ".join(dict.fromkeys(host for _, host in places))
    note = f"{names}: new here; inner addresses are claimed, and the hosts' files have to be rendered again"
    return Plan(title, tuple(steps), (note,))


def _check(env: Env, now: _Situation, domain: str, address: IPv4Address) -> None:
    """Raises Refused when the address or the domain is given away already."""
    complete(now.described)
    check.check_address((env.config.clusters or {}).values(), now.described, address)
    check.check_domain(now.described, now.assigned, domain, address)
    if domain in now.at(address).domains:
        return
    owner = env.directory.get("source_address", address=str(address))
    if owner and owner["cluster"] != now.described.name:
        raise Refused(f"{address} is a source address of cluster {owner['cluster']}", "dedicate another")
    elsewhere = env.directory.get("source", sender_domain=domain)
    if elsewhere:
        told = f"mail from {domain} leaves by {elsewhere['source_address']} already, in another cluster"
        raise Refused(told, "release it there first: eymail source release, with --cluster")


def _inside(
    env: Env, now: _Situation, there: Assigned, given: dict[str, IPv4Address]
) -> tuple[dict[str, IPv4Address], tuple[str, ...]]:
    """Inner addresses for the hosts that need one, and what is to be said of the outer one.

    The gateway, which is in both networks, is asked who else is there.
    """
    cluster = now.described
    missing = check.missing_inside(cluster, there)
    used = check.used_inside(cluster, now.assigned)
    check.check_given(cluster, missing, given, used)
    free = _free(now, len(missing)) if missing else ()
    around = neighbours.ask(_gateway(env, now), (there.address, *given.values(), *free))
    notes = tuple(check.check_outside(around, there.address))
    return check.choose(missing, given, free, around.taken), notes


def _free(now: _Situation, count: int) -> tuple[IPv4Address, ...]:
    """Inner addresses that the inventory has not given out, and some to spare."""
    network, used = now.described.network, check.used_inside(now.described, now.assigned)
    assert network is not None  # a complete cluster has one
    return tuple(islice(check.candidates(network, used), count + _SPARE))


def _gateway(env: Env, now: _Situation) -> Host:
    return env.host_at(now.described.with_role(Role.GATEWAY)[0])


def _claim(now: _Situation, there: Assigned, domain: str, chosen: dict[str, IPv4Address]) -> Iterator[Step]:
    """The directory's rows that are not there yet: the address, from where inside, and for whom."""
    address, cluster = str(there.address), now.described.name
    if there not in now.assigned:
        yield rows.step("source_address", None, {"address": address, "cluster": cluster})
    for host, inner in chosen.items():
        yield rows.step("source_inside", None, _inside_row(now, there.address, host, inner))
    if domain not in there.domains:
        yield rows.step("source", None, {"sender_domain": domain, "source_address": address})


def _inside_row(now: _Situation, address: IPv4Address, host: str, inner: IPv4Address) -> dict[str, str]:
    of_address = {"source_address": str(address), "cluster": now.described.name}
    return {**of_address, "host": host, "inside": str(inner)}


def _customer_warnings(
    env: Env, cluster: Cluster, domain: str, address: IPv4Address, record: str
) -> Iterator[str]:
    """Whether receivers will let the customer's mail pass by the address; a warning where not."""
    verdict = customer_verdict(env, domain, address, cluster.spf_name, record)
    if verdict.result == "pass":
        return
    why = verdict.problem or " > ".join(verdict.path) or "it has no SPF record"
    mend = f"its SPF record should have include:{cluster.spf_name}, or ip4:{address}"
    if verdict.result == "temperror":
        yield f"not checked: whether the SPF record of {domain} covers {address}: {why}"
    else:
        yield f"careful: SPF of {domain} gives {verdict.result} for {address} ({why}); {mend}"


def _ttl_notes(published: Published) -> tuple[str, ...]:
    return (_TTL_NOTE,) if any(step.key.endswith(" TXT") for step in published.steps) else ()


def release(env: Env, domain: str) -> Plan:
    """Let a domain's mail leave by the cluster's own address again.

    The address goes too when it is no other domain's. Raises InvalidInput, Refused when eymail.toml
    dedicates it, and what hosts, directory and DNS raise that cannot be asked.
    """
    name = parse_domain(domain)
    now = _situation(env)
    title = f"source release {name}"
    there = next((one for one in now.assigned if name in one.domains), None)
    if there is None:
        return _nothing_assigned(now, title, name)
    before, after = inventory.extended(now.described, now.assigned), now.without(name)
    published = _withdrawn(env, after, there.address)
    steps = (
        *reversed(files.steps(env, before, after)),
        *published.steps,
        *_unclaim(now, there, name),
    )
    notes = (f"mail from {name} leaves by {after.source_address} then", *published.lines)
    return Plan(title, steps, notes, tuple(_customer_dangers(env, after, name, published.record)))


def _nothing_assigned(now: _Situation, title: str, domain: str) -> Plan:
    if now.in_file(domain):
        where = f"[[clusters.{now.described.name}.dedicated]] in eymail.toml"
        raise Refused(f"{where} dedicates an address to {domain}", "take it out there")
    return Plan(title, (), (f"{domain} has no address of its own in cluster {now.described.name}",))


def _withdrawn(env: Env, after: Cluster, address: IPv4Address) -> Published:
    """Nothing, when the address goes on being one of the cluster's."""
    if any(entry.address == address for entry in after.dedicated):
        return Published()
    return dns.withdraw(env, after, address)


def _unclaim(now: _Situation, there: Assigned, domain: str) -> Iterator[Step]:
    address = str(there.address)
    yield rows.step("source", {"sender_domain": domain, "source_address": address}, None)
    if there.domains == (domain,):
        for host, inner in there.inside.items():
            yield rows.step("source_inside", _inside_row(now, there.address, host, inner), None)
        yield rows.step("source_address", {"address": address, "cluster": now.described.name}, None)


def _customer_dangers(env: Env, cluster: Cluster, domain: str, record: str) -> Iterator[str]:
    """What the customer's own SPF record says of the address that the mail leaves by then."""
    if cluster.source_address is None:
        return
    for warning in _customer_warnings(env, cluster, domain, cluster.source_address, record):
        yield warning.removeprefix("careful: ")
