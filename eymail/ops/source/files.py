"""The hosts' files on the way from one description of a cluster to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from eymail.cluster.render import DNS, RenderedFile, render
from eymail.config import Cluster, Role
from eymail.errors import EymailError, Refused
from eymail.hosts import files
from eymail.ops.side_by_side import on_each

if TYPE_CHECKING:
    from eymail.env import Env
    from eymail.hosts import Host
    from eymail.plan import Row, Step

# Who takes an address into use, first to last: what translates it, what accepts it, what sends by it. A
# deferred host refuses for good what comes from an address that it does not know as a relay's.
_ORDER = (Role.GATEWAY, Role.DEFERRED, Role.MAIL, Role.LOAD_BALANCER, Role.SLICE, Role.RELAY)
_DEADLINE = 45.0


def steps(env: Env, before: Cluster, after: Cluster) -> tuple[Step, ...]:
    """The files that differ, in the order in which an address is taken into use.

    A file that is as it will be already has no step, so half of a change can be completed. Raises
    Refused when a file is neither as it was nor as it will be, HostError when a host cannot be asked.
    """
    old, new = _rendered(env, before), _rendered(env, after)
    differing = [key for key in new if old.get(key) != new[key]]
    found = _read(env, after, differing)
    order = [host.name for role in _ORDER for host in after.with_role(role)]
    differing.sort(key=lambda key: order.index(key[0]))  # stable: a host's files stay in their order
    return tuple(_steps(differing, old, new, found))


Key = tuple[str, str]


def _rendered(env: Env, cluster: Cluster) -> dict[Key, RenderedFile]:
    made = render(cluster, env.config.directory)
    return {(file.host, file.path): file for file in made if file.host != DNS}


def _read(env: Env, cluster: Cluster, keys: list[Key]) -> dict[Key, Row | None]:
    """What lies on the hosts, all asked at once."""
    paths = {name: [path for host, path in keys if host == name] for name, _ in keys}
    found: dict[Key, Row | None] = {}

    def look(host: Host) -> Mapping[str, Row | None]:
        return files.read(host, paths[host.name])

    for host, answer in on_each([env.host_at(cluster.host(name)) for name in paths], look, _DEADLINE):
        if isinstance(answer, EymailError):
            raise answer
        found.update({(host.name, path): row for path, row in answer.items()})
    return found


def _steps(
    keys: list[Key],
    old: Mapping[Key, RenderedFile],
    new: Mapping[Key, RenderedFile],
    found: Mapping[Key, Row | None],
) -> Iterator[Step]:
    for key in keys:
        before = _row(old[key]) if key in old else None
        after = _row(new[key])
        if found[key] == _lying(after):
            continue
        if found[key] != (_lying(before) if before else None):
            raise _strange(*key)
        yield files.step(*key, before, after)


def _row(file: RenderedFile) -> dict[str, str]:
    mode = f"{file.mode:04o}"
    return {
        "content": file.content,
        "mode": mode,
        "owner": file.owner,
        "group": file.group,
        "service": file.service,
    }


def _lying(row: Mapping[str, str]) -> dict[str, str]:
    """The row as it is read from a host, which does not know what takes the file up."""
    return {name: value for name, value in row.items() if name != "service"}


def _strange(host: str, path: str) -> Refused:
    return Refused(
        f"{path} on {host} is not as eymail renders it",
        "it was changed by hand, or another change is half done (see eymail history); compare it with"
        f" eymail cluster render --host {host} --file {path}",
    )
