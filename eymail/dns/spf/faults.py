"""What is wrong with a domain's SPF, all of it in one go, and the record that would be right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from eymail.dns.spf.check import MOST_HOSTS, MOST_LOOKUPS, MOST_VOIDS
from eymail.dns.spf.flat import LONGEST_RECORD
from eymail.dns.spf.record import VERSION, Directive, Modifier, Outcome, Record
from eymail.dns.spf.tree import Branch, Policy

ERROR, WARNING = "error", "warning"
_LARGEST_PACKET = 512


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
    ends = [one for one in record.directives if one.name == "all"]
    if not ends and not record.modifier("redirect"):
        yield Finding(
            WARNING, name, "", "no all and no redirect: who else sends is neutral", "end it in ~all"
        )
    if ends and record.modifier("redirect"):
        yield Finding(WARNING, name, _redirect(record), "does not count beside an all", "leave it out")
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


def _of_directive(name: str, branch: Branch, term: Directive) -> Iterator[Finding]:
    if term.name == "all" and term.outcome is Outcome.PASS:
        yield Finding(WARNING, name, term.text, "anybody may send for this domain", "end it in ~all")
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


def proposed(policy: Policy, add: tuple[str, ...]) -> str:
    """The record to publish: the terms that are sound, each once, and ``add`` before the end.

    Several records become one. It is "" when the record as it stands is as good.
    """
    kept: dict[str, None] = {}
    ends: list[str] = []
    modifiers: dict[str, None] = {}
    for branch in policy.branches:
        text = _written(branch)
        if isinstance(branch.term, Directive) and branch.term.name == "all":
            ends.append("~all" if branch.term.outcome is Outcome.PASS else text)
        elif isinstance(branch.term, Directive):
            if _worth(branch):
                kept[text] = None
        elif branch.term.name != "redirect" or _worth(branch):
            modifiers[text] = None
    kept |= dict.fromkeys(add)
    redirected = any(one.startswith("redirect=") for one in modifiers)
    end = ends[:1] or ([] if redirected else ["~all"])
    if end:
        modifiers = {one: None for one in modifiers if not one.startswith("redirect=")}
    record = " ".join((VERSION, *kept, *end, *modifiers))
    return "" if [record] == [one.text for one in policy.records] else record


def _written(branch: Branch) -> str:
    """A term with its own words in small letters."""
    text = branch.term.text
    bare = text.lstrip("+-~?")
    sign = text[: len(text) - len(bare)].replace("+", "")
    name = len(branch.term.name)
    return f"{sign}{bare[:name].lower()}{bare[name:]}"


def _worth(branch: Branch) -> bool:
    """Whether a term should stay: not ptr, and nothing that leads nowhere, or into an error, for certain."""
    return branch.term.name != "ptr" and not _dead(branch)


def _dead(branch: Branch) -> bool:
    if branch.policy is None or not branch.checked:
        return branch.checked and bool(branch.problem) and not branch.addresses
    fatal = (
        one for one in branch.policy.branches if one.reached and one.term.name in ("include", "redirect")
    )
    return not branch.policy.sound or any(_dead(one) for one in fatal)
