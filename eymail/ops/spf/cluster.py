"""Which addresses a cluster sends from: as published, as the inventory says, and as the outside sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network

from eymail.dns.spf import flat
from eymail.dns.spf.record import VERSION, Directive, Network, Outcome
from eymail.dns.spf.run import tree
from eymail.dns.spf.space import around
from eymail.dns.spf.tree import Branch, Policy
from eymail.env import Env
from eymail.errors import DnsError, NotFound
from eymail.model import Failure, Result, View
from eymail.ops import inventory, observe
from eymail.ops.observe import Observation
from eymail.ops.spf.check import DEADLINE
from eymail.ops.spf.sources import expected, known_of
from eymail.ops.spf.target import published_name
from eymail.toml_table import nearest


@dataclass(frozen=True)
class SourceAddress:
    """An address, or a network, that mail comes from.

    ``inventory`` is yes, no, partly (of a network), or "not checked" when no inventory describes the
    cluster; ``purpose`` is what the inventory has it for.
    """

    address: str
    published: bool
    inventory: str
    purpose: str


@dataclass(frozen=True)
class SourceAddresses(Result):
    """A cluster's source addresses: published at ``name`` as ``record``, beside the inventory's.

    ``observed`` is what an outside host saw of a message, where one was sent.
    """

    cluster: str
    name: str
    record: str
    addresses: tuple[SourceAddress, ...]
    disagreements: tuple[str, ...]
    not_checked: tuple[str, ...]
    observed: Observation | None = None
    missing: tuple[Failure, ...] = field(default=(), metadata={"json": False})
    check: bool = field(default=False, metadata={"json": False})

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.missing

    @property
    def exit_code(self) -> int:
        if self.missing:
            return 1
        if self.check and self.disagreements:
            return 3
        return 3 if self.observed and self._unpublished(self.observed) else 0

    def _unpublished(self, observed: Observation) -> bool:
        if observed.seen == observe.NOT_CHECKED:
            return False
        seen = ip_address(observed.seen)
        return not any(seen in ip_network(one.address) for one in self.addresses if one.published)

    def view(self) -> View:
        columns = ("address", "published", "in the inventory", "purpose")
        rows = tuple((a.address, a.published, a.inventory, a.purpose) for a in self.addresses)
        plain = tuple((a.address,) for a in self.addresses if a.published)
        notes = (
            *self.disagreements,
            *(f"not checked: {term}" for term in self.not_checked),
            *self._observation(),
        )
        return View(columns, rows, f"{self.name}: {self.record}", notes=notes, plain=plain)

    def _observation(self) -> Iterator[str]:
        if self.observed is None:
            return
        seen = (
            self.observed.seen
            if self.observed.seen == observe.NOT_CHECKED
            else f"{self.observed.seen} was seen"
        )
        wrong = ", which is not published" if self._unpublished(self.observed) else ""
        more = "; ".join(part for part in (self.observed.via, self.observed.detail) if part)
        at = f" at {self.observed.recipient}" if self.observed.recipient else ""
        yield f"observed{at}: {seen}{wrong}{f' ({more})' if more else ''}"


def of_cluster(
    env: Env,
    name: str,
    *,
    deadline: float = DEADLINE,
    observed: bool = False,
    to: str = "",
    check: bool = False,
) -> SourceAddresses:
    """What a cluster's mail comes from, as published and as the inventory says.

    With ``check`` what disagrees is exit code 3. With ``observed`` a message is sent through it, to the
    address ``to``, and what the outside saw is told.
    Raises NotFound when nothing is published; the hint is then the record to publish.
    """
    where = published_name(env.config, name)
    described = (env.config.clusters or {}).get(name)
    cluster, failure = known_of(env, described) if described else (None, None)
    wanted = dict(expected(cluster)) if cluster else {}
    policy = _published(env, where, _to_publish(env, name, where, wanted), deadline)
    rows = tuple(_rows(policy, None if cluster is None else wanted))
    wrong = (*_faults(policy), *_disagreements(rows, wanted))
    others = tuple(branch.term.text for branch in policy.branches if _networks(branch) is None)
    found = SourceAddresses(name, where, policy.records[0].text, rows, wrong, others)
    seen = observe.source(env, inventory.cluster(env, name), to=to) if observed else None
    return replace(found, observed=seen, missing=(failure,) if failure else (), check=check)


def _to_publish(env: Env, name: str, where: str, wanted: Mapping[str, str]) -> str:
    """What to do where nothing is published."""
    line = f'publish: {where}. TXT "{_record(wanted or {"ADDRESS": ""})}"'
    if wanted:
        return line
    known = env.config.clusters or {}
    meant = f"{nearest(name, known)} " if known and name not in known else ""
    return f"{meant}if the cluster's name is right, with the address it sends from: {line}"


def _published(env: Env, where: str, hint: str, deadline: float) -> Policy:
    policy = tree(env.asker, where, deadline, {})
    if not policy.checked:
        raise DnsError(f"the record at {where} was not found out: {policy.problem}", "try another: --server")
    if policy.problem == "does not exist":
        raise NotFound(f"{where} does not exist in the DNS", hint)
    if not policy.records:
        raise NotFound(f"{where} has no SPF record", hint)
    if len(policy.records) > 1:
        message = f"{where} has {len(policy.records)} SPF records, which counts as an error"
        raise DnsError(message, "leave one")
    return policy


def _record(wanted: Mapping[str, str]) -> str:
    return " ".join((VERSION, *(f"ip4:{address}" for address in wanted), "~all"))


def _networks(branch: Branch) -> tuple[Network, ...] | None:
    """The networks that a term lets pass; None when they are not known."""
    term = branch.term
    if not isinstance(term, Directive):
        return () if term.name != "redirect" else None
    if term.outcome is not Outcome.PASS or not branch.reached:
        return ()
    if not branch.checked or branch.depends or term.name in ("all", "exists"):
        return () if term.name == "all" else None
    if term.network is not None:
        return (term.network,)
    if term.name == "include":
        return _included(branch)
    return tuple(around(address, term.prefixes[":" in address]) for address in branch.addresses)


def _included(branch: Branch) -> tuple[Network, ...] | None:
    if branch.policy is None or not branch.policy.sound:
        return None
    there = flat.flatten(branch.policy)
    return None if there.open_end else tuple(there.passing().networks())


def _rows(policy: Policy, wanted: Mapping[str, str] | None) -> Iterator[SourceAddress]:
    """The published networks in the record's order, then what the inventory has beside them."""
    found = [network for branch in policy.branches for network in _networks(branch) or ()]
    networks = tuple(dict.fromkeys(found))
    for network in networks:
        yield _published_row(network, wanted)
    for address, purpose in (wanted or {}).items():
        if not any(ip_address(address) in network for network in networks):
            yield SourceAddress(address, False, "yes", purpose)


