"""A record's flat form: every include resolved to the fewest networks, term order and results kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from itertools import groupby
from operator import sub

from eymail.dns.spf.check import MOST_LOOKUPS
from eymail.dns.spf.record import QUALIFIERS, VERSION, Directive, Modifier, Network, Outcome, parse
from eymail.dns.spf.space import EVERYTHING, Space, around, fewest
from eymail.dns.spf.tree import Branch, Policy

LONGEST_RECORD = 450
"""Bytes; with more, an answer may not fit into 512 (RFC 7208 section 3.4)."""

_SIGNS = {outcome: sign for sign, outcome in QUALIFIERS.items()}


@dataclass(frozen=True)
class Kept:
    """A term that stays as it is, and why."""

    text: str
    why: str


Step = tuple[Outcome, Space | Kept]
"""What a term matches, a set of addresses or something that only the DNS can tell, and its result."""

Run = tuple[Outcome, Space, tuple[Kept, ...]]
"""What neighbours of one result match."""


@dataclass
class Flattening:
    """A record's steps in order, ended by ``default`` (None: neutral), and what is to be said of it."""

    steps: list[Step] = field(default_factory=list)
    default: Outcome | None = None
    modifiers: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    redirected: Kept | None = None

    @property
    def kept(self) -> tuple[Kept, ...]:
        """Every term that stays as it is; ``redirected`` is a redirect among them."""
        return tuple(what for _, what in (*self.steps, (None, self.redirected)) if isinstance(what, Kept))

    @property
    def open_end(self) -> str:
        """The terms in it that are no networks, empty when all of it is known."""
        return ", ".join(one.text for one in self.kept)

    def runs(self) -> Iterator[Run]:
        """Neighbours of one result together, without those that match nothing that was not matched before."""
        decided = Space()
        for outcome, steps in groupby(self.steps, key=lambda step: step[0]):
            whats = [what for _, what in steps]
            space = Space.union(what for what in whats if isinstance(what, Space))
            kept = tuple(what for what in whats if isinstance(what, Kept))
            if space - decided or kept:
                yield outcome, space, kept
                decided |= space

    def named(self) -> dict[Outcome, Space]:
        """Which addresses come to which result by networks, the record's end not counted."""
        found: dict[Outcome, list[Space]] = {}
        decided = Space()
        for outcome, space, _ in self.runs():
            found.setdefault(outcome, []).append(space - decided)
            decided |= space
        return {outcome: Space.union(spaces) for outcome, spaces in found.items()}

    def passing(self) -> Space:
        """Which addresses pass by networks, or by the record's end."""
        named = self.named()
        found = named.get(Outcome.PASS, Space())
        if self.default is not Outcome.PASS:
            return found
        others = (space for outcome, space in named.items() if outcome is not Outcome.PASS)
        return reduce(sub, others, EVERYTHING)

    @property
    def end(self) -> str:
        """The ``all`` that ends it, empty where there is none."""
        return f"{_SIGNS[self.default]}all" if self.default else ""


def flatten(policy: Policy, *, moved: bool = False) -> Flattening:
    """The flat form of a domain's policy; ``moved`` where it is to stand at another name.

    The tree has exactly one record at its root.
    """
    flat = Flattening()
    for branch in sorted(policy.branches, key=lambda one: one.term.name == "redirect"):
        if not branch.reached:
            continue
        term = branch.term.fixed(policy.name) if moved else branch.term
        if isinstance(term, Modifier):
            _modifier(flat, branch, term)
        elif term.name == "all":
            flat.default = term.outcome
        else:
            _directive(flat, branch, term)
    return flat


def _modifier(flat: Flattening, branch: Branch, term: Modifier) -> None:
    if term.name != "redirect":
        flat.modifiers.append(term.text)
        return
    if flat.default is not None:
        return  # nothing comes to it after all (section 5.1)
    there = flatten(branch.policy, moved=True) if branch.policy and branch.policy.sound else None
    if there is None and branch.checked:
        _told(flat, branch, there)
    elif there is None or there.open_end:
        flat.modifiers.append(term.text)
        why = f"it leads to {there.open_end}" if there else "not checked"
        flat.redirected = Kept(term.text, why)
        _told(flat, branch, there)
    else:
        # The explanation that counts is the other record's (section 6.2).
        mine = [one for one in flat.modifiers if not one.lower().startswith("exp=")]
        flat.steps += there.steps
        flat.default, flat.modifiers = there.default, [*mine, *there.modifiers]


def _directive(flat: Flattening, branch: Branch, term: Directive) -> None:
    if not branch.checked:
        flat.unknown.append(f"{term.text}: {branch.problem}")
        flat.steps.append((term.outcome, Kept(term.text, "not checked")))
    elif branch.depends or term.name == "exists":
        flat.steps.append((term.outcome, Kept(term.text, "it depends on the client")))
    elif term.name == "include":
        _include(flat, branch, term)
    else:
        flat.steps.append((term.outcome, Space.of(_networks(branch, term))))


