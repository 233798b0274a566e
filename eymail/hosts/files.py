"""The executor of ``file`` steps: the files of one host, all or none, taken up by their services.

Place is a host's name, key an absolute path, a row is ``content`` (text), ``mode`` (``0644``), ``owner``,
``group``, and ``service``, the name of what must take the file up, empty if nothing. What is done on
the host is in ``put``, which runs there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eymail.errors import HostError, InDoubt, InvalidInput, Refused, StalePlan
from eymail.plan import Row, Step

if TYPE_CHECKING:
    from eymail.hosts import Host

KIND = "file"
_PROGRAM = Path(__file__).with_name("put.py")
_COMPARED = ("content", "mode", "owner", "group")
_READ_TIME = 60.0
_ACT_TIME = 600.0


class Service(Protocol):
    """How a host takes a file up. ``{file}`` in ``check`` stands for the file to be checked."""

    @property
    def check(self) -> tuple[str, ...]: ...
    @property
    def take_up(self) -> tuple[str, ...]: ...


def step(host: str, path: str, before: Row | None, after: Row | None) -> Step:
    """The step from one file to another; None is no file."""
    return Step(KIND, host, path, before, after)


def read(host: Host, paths: Sequence[str]) -> Mapping[str, Row | None]:
    """Files as rows have them, without ``service``, by path; None where there is none.

    One command for all of them. Raises HostError, also for what is no ordinary file, or no text.
    """
    rows = _told(host, _ask(host, {"read": list(paths)}, _READ_TIME))["rows"]
    return {path: rows[path] for path in paths}


def _read_settled(host: Host, paths: Sequence[str]) -> Any:
    """As ``read``, when no act is under way there, and whether one was ended in its middle."""
    return _told(host, _ask(host, {"look": list(paths)}, _READ_TIME))


class FileExecutor:
    """``plan.Executor`` for files. ``hosts`` gives a host by its name, ``services`` one by its own.

    Killed at any moment, each file is the old or the new one; what a killed act leaves beside them
    (``.eymail-*``) the next act in that folder takes away.
    """

    beside_journal = False

    def __init__(self, hosts: Callable[[str], Host], services: Mapping[str, Service]) -> None:
        self._hosts, self._services = hosts, services

    def apply(self, steps: tuple[Step, ...], entry: int) -> None:
        """Prove, write beside, check, rename, take up; else put the old files back and take those up.

        Raises StalePlan, HostError and others when nothing was changed, InDoubt when the host was
        lost in the middle and does not tell what became of it.
        """
        host, order = self._hosts(steps[0].place), [self._order(step) for step in steps]
        self.prove(steps)  # a host that cannot be reached is found here, where nothing is in doubt
        try:
            answer = _ask(host, {"put": order}, _ACT_TIME)
        except HostError as error:
            _settle(host, steps, error)
            return
        _told(host, answer)

    def prove(self, steps: tuple[Step, ...]) -> None:
        for place in dict.fromkeys(step.place for step in steps):
            here = [step for step in steps if step.place == place]
            host = self._hosts(place)
            found = _read_settled(host, [step.key for step in here])
            for step in here:
                if found["rows"][step.key] != _compared(step.before):
                    raise _stale(host, step.key)

    def _order(self, step: Step) -> dict[str, Any]:
        if not step.key.startswith("/") or "\0" in step.key:
            raise InvalidInput(f"{step.key!r} is no absolute path")
        name = str((step.after or step.before or {}).get("service") or "")
        if name and name not in self._services:
            raise Refused(f"{step.place} {step.key}: there is no service {name!r} to take it up")
        service = self._services.get(name)
        commands = {
            "check": list(service.check) if service else [],
            "take_up": list(service.take_up) if service else [],
        }
        rows = {"before": _compared(step.before), "after": _compared(step.after)}
        return {"path": step.key, **rows, **commands}


def _compared(row: Row | None) -> dict[str, Any] | None:
    return None if row is None else {name: row[name] for name in _COMPARED}


def _ask(host: Host, order: Mapping[str, Any], timeout: float) -> Any:
    program = _PROGRAM.read_text(encoding="utf-8")
    done = host.run(["python3", "-c", program], input=json.dumps(order).encode(), timeout=timeout)
    try:
        answer: Any = json.loads(done.stdout)
    except ValueError as error:
        raise HostError(f"{host.name}: its python3 gave no answer that makes sense") from error
    complaint = " ".join(done.stderr.decode("utf-8", "replace").split())
    if complaint and "failed" in answer:
        answer["failed"] += f"; {complaint}"
    return answer


def _told(host: Host, answer: Any) -> Any:
    if "stale" in answer:
        raise _stale(host, str(answer["stale"]))
    if "failed" in answer:
        raise HostError(f"{host.name}: {answer['failed']}", "nothing was changed there")
    return answer


def _stale(host: Host, path: str) -> StalePlan:
    told = f"{path} on {host.name} is no longer as it was"
    return StalePlan(told, "nothing was changed; plan again")


def _settle(host: Host, steps: Iterable[Step], lost: HostError) -> None:
    """What became of an act whose answer was lost: it goes on without us, so wait for its end and look.

    Raises ``lost`` when nothing was done, InDoubt when that cannot be told.
    """
    steps = tuple(steps)
    try:
        found = _read_settled(host, [step.key for step in steps])
    except HostError as error:
        raise _doubt(lost) from error
    if not found["litter"] and all(found["rows"][step.key] == _compared(step.after) for step in steps):
        return
    if all(found["rows"][step.key] == _compared(step.before) for step in steps):
        raise HostError(lost.message, "nothing was changed there") from lost
    raise _doubt(lost)


def _doubt(lost: HostError) -> InDoubt:
    hint = "eymail undo looks what stands, and takes it back"
    return InDoubt(f"{lost.message}; whether its files were changed is not known", hint)