def _published_row(network: Network, wanted: Mapping[str, str] | None) -> SourceAddress:
    shown = _short(network)
    if wanted is None:
        return SourceAddress(shown, True, "not checked", "")
    inside = {address: purpose for address, purpose in wanted.items() if ip_address(address) in network}
    told = "no" if not inside else "yes" if network.num_addresses == 1 else "partly"
    return SourceAddress(shown, True, told, "; ".join(inside.values()))


def _short(network: Network) -> str:
    """A network of one address as that address."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _faults(policy: Policy) -> Iterator[str]:
    for fault in policy.records[0].faults:
        yield f"{fault.text} is no SPF term ({fault.why}), so receivers count the whole record as an error"


def _disagreements(rows: Sequence[SourceAddress], wanted: Mapping[str, str]) -> Iterator[str]:
    for row in rows:
        if not row.published:
            yield f"{row.address} ({row.purpose}) is in the inventory and not published"
        elif row.inventory == "no":
            yield f"{row.address} is published and not in the inventory"
        elif row.inventory == "partly":
            yield f"{row.address} is published, of which the inventory has {_within(row.address, wanted)}"


def _within(network: str, wanted: Mapping[str, str]) -> str:
    return ", ".join(address for address in wanted if ip_address(address) in ip_network(network))
