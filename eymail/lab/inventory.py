"""The lab's eymail.toml and the administrator's ssh configuration: what a user would write by hand."""

from __future__ import annotations

from pathlib import Path

from eymail.lab.topology import BLOCK_LIST, CLUSTER, CUSTOMER, NAME_SERVERS, ZONE, Topology

_ROLES = {
    "gateway": ("gateway", 2),
    "lb1": ("load-balancer", 10),
    "relay1": ("relay", 11),
    "relay2": ("relay", 12),
    "deferred1": ("deferred", 13),
    "mail1": ("mail", 14),
    "slice1": ("slice", 21),
    "slice2": ("slice", 22),
}


def inventory(topology: Topology, state: Path) -> str:
    """The text of eymail.toml."""
    dedicated = {name: topology.inside(100 + _ROLES[name][1]) for name in ("relay1", "relay2", "deferred1")}
    inside = ", ".join(f'{name} = "{address}"' for name, address in dedicated.items())
    return "\n".join(
        (
            f'default_cluster = "{CLUSTER}"',
            "",
            "[directory]",
            'url = "sqlite:////var/lib/eymail/directory.db"',
            'host = "mail1"',
            "",
            "[dns]",
            f'servers = ["{topology.resolver}"]',
            "",
            "[ssh]",
            f'config = "{state / "ssh_config"}"',
            "",
            "[tls]",
            f'ca_file = "{state / "ca.pem"}"',
            "",
            f"[clusters.{CLUSTER}]",
            f'network = "{topology.inside_network}"',
            f'source_address = "{topology.outside(10)}"',
            f"name_servers = {list(NAME_SERVERS)!r}".replace("'", '"'),
            f'block_lists = ["{BLOCK_LIST}"]',
            "",
            f"[clusters.{CLUSTER}.update]",
            f'server = "{topology.outside(54)}"',
            f'key_file = "{state / "tsig.key"}"',
            "",
            f"[[clusters.{CLUSTER}.dedicated]]",
            f'address = "{topology.outside(11)}"',
            f'domains = ["{CUSTOMER}"]',
            f"inside = {{ {inside} }}",
            "",
            f"[clusters.{CLUSTER}.hosts]",
            *(_host(topology, name, role, last) for name, (role, last) in _ROLES.items()),
            "",
        )
    )


def _host(topology: Topology, name: str, role: str, last: int) -> str:
    public = topology.public().get(name)
    more = f', public = "{public}"' if public else ""
    return f'{name} = {{ role = "{role}", address = "{topology.inside(last)}"{more} }}'


def ssh_config(topology: Topology, state: Path) -> str:
    """The administrator's ssh configuration: slices directly, the other hosts by way of the gateway."""
    public = topology.public()
    lines = [_ssh_host("gateway", topology.outside(10), "root", state)]
    for name, (role, last) in _ROLES.items():
        if role == "slice":
            lines.append(_ssh_host(name, public[name], "deploy", state))
        elif role != "gateway":
            lines.append(_ssh_host(name, topology.inside(last), "root", state, "ProxyJump gateway"))
    return "\n".join(lines)


def _ssh_host(name: str, address: object, user: str, state: Path, *more: str) -> str:
    settings = (
        f"HostName {address}",
        f"HostKeyAlias {name}.{ZONE}",
        f"User {user}",
        f'IdentityFile "{state / "id_ed25519"}"',
        "IdentitiesOnly yes",
        "IdentityAgent none",
        f'UserKnownHostsFile "{state / "known_hosts"}"',
        "StrictHostKeyChecking yes",
        *more,
    )
    return "\n".join((f"Host {name}", *(f"    {setting}" for setting in settings), ""))
