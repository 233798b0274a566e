"""What is wrong with a domain's SPF, all of it in one go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Network
from itertools import chain

from eymail.dns.spf.check import MOST_HOSTS, MOST_LOOKUPS, MOST_VOIDS
from eymail.dns.spf.flat import LONGEST_RECORD
from eymail.dns.spf.record import MECHANISMS, VERSION, Directive, Modifier, Network, Outcome, Record
from eymail.dns.spf.tree import Branch, Policy

ERROR, WARNING = "error", "warning"
_LARGEST_PACKET = 512
_WIDEST = {4: 8, 6: 19}
"""The shortest prefixes that one operator could have."""


@dataclass(frozen=True)
class Finding:
    """Something wrong at a name: an ``error`` voids the policy, a ``warning`` may surprise.

    ``term`` is empty where the record as a whole is meant; ``mend`` says what to do.
    """

    level: str
    name: str
    term: str
    problem: str
    mend: str


@dataclass(frozen=True)
class Use:
    """What an evaluation in which nothing matches would use of its limits.

    ``voids`` are those for clients of IPv4 and of IPv6; ``beyond`` the terms past the tenth look-up.
    """

    lookups: int
    voids: tuple[int, int]
    beyond: tuple[tuple[str, str], ...]


def use(policy: Policy) -> Use:
    """Look-ups and void answers of the whole tree (RFC 7208 section 4.6.4)."""
    asking = [(there.name, branch) for there, branch in policy.reached() if branch.asks]
    voids = [sum(branch.voids[family] for _, branch in asking) for family in (0, 1)]
    beyond = tuple((name, branch.term.text) for name, branch in asking[MOST_LOOKUPS:])
    return Use(len(asking), (voids[0], voids[1]), beyond)


def findings(policy: Policy) -> tuple[Finding, ...]:
    """Every fault of the tree, those of the domain's own record first."""
    limits = _limits(policy)
    return tuple(dict.fromkeys(chain(limits, *(_of_policy(one) for one in policy.policies()))))


def _limits(policy: Policy) -> Iterator[Finding]:
    used = use(policy)
    if used.beyond:
        culprits = ", ".join(f"{text} in {name}" for name, text in used.beyond)
        problem = f"{used.lookups} look-ups, and {MOST_LOOKUPS} are allowed; too many: {culprits}"
        yield Finding(ERROR, policy.name, "", problem, "flatten it (--flatten), or leave terms out")
    for family, count in zip(("IPv4", "IPv6"), used.voids, strict=True):
        if count > MOST_VOIDS:
            void = ", ".join(
                f"{branch.term.text} in {there.name}"
                for there, branch in policy.reached()
                if branch.voids[family == "IPv6"]
            )
            problem = f"{count} void answers for clients of {family}, and {MOST_VOIDS} are allowed: {void}"
            level = ERROR if family == "IPv4" else WARNING
            yield Finding(level, policy.name, "", problem, "leave out what names nothing")


def _of_policy(policy: Policy) -> Iterator[Finding]:
    if len(policy.records) > 1:
        mend = "leave one; the record to publish has the terms of all"
        yield Finding(ERROR, policy.name, "", f"{len(policy.records)} SPF records", mend)
    if policy.records and policy.owner:
        problem = f"is an alias of {policy.owner}: its record is decided there"
        yield Finding(WARNING, policy.name, "", problem, "see that whoever runs that name means it so")
    if policy.records and policy.size > _LARGEST_PACKET:
        problem = (
            f"the answer has {policy.size} bytes, more than {_LARGEST_PACKET}: without EDNS it takes TCP"
        )
        yield Finding(WARNING, policy.name, "", problem, "publish less TXT at this name, or split the record")
    for record in policy.records:
        yield from _of_record(policy.name, record)
    for branch in policy.branches:
        yield from _of_branch(policy.name, branch)


