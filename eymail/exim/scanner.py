"""Scans a queue where it lies and sends back rows, or only sums.

``eymail`` sends this program, with the modules that it imports, to each mail host and
runs it there; what it prints is one JSON object a line, the last one of kind ``end``.
It needs nothing but the host's python3 (3.9 or newer), changes nothing and locks nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

from eymail.exim.diagnosis import Diagnosis, Held
from eymail.exim.query import Query, text
from eymail.exim.spool import Directory, Message, NotASpool, Reader, directories
from eymail.exim.tally import Line, Tally

_EXIM = ("/usr/sbin/exim4", "/usr/sbin/exim", "/usr/exim/bin/exim")
_FILES_FOR_TWO = 15000
_MOST_PROCESSES = 4


class CannotScan(Exception):
    """The queue cannot be read; ``code`` is ``denied`` or ``missing``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Look:
    """One process's look at its share of the messages; a share is told by the id alone.

    So messages that come and go between two listings are neither missed nor counted twice.
    """

    def __init__(self, query: Query, diagnosis: Diagnosis, *, sums: bool, share: int, shares: int) -> None:
        self._query = query
        self._diagnosis = diagnosis
        self._share, self._shares = share, shares
        self.tally = Tally(sums=sums)

    def at(self, directory: Directory) -> None:
        """Judge the messages of a directory, or keep them pending. Raises PermissionError."""
        try:
            reader = Reader(directory)
        except FileNotFoundError:
            return
        try:
            for message_id in filter(self._mine, reader.ids):
                message = reader.message(message_id)
                if message is not None and self._query.wants(message):
                    self._first_look(message, reader.log(message_id))
        finally:
            self.tally.malformed += [[text(name), wrong] for name, wrong in reader.malformed]
            reader.close()

    def _mine(self, message_id: bytes) -> bool:
        mine = self._shares == 1 or crc32(message_id) % self._shares == self._share
        return mine and self._query.wants_id(message_id)

    def _first_look(self, message: Message, log: bytes | None) -> None:
        held, enough = self._diagnosis.first_look(message, log)
        if enough:
            judge(self._query, self.tally, message, held)
        else:
            self.tally.pending.append((message, held))


def judge(query: Query, tally: Tally, message: Message, held: list[Held]) -> None:
    """Count a message whose errors are known, if it is meant."""
    wanted = held
    if query.by_recipient:
        wanted = [
            one for one in held if query.wants_recipient(one.recipient) and query.wants_reason(one.reason)
        ]
    if wanted or not query.by_recipient:
        tally.add(message, held, wanted)


def _look(
    share: int, *, places: list[Directory], query: Query, spool: str, exim: str, sums: bool, shares: int
) -> tuple[Tally, Diagnosis]:
    diagnosis = Diagnosis(spool, exim)
    look = Look(query, diagnosis, sums=sums, share=share, shares=shares)
    for place in places:
        look.at(place)
    return look.tally, diagnosis


def _looks(places: list[Directory], work: partial[tuple[Tally, Diagnosis]]) -> tuple[Tally, Diagnosis]:
    """In one process, or in several where there is much to read and a CPU for each."""
    files = sum(len(os.listdir(place.input)) for place in places)  # noqa: PTH208 - only their number
    shares = _processes() if files > _FILES_FOR_TWO else 1
    if shares == 1:
        return work(0, shares=1)
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(shares) as pool:
        (tally, diagnosis), *others = pool.map(partial(work, shares=shares), range(shares))
    for other_tally, other_diagnosis in others:
        tally.merge(other_tally)
        diagnosis.merge(other_diagnosis)
    return tally, diagnosis


def _processes() -> int:
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)


def scan(spool: str, filters: Mapping[str, Any], *, sums: bool, exim: str = "") -> Iterator[Line]:
    """Scan one spool: groups or messages, then the ``end`` line. Raises CannotScan.

    ``exim`` is the program that the spool belongs to, empty where it must not be asked.
    """
    now = time.time()
    query = Query(filters, now)
    try:
        places = directories(Path(spool))
        work = partial(_look, places=places, query=query, spool=spool, exim=exim, sums=sums)
        tally, diagnosis = _looks(places, work)
    except PermissionError as error:
        place = os.fsdecode(error.filename or spool)
        raise CannotScan("denied", f"may not read the queue in {place}") from error
    except (NotASpool, OSError) as error:
        raise CannotScan("missing", f"there is no Exim spool in {spool}") from error
    told = not tally.pending or diagnosis.look_further(tally.pending)
    for message, held in tally.pending:
        judge(query, tally, message, held)
    yield from tally.sink.lines()
    yield {**tally.end(), "spool": spool, "now": int(now), "retry_database": told}


def find_exim() -> tuple[str, str]:
    """This host's Exim and its spool directory. Raises CannotScan when there is none."""
    for program in (one for one in _EXIM if Path(one).exists()):
        told = subprocess.run(
            [program, "-bP", "spool_directory"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10
        )
        spool = told.stdout.partition(b" = ")[2].strip()
        if spool:
            return program, os.fsdecode(spool)
        raise CannotScan(
            "denied", f"{program} does not tell its spool_directory: {text(told.stderr.strip())}"
        )
    raise CannotScan("missing", "there is no Exim")


def main(argument: str) -> None:
    """The whole program on a host: ``argument`` is the request as JSON."""
    request = json.loads(argument)
    try:
        exim, spool = find_exim()
        for line in scan(spool, request["filters"], sums=request["sums"], exim=exim):
            sys.stdout.write(json.dumps(line) + "\n")
    except CannotScan as error:
        sys.stdout.write(json.dumps({"kind": "error", "code": error.code, "message": str(error)}) + "\n")
