"""A change of source addresses is proved by a message: what the outside sees is what counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from eymail.config import Cluster
from eymail.mail.checks import FAILED, NOT_CHECKED
from eymail.model import Cell, View, parse_domain
from eymail.ops import change, inventory, observe
from eymail.ops.observe import Observation
from eymail.plan import Outcome, Plan

if TYPE_CHECKING:
    from eymail.env import Env

PROVED = "proved"


@dataclass(frozen=True)
class Proved(Outcome):
    """An outcome, and which address messages really came from.

    ``proof`` went from a slice by way of ``smtp``, None where none was sent; ``senders`` are those that
    each relay and deferred host sent itself, by its name.
    """

    expected: str = ""
    proof: Observation | None = None
    senders: tuple[tuple[str, Observation], ...] = ()

    @property
    def verdict(self) -> str:
        """proved, when every message was seen to come from there; failed, or not checked."""
        verdicts = {self._of(one) for one in self._all()}
        if FAILED in verdicts:
            return FAILED
        return PROVED if verdicts == {PROVED} else NOT_CHECKED

    def _all(self) -> tuple[Observation, ...]:
        return (*((self.proof,) if self.proof else ()), *(one for _, one in self.senders))

    def _of(self, proof: Observation) -> str:
        if proof.seen == NOT_CHECKED:
            return NOT_CHECKED
        return PROVED if proof.seen == self.expected else FAILED

    @property
    def exit_code(self) -> int:
        """3 when the outside sees another address than it should."""
        return super().exit_code or (3 if self.verdict == FAILED else 0)

    def view(self) -> View:
        view = super().view()
        if self.proof is None:
            return view
        proofs = tuple(self._rows(self.proof))
        footer = tuple(f"{status}: {what}: {told}" for status, _, what, told in proofs)
        return replace(view, plain=(*view.rows, *proofs), footer=(*footer, *self._mend()))

    def _rows(self, proof: Observation) -> Iterator[tuple[Cell, ...]]:
        what = f"mail from {proof.sender.rpartition('@')[2]}"
        yield self._of(proof), "prove", what, self._told(proof)
        for host, one in self.senders:
            yield self._of(one), "prove", f"{what} by {host}", self._told(one)

    def _told(self, proof: Observation) -> str:
        way = f"by way of {proof.via}; " if proof.via else ""
        if proof.seen == NOT_CHECKED:
            return f"expected {self.expected}; {way}{proof.detail}"
        return f"expected {self.expected}, seen {proof.seen}: {self._of(proof)} ({way}{proof.detail})"

    def _mend(self) -> tuple[str, ...]:
        """What a wrong address may come from when no file is wrong."""
        if self.verdict != FAILED:
            return ()
        return (
            "the files are as they should be; have the hosts take them up: on the gateway nft -f"
            " /etc/nftables.conf, on the sending hosts /etc/network/if-up.d/eymail-addresses",
        )


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
    own = any(domain in entry.domains for entry in cluster.dedicated)
    if not plan.steps and not own:
        return Proved(**known)
    proof = observe.source(env, cluster, domain, to)
    senders = observe.of_each(env, cluster, domain, to)
    return Proved(**known, expected=_expected(cluster, domain), proof=proof, senders=senders)


def _expected(cluster: Cluster, domain: str) -> str:
    """The address that a domain's mail should come from."""
    of_domain = (entry.address for entry in cluster.dedicated if domain in entry.domains)
    return str(next(of_domain, cluster.source_address))