def _include(flat: Flattening, branch: Branch, term: Directive) -> None:
    there = flatten(branch.policy) if branch.policy and branch.policy.sound else None
    _told(flat, branch, there)
    if there is None or there.dropped:
        return
    if there.open_end:
        flat.steps.append((term.outcome, Kept(term.text, f"it leads to {there.open_end}")))
    else:
        flat.steps.append((term.outcome, there.passing()))


def _told(flat: Flattening, branch: Branch, there: Flattening | None) -> None:
    """What is to be said of an include or a redirect."""
    text = branch.term.text
    if there is None and branch.checked:
        flat.dropped.append(f"{text}: {branch.problem or 'its record has a fault'}")
    elif there is None:
        flat.unknown.append(f"{text}: {branch.problem}")
    else:
        flat.dropped += [f"{text}: {one}" for one in there.dropped]
        flat.unknown += [f"{text}: {one}" for one in there.unknown]


def _networks(branch: Branch, term: Directive) -> Iterator[Network]:
    if term.network is not None:
        yield term.network
        return
    for address in branch.addresses:
        yield around(address, term.prefixes[":" in address])


def terms(flat: Flattening) -> tuple[str, ...]:
    """The terms of the flat record, neighbours of one result merged, without its version and its end."""
    found: list[str] = []
    decided = Space()
    for outcome, group in groupby(flat.runs(), key=lambda run: run[0]):
        runs = tuple(group)
        wanted = Space.union(space for _, space, _ in runs)
        found += [network_term(outcome, network) for network in fewest(wanted, decided)]
        found += dict.fromkeys(one.text for _, _, kept in runs for one in kept)
        decided |= wanted
    return tuple(found)


def network_term(outcome: Outcome, network: Network) -> str:
    """ip4 or ip6; a network of one address as that address."""
    shown = network.network_address if network.num_addresses == 1 else network
    return f"{_sign(outcome)}ip{network.version}:{shown}"


def _sign(outcome: Outcome) -> str:
    return "" if outcome is Outcome.PASS else _SIGNS[outcome]


def published(flat: Flattening, at: str) -> tuple[tuple[str, str], ...]:
    """Names and the records to publish there: one, or several where one would be too long.

    It stays one, however long, where the parts would be more than an evaluation may look up.
    """
    end = (*((flat.end,) if flat.end else ()), *flat.modifiers)
    whole = _record((*terms(flat), *end))
    if len(whole) <= LONGEST_RECORD:
        return ((at, whole),)
    parts: list[tuple[str, str]] = []
    main: list[str] = []
    for sign, run in groupby(terms(flat), key=_splittable):
        if sign is None:
            main += run
            continue
        for part in _parts([term.removeprefix(sign) for term in run]):
            name = f"_spf{len(parts) + 1}.{at}"
            parts.append((name, _record((*part, "-all"))))
            main.append(f"{sign}include:{name}")
    split = _record((*main, *end))
    return ((at, split), *parts) if lookups(split) <= MOST_LOOKUPS else ((at, whole),)


def lookups(record: str) -> int:
    """How many terms of a record ask the DNS; what those lead to may ask for more."""
    parsed = parse(record.encode())
    return sum(one.asks for one in parsed.directives) + bool(parsed.redirect)


def _splittable(term: str) -> str | None:
    """The sign of a network, which may move into a part; None for what stays."""
    name = term.lstrip("-~?")
    return term[: len(term) - len(name)] if name.startswith(("ip4:", "ip6:")) else None


def _parts(networks: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for network in networks:
        if part and len(_record((*part, network, "-all"))) > LONGEST_RECORD:
            yield part
            part = []
        part.append(network)
    yield part


def _record(words: Iterable[str]) -> str:
    return " ".join((VERSION, *words))


def as_published(policy: Policy) -> Flattening:
    """What a published policy says by networks of its own, or of its parts; all else counts as kept."""
    flat = Flattening()
    for branch in policy.branches:
        term = branch.term
        if isinstance(term, Modifier):
            flat.modifiers.append(term.text)
        elif term.name == "all":
            flat.default = term.outcome
        elif term.network is not None:
            flat.steps.append((term.outcome, Space.of([term.network])))
        elif _is_part(branch, policy.name):
            assert branch.policy is not None
            flat.steps.append((term.outcome, as_published(branch.policy).passing()))
        else:
            flat.steps.append((term.outcome, Kept(term.text, "as published")))
    return flat


def _is_part(branch: Branch, at: str) -> bool:
    label, _, rest = branch.target.partition(".")
    numbered = label.startswith("_spf") and label[4:].isdigit()
    return numbered and rest == at and branch.policy is not None and branch.policy.sound
