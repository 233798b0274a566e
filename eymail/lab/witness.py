"""What the lab's remote hosts saw of a message: from which address it came to them, and from whom."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eymail.errors import InvalidInput, LabError
from eymail.lab.state import State, state

_RECORD = "messages.jsonl"


@dataclass(frozen=True)
class Sighting:
    """A message, or an attempt at one, that a remote host of the lab had. ``peer`` is who connected."""

    at: float
    peer: str
    helo: str
    sender: str
    recipients: tuple[str, ...]
    answer: str


def lab_of(config: Path | None) -> State | None:
    """The lab that is up and whose own eymail.toml this is; None when it is no lab's."""
    if config is None:
        return None
    try:
        lab = state(config.parent.name)
    except InvalidInput:
        return None
    return lab if lab.is_up and lab.config.resolve() == config.resolve() else None


def watching(lab: State, domain: str) -> str:
    """The remote host that receives a domain's mail and keeps a record; empty when none does."""
    name = f"mx-{domain.removesuffix('.example')}"
    hosts = {host.name: host.services for host in lab.topology().hosts()}
    return name if any(service.startswith("standin") for service in hosts.get(name, ())) else ""


def sightings(lab: State, host: str) -> tuple[Sighting, ...]:
    """All that a remote host has had, the oldest first. Raises LabError."""
    file = lab.record(host) / _RECORD
    try:
        text = file.read_text() if file.exists() else ""
    except OSError as error:
        raise LabError(f"cannot read {file}: {error.strerror}") from error
    # The last line may be under the host's pen still.
    lines = text[: text.rfind("\n") + 1].splitlines()
    return tuple(_sighting(json.loads(line)) for line in lines)


def _sighting(line: dict[str, Any]) -> Sighting:
    told = (line["at"], line["peer"], line["helo"], line["sender"])
    return Sighting(*told, tuple(line["recipients"]), line["answer"])
