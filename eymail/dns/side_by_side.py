"""Several look-ups at once, bounded; each has its own deadline, so none can hold up the rest for long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

from eymail.errors import DnsError, NotFound

Asked = TypeVar("Asked")
Found = TypeVar("Found")
AT_ONCE = 16
MOST = 48
"""No honest zone or record names more than this; the rest of a dishonest one is not asked."""


def at_once(
    look_up: Callable[[Asked], Found], questions: Iterable[Asked]
) -> tuple[Found | NotFound | DnsError, ...]:
    """What ``look_up`` gives for each question, or the error that it ended in, in the order asked.

    Questions after the first MOST are not asked, which is their error. Any other exception is raised
    here. The threads are daemons, so an interrupted process does not wait for them.
    """
    every = tuple(questions)
    waiting = every[:MOST]
    turns: SimpleQueue[int] = SimpleQueue()
    answers: SimpleQueue[tuple[int, Found | BaseException]] = SimpleQueue()
    for at in range(len(waiting)):
        turns.put(at)

    def work() -> None:
        with suppress(Empty):
            while True:
                at = turns.get_nowait()
                try:
                    answers.put((at, look_up(waiting[at])))
                except BaseException as error:
                    answers.put((at, error))

    for _ in range(min(AT_ONCE, len(waiting))):
        threading.Thread(target=work, daemon=True).start()
    found = dict(answers.get() for _ in waiting)
    told = (_expected(found[at]) for at in range(len(waiting)))
    return (*told, *(_not_asked(len(every)) for _ in every[MOST:]))


def _not_asked(number: int) -> DnsError:
    return DnsError(f"not asked: {number} were named, and no more than {MOST} are asked")


def _expected(answer: Found | BaseException) -> Found | NotFound | DnsError:
    if isinstance(answer, BaseException) and not isinstance(answer, NotFound | DnsError):
        raise answer
    return answer
