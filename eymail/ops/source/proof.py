"""A change of source addresses is proved by a message: what the outside sees is what counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from eymail.config import Cluster
from eymail.mail.checks import FAILED, NOT_CHECKED
from eymail.model import View, parse_domain
from eymail.ops import change, inventory, observe
from eymail.ops.observe import Observation
from eymail.plan import Outcome, Plan

if TYPE_CHECKING:
    from eymail.env import Env

PROVED = "proved"


@dataclass(frozen=True)
class Proved(Outcome):
    """An outcome, and which address a message really came from. ``proof`` is None where none was sent."""

    expected: str = ""
    proof: Observation | None = None

    @property
    def verdict(self) -> str:
        """proved, failed or not checked."""
        if self.proof is None or self.proof.seen == NOT_CHECKED:
            return NOT_CHECKED
        return PROVED if self.proof.seen == self.expected else FAILED

    @property
    def exit_code(self) -> int:
        """3 when the outside sees another address than it should."""
        return super().exit_code or (3 if self.verdict == FAILED else 0)

    def view(self) -> View:
        view = super().view()
        if self.proof is None:
            return view
        what = f"mail from {self.proof.sender.rpartition('@')[2]}"
        return replace(view, rows=(*view.rows, (self.verdict, "prove", what, self._told(self.proof))))

    def _told(self, proof: Observation) -> str:
        way = f"by way of {proof.via}; " if proof.via else ""
        if proof.seen == NOT_CHECKED:
            return f"expected {self.expected}; {way}{proof.detail}"
        return f"expected {self.expected}, seen {proof.seen}: {self.verdict} ({way}{proof.detail})"


def applying(env: Env, domain: str, to: str) -> Callable[[Plan], Outcome]:
    """A way to apply a plan that ends with a message from the domain to ``to``.

    None is sent when nothing was done and the domain has no address of its own. Raises InvalidInput when
    one of them is none, before anything is applied.
    """
    name, recipient = parse_domain(domain), observe.parse_recipient(to)
    return lambda plan: _apply(env, plan, name, recipient)


def _apply(env: Env, plan: Plan, domain: str, to: str) -> Outcome:
    outcome = change.apply(env, plan)
    known = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    if outcome.error:
        return Proved(**known)
    cluster = inventory.cluster(env)
    return Proved(
        **known, expected=_expected(cluster, domain), proof=observe.source(env, cluster, domain, to)
    )


def _expected(cluster: Cluster, domain: str) -> str:
    """The address that a domain's mail should come from."""
    of_domain = (entry.address for entry in cluster.dedicated if domain in entry.domains)
    return str(next(of_domain, cluster.source_address))
