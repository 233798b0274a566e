"""The record that would be better: the sound terms of what is published, each once.

A proposal is only that; whether receivers take it, and whom it lets send, is found out by evaluating it.
"""

from __future__ import annotations

from collections.abc import Iterable

from eymail.dns.spf.record import VERSION, Directive, Outcome
from eymail.dns.spf.tree import Branch, Policy

_ONCE = ("redirect", "exp")


def proposal(policy: Policy, add: Iterable[str] = (), *, first: bool = False) -> str:
    """The sound terms that come into play, of all records of a name as one, with the terms of ``add``.

    Those go before the record's end, or with ``first`` before everything. Nobody else may send by it who
    may not now, and whoever may only by ``+all`` no longer may.
    """
    kept = dict.fromkeys(add) if first else {}
    ends: list[str] = []
    modifiers: dict[str, str] = {}
    for branch in policy.branches:
        text = _written(branch)
        if not branch.reached or not _worth(branch):
            continue
        if not isinstance(branch.term, Directive):
            modifiers.setdefault(branch.term.name if branch.term.name in _ONCE else text, text)
        elif branch.term.name == "all":
            ends.append("~all" if branch.term.outcome is Outcome.PASS else text)
        else:
            kept[text] = None
    kept |= dict.fromkeys(add)
    if ends:
        modifiers.pop("redirect", None)
    end = ends[:1] or ([] if "redirect" in modifiers else ["~all"])
    return " ".join((VERSION, *kept, *end, *modifiers.values()))


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
