"""Programs that do part of the work: each ends when the work is ended, with time to clean up."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

_TO_CLEAN_UP = 15.0
_ENDING = (signal.SIGTERM, signal.SIGHUP)


def completed(
    argv: Sequence[str],
    *,
    timeout: float,
    input: bytes | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, in a session of its own: Ctrl-C is for us to handle, and to hand on.

    Raises subprocess.TimeoutExpired after ``timeout`` seconds.
    """
    pipe = subprocess.PIPE
    process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    with process:
        try:
            out, err = process.communicate(input or b"", timeout)
        except BaseException:
            _end(process)
            raise
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_TO_CLEAN_UP)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def ending_as_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP end the work as Ctrl-C does, so that it cleans up too."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = [signal.signal(number, interrupt) for number in _ENDING]
    try:
        yield
    finally:
        for number, handler in zip(_ENDING, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def postponed() -> Iterator[None]:
    """What would interrupt the work here interrupts after it: short work that starts no program.

    A handler, not a mask: a signal that this thread masks reaches the process through any other.
    """
    signals = (*_ENDING, signal.SIGINT)
    arrived: list[int] = []
    before = [signal.signal(number, lambda number, _frame: arrived.append(number)) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])


@contextmanager
def undisturbed() -> Iterator[None]:
    """Nothing but SIGKILL interrupts what is done here: cleaning up."""
    signals = (*_ENDING, signal.SIGINT)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
