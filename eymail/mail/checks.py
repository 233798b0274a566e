"""A row of checks, each resting on the one before: what failed, and what was therefore not checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from eymail.errors import EymailError

OK, FAILED, NOT_CHECKED = "ok", "failed", "not checked"


@dataclass(frozen=True)
class Check:
    """One check: ``status`` is ok, failed, or not checked; ``hint`` is the mend of a failure."""

    name: str
    status: str
    detail: str = ""
    hint: str = ""


class NotChecked(Exception):
    """Raised by a step that has nothing to check; those after it go on."""


Step = tuple[str, Callable[[], str]]


def run(steps: Sequence[Step]) -> Iterator[Check]:
    """Do the steps in order. A step gives its detail, or raises; after a failure the rest is not checked."""
    failed = ""
    for name, step in steps:
        if failed:
            yield Check(name, NOT_CHECKED, f"{failed} failed")
            continue
        check = _one(name, step)
        if check.status == FAILED:
            failed = name
        yield check


def _one(name: str, step: Callable[[], str]) -> Check:
    try:
        return Check(name, OK, step())
    except NotChecked as reason:
        return Check(name, NOT_CHECKED, str(reason))
    except EymailError as error:
        return Check(name, FAILED, error.message, error.hint)