def _of_record(name: str, record: Record) -> Iterator[Finding]:
    for fault in record.faults:
        mend = "write it right or leave it out: as it is, the whole record is an error"
        yield Finding(ERROR, name, fault.text, fault.why, mend)
    if len(record.text) > LONGEST_RECORD:
        problem = f"the record has {len(record.text)} bytes, more than {LONGEST_RECORD}"
        yield Finding(WARNING, name, "", problem, "split it: include _spf1.…, _spf2.…")
    if any(word != word.lower() for word in _words(record)):
        problem = "capitals in the record's own words: legal, and some receivers trip over them"
        yield Finding(WARNING, name, "", problem, "write it in small letters")
    yield from _of_end(name, record)
    yield from _of_terms(name, record)


def _of_end(name: str, record: Record) -> Iterator[Finding]:
    ends = [one for one in record.directives if one.name == "all"]
    if not ends and not record.modifier("redirect"):
        problem = "no all and no redirect: whoever else sends is neutral"
        yield Finding(WARNING, name, "", problem, "end it in ~all")
    if ends and record.modifier("redirect"):
        yield Finding(WARNING, name, _redirect(record), "does not count beside an all", "leave it out")


def _of_terms(name: str, record: Record) -> Iterator[Finding]:
    for modifier in record.modifiers:
        if modifier.name in MECHANISMS:
            problem = f"is an unknown modifier, and no {modifier.name} mechanism: receivers pass it over"
            yield Finding(WARNING, name, modifier.text, problem, f"write {modifier.name}:…")
    seen: set[str] = set()
    for directive in record.directives:
        if directive.text.lower() in seen:
            yield Finding(WARNING, name, directive.text, "stands there twice", "once is enough")
        seen.add(directive.text.lower())


def _words(record: Record) -> Iterator[str]:
    """What SPF itself gives the record: its version and the names of its terms."""
    yield record.text[: len(VERSION)]
    terms: tuple[Directive | Modifier, ...] = (*record.directives, *record.modifiers)
    for term in terms:
        yield term.text.lstrip("+-~?")[: len(term.name)]


def _redirect(record: Record) -> str:
    modifier = record.modifier("redirect")
    return modifier.text if modifier else ""


def _of_branch(name: str, branch: Branch) -> Iterator[Finding]:
    term = branch.term
    if not branch.reached and isinstance(term, Directive):
        problem = "never comes into play: it stands after all"
        yield Finding(WARNING, name, term.text, problem, "put it before, or leave it out")
    if isinstance(term, Directive):
        yield from _of_directive(name, branch, term)
    if branch.problem and branch.checked:
        fatal = branch.reached and term.name in ("include", "redirect")
        mend = "receivers count this as an error: leave it out" if fatal else "leave it out, or mend its name"
        yield Finding(ERROR if fatal else WARNING, name, term.text, branch.problem, mend)


def _of_network(name: str, term: Directive, network: Network) -> Iterator[Finding]:
    if term.outcome is Outcome.PASS and network.prefixlen < _WIDEST[network.version]:
        problem = f"lets {network.num_addresses:.1e} addresses send"
        yield Finding(WARNING, name, term.text, problem, "name those that really send")
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped:
        problem = "matches nobody: an IPv4 client is compared with ip4 only (RFC 7208 section 5)"
        yield Finding(WARNING, name, term.text, problem, "write it as ip4")


def _of_directive(name: str, branch: Branch, term: Directive) -> Iterator[Finding]:
    if term.name == "all" and term.outcome is Outcome.PASS:
        yield Finding(WARNING, name, term.text, "anybody may send for this domain", "end it in ~all")
    if term.network is not None:
        yield from _of_network(name, term, term.network)
    if term.name == "ptr":
        problem = "slow, unreliable, and not to be used (RFC 7208 section 5.5)"
        yield Finding(WARNING, name, term.text, problem, "name the addresses by ip4 and ip6")
    elif branch.depends:
        yield Finding(
            WARNING, name, term.text, "depends on the client, so it is not followed here", "try --ip"
        )
    if len(branch.hosts) > MOST_HOSTS:
        problem = f"{len(branch.hosts)} mail exchangers, and {MOST_HOSTS} are allowed"
        yield Finding(ERROR, name, term.text, problem, "name the addresses by ip4 and ip6")
