"""Where an oracle says something else than eymail, and why eymail is right: each with the RFC's section.

A deviation explains a difference only for a case that has all its features (``features.py``), and only
when the oracle said one of the results named.
"""

# ruff: noqa: E501 - a table, a deviation a line

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.oracles.case import RESULTS, Verdict

PYSPF, MAIL_SPF = "pyspf", "Mail::SPF"
_ERRORS = ("permerror",)


@dataclass(frozen=True)
class Deviation:
    """``theirs`` are the results that the oracle may give; ``alike``: texts may differ in case alone."""

    oracle: str
    needs: frozenset[str]
    section: str
    why: str
    theirs: tuple[str, ...] = RESULTS
    alike: bool = False

    def explains(self, oracle: str, features: frozenset[str], ours: Verdict, theirs: Verdict) -> bool:
        fits = oracle == self.oracle and self.needs <= features and theirs.result.startswith(self.theirs)
        if fits and self.alike:
            return ours.explanation.lower() == theirs.explanation.lower() and ours.result == theirs.result
        return fits


Row = tuple[str, str, str] | tuple[str, str, str, tuple[str, ...]]
"""Features (divided by " + "), section, reason, and the results where not all."""


def _of(oracle: str, *rows: Row) -> Iterator[Deviation]:
    for needs, section, why, *theirs in rows:
        yield Deviation(oracle, frozenset(needs.split(" + ")), section, why, *theirs)


DEVIATIONS = (
    *_of(
        PYSPF,
        ("odd transformer", "7.1", "takes any text after a macro's letter"),
        ("no digits of it", "7.3", "takes no digits for zero of them, which is not allowed"),
        ("macro R", "7.1", "knows the transformer r in lower case only; ABNF's strings have no case"),
        ("unclosed macro", "7.1", "sees no fault in a macro that does not end"),
        ("x=%{c}", "6", "refuses the letters c, r and t in modifiers that are to be ignored", _ERRORS),
        ("x=1 x=2", "6", "refuses an unknown modifier that is repeated", _ERRORS),
        ("modifier in capitals", "4.6.1", "knows names of modifiers in lower case only"),
        ("delimiters joined", "7.3", "joins the parts of other letters than l and s by the delimiters they had"),
        ("dangling alias", "4.6.4", "counts a CNAME that leads nowhere as two void look-ups", _ERRORS),
        ("reverse trouble", "5.5", "an error at the client's names ends the check, though it is to be no match", ("temperror",)),
        ("void names", "5.5", "looks up names of the client that are not in the domain asked for, too", _ERRORS),
        ("PTR in capitals", "7.3", "tells names in capitals from those in lower case"),
        ("domain in capitals + p explained", "7.3", "tells names in capitals from those in lower case"),
        ("mx + voids", "5.4", "looks all hosts up before it compares, so hosts behind the match count", _ERRORS),
        ("void names", "5.5", "looks up only those names of the client that are in the domain asked for", ("pass",)),
        ("redirect near the limit", "4.6.4", "counts a redirect before it is followed", _ERRORS),
        ("overlong", "7.3", "cuts one label off a name that is too long, though it stays too long"),
        ("long domain", "7.3", "cuts explanations as if they were names"),
        ("two percents at the end", "7.2", "takes the second of two percent signs for the start of a macro"),
        ("control characters", "7.1", "gives explanations with characters that an explain-string has not"),
        ("several @", "4.3", "divides a sender at the first @", ("none",)),
        ("single label", "4.3", "looks up names of one label, which have no policy"),
        ("p explained", "4.6.4", "counts void look-ups of an explanation", _ERRORS),
        ("p and 10 terms", "4.6.4", "does not count the look-up of the client's names for p", ("pass",)),
        ("last dot", "4.3", "takes the last dot for an empty label in the middle", ("none",)),
        ("U-labels", "4.3", "does not encode a sender's domain as A-labels", ("none",)),
        ("empty local part", "4.3", "leaves s without the local part postmaster"),
    ),
    *_of(
        MAIL_SPF,
        ("no digits of it", "4.6", "finds faults in macros only where they are expanded"),
        ("unknown letter", "4.6", "finds faults in macros only where they are expanded"),
        ("explaining letter", "4.6", "finds faults in macros only where they are expanded"),
        ("macro R", "7.1", "knows the transformer r in lower case only; ABNF's strings have no case"),
        ("delimiters alone", "7.3", "divides by delimiters only beside digits or r"),
        ("empty last part", "7.3", "loses empty parts at the end, as Perl's split does"),
        ("a:/24", "7.1", "sees no fault in an empty name"),
        ("ip6 + IPv4 client", "5", "compares IPv4 clients with ip6 networks, as mapped addresses"),
        ("over ten exchangers", "4.6.4", "looks at ten hosts and passes over the others, as RFC 4408 had it"),
        ("mx + voids", "5.4", "looks hosts up in the order of the answer, not in that of preference"),
        ("void names", "5.5", "looks up only those names of the client that are in the domain asked for", ("pass",)),
        ("redirect near the limit", "4.6.4", "counts a redirect that is not followed", _ERRORS),
        ("dangling alias", "4.6.4", "takes NXDOMAIN behind a CNAME for no void look-up"),
        ("p and 10 terms", "4.6.4", "does not count the look-up of the client's names for p", ("pass",)),
        ("p twice", "4.6.4", "counts a void answer for the client's names as often as p stands", _ERRORS),
        ("p explained", "4.6.4", "counts void look-ups of an explanation, and dies of the third", ("crash",)),
        ("empty label", "4.3", "asks for names with empty labels"),
        ("empty label of the local part", "4.3", "asks for names with empty labels"),
        ("capitals in a name", "7.3", "puts domain-specs into lower case, and so escapes nothing in them"),
        ("reverse itself in trouble", "5.5", "an error at the client's names ends the check", ("temperror",)),
        ("HELO alone", "2.4", "has the HELO name for s, without postmaster"),
        ("U-labels", "4.3", "does not encode a sender's domain as A-labels", ("none",)),
        ("no HELO", "7.3", "puts unknown for an empty HELO name"),
        ("nobody", "2.4", "refuses to check when there is neither sender nor HELO name", ("crash",)),
        ("last dot", "7.3", "drops the last dot from o and d"),
        ("non-ASCII", "6.2", "gives explanations with other characters than ASCII"),
        ("percent at the end", "6.2", "sees no fault in a percent sign at the end"),
        ("single label", "4.3", "looks up names of one label, which have no policy"),
        ("empty local part", "4.3", "leaves s without the local part postmaster"),
        ("label over 63", "7.3", "cuts labels that are too long, as RFC 4408 had it"),
        ("control characters", "7.1", "gives explanations with characters that an explain-string has not"),
    ),
    Deviation(MAIL_SPF, frozenset({"IPv6 client", "macro i"}), "7.3", "has nibbles in lower case", alike=True),
    Deviation(MAIL_SPF, frozenset({"domain in capitals"}), "7.3", "puts the domain into lower case", alike=True),
)  # fmt: skip
