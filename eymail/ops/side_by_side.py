"""Work on many hosts at once, bounded, where a slow or dead one never holds up the rest."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from eymail.errors import EymailError, HostError

if TYPE_CHECKING:
    from eymail.hosts import Host

T = TypeVar("T")
AT_ONCE = 16


def on_each(
    hosts: Sequence[Host], work: Callable[[Host], T], deadline: float
) -> Iterator[tuple[Host, T | EymailError]]:
    """Each host with what ``work`` gave, or the error it ended in, as they come.

    A host that has not answered ``deadline`` seconds from now gets a HostError and is
    left behind. An exception that is no EymailError is raised here.
    """
    answers: queue.SimpleQueue[tuple[Host, T | BaseException]] = queue.SimpleQueue()
    turn = threading.BoundedSemaphore(AT_ONCE)
    end = time.monotonic() + deadline
    waiting = list(hosts)
    for host in hosts:
        threading.Thread(target=_answer, args=(host, work, turn, answers), daemon=True).start()
    while waiting:
        try:
            host, answer = answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        waiting.remove(host)
        if isinstance(answer, BaseException) and not isinstance(answer, EymailError):
            raise answer
        yield host, answer
    for host in waiting:
        yield (
            host,
            HostError(f"{host.name}: no answer within {deadline:g} s", "is it up, and reachable by ssh?"),
        )


def _answer(
    host: Host,
    work: Callable[[Host], T],
    turn: threading.BoundedSemaphore,
    answers: queue.SimpleQueue[tuple[Host, T | BaseException]],
) -> None:
    with turn:
        try:
            answers.put((host, work(host)))
        except BaseException as error:
            answers.put((host, error))
