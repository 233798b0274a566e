"""Where a domain's mail is received, beside what the mail host is about to take for its own.

A domain has one provider at a time, as its MX says: mail for people and mail for applications cannot
share one. The way out is a subdomain, and whoever is about to mix them is told of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eymail.errors import EymailError, NotFound
from eymail.ops import mx

if TYPE_CHECKING:
    from eymail.env import Env
    from eymail.ops.change import Draft
    from eymail.providers import Provider

HERE, ELSEWHERE, NOWHERE, NOT_CHECKED = "here", "elsewhere", "nowhere", "not checked"
TTL = 300


@dataclass(frozen=True)
class Reception:
    """Where a name's mail goes by its MX: ``status`` is here, elsewhere, nowhere or not checked.

    ``detail`` names the provider, or says why it was not checked; ``targets`` are the MX, the best first.
    """

    status: str
    detail: str
    targets: tuple[str, ...] = ()


def of_domain(env: Env, name: str) -> Reception:
    """What the authoritative servers say of a name. Here is the cluster that the command is about."""
    try:
        found = mx.show(env, name)
    except NotFound:
        return Reception(NOWHERE, "the name does not exist in the DNS")
    except EymailError as error:
        return Reception(NOT_CHECKED, error.message)
    records = sorted({record for server in found.servers for record in server.records})
    if not records:
        own = f", its own address {', '.join(found.implicit)} receives" if found.implicit else ""
        return Reception(NOWHERE, f"no MX{own}")
    targets = tuple(one.target or "." for one in records)
    return Reception(_status(env, found.provider), found.provider.title, targets)


def _status(env: Env, provider: Provider) -> str:
    return HERE if provider.cluster and provider.cluster == here(env) else ELSEWHERE


def here(env: Env) -> str:
    """The cluster that the command is about; empty where there is no inventory."""
    try:
        return env.cluster.name
    except NotFound:
        return ""


def target(env: Env) -> str:
    """What an MX of the cluster's domains points to. Raises NotFound."""
    return f"mx.{env.cluster.zone}"


def line(env: Env, name: str) -> str:
    """The record that leads a name's mail to the cluster, ready to publish."""
    return f"{name}. {TTL} IN MX 10 {target(env)}."


def warn(env: Env, draft: Draft, name: str) -> None:
    """Before a domain is received here: say where its mail goes now, and ask where that is elsewhere."""
    if not here(env):
        return
    found = of_domain(env, name)
    if found.status == ELSEWHERE:
        draft.dangers.append(
            f"mail for {name} goes elsewhere, as its MX says: {found.detail}; mail for people and mail for"
            f" applications cannot share a domain, the way out is a subdomain: eymail domain add app.{name}"
        )
    elif found.status == NOWHERE:
        draft.notes.append(f"no mail comes yet ({found.detail}); publish: {line(env, name)}")
    elif found.status == NOT_CHECKED:
        draft.notes.append(f"where the MX of {name} leads: not checked: {found.detail}")
