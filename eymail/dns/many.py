"""Many questions at once, in one thread: UDP by a selector, TCP by a few threads where an answer needs it.

Each question has a socket and so a port of its own, a deadline, and its turns at the servers, as any
look-up has (see ``turns``). An answer is one only when it has the question's id and text and comes from
the server that was asked.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from eymail.dns import flight
from eymail.dns.answers import NoAnswer
from eymail.dns.exchange import over_tcp
from eymail.dns.flight import Flight
from eymail.dns.question import Question, Reply, Status
from eymail.dns.servers import Server, of_this_machine

if TYPE_CHECKING:
    import dns.message

AT_ONCE = 128
_TCP_AT_ONCE = 8


class Asker:
    """Asks recursive name servers many things at once; the machine's own where none are given.

    ``servers`` and ``timeout`` are as for lookup.Resolver. For one thread at a time. Close it in the end.
    """

    def __init__(self, servers: Iterable[str], timeout: float) -> None:
        named = tuple(Server.parse(text) for text in servers)
        self._servers = named or of_this_machine()
        self._timeout = timeout
        self._waiting: deque[Question] = deque()
        self._flying: set[Flight] = set()
        self._selector = selectors.DefaultSelector()
        self._over_tcp = _Threads()
        self._selector.register(self._over_tcp.bell, selectors.EVENT_READ)
        self._late: set[Server] = set()
        self.asked = 0

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget what is still out."""
        for one in self._flying:
            one.close()
        self._selector.close()
        self._over_tcp.close()

    def ask(self, question: Question) -> None:
        """Have a question asked; its reply comes by ``replies``."""
        self.asked += 1
        self._waiting.append(question)

    def replies(self, end: float) -> list[tuple[Question, Reply]]:
        """What has come in, at least one; nothing when none is out, or time.time() passes ``end`` before."""
        found: list[tuple[Question, Reply]] = []
        while not found and (self._waiting or self._flying):
            self._take_off(found)
            import dns.message  # noqa: F401 - while the first answers are on their way

            left = min([end, *(one.until for one in self._flying)]) - time.time()
            if not found:
                self._wait(max(0.0, left), found)
            if time.time() >= end:
                break
        return found

    def _take_off(self, found: list[tuple[Question, Reply]]) -> None:
        while self._waiting and len(self._flying) < AT_ONCE:
            # Whoever let a question wait in vain is asked last from then on.
            servers = sorted(self._servers, key=self._late.__contains__)
            one = Flight(self._waiting.popleft(), servers, time.time() + self._timeout)
            self._flying.add(one)
            self._go_on(one, found)

    def _wait(self, seconds: float, found: list[tuple[Question, Reply]]) -> None:
        for key, _ in self._selector.select(seconds):
            if isinstance(key.data, Flight):
                self._read(key.data, found)
            else:
                self._landed(found)
        now = time.time()
        for one in [one for one in self._flying if one.until <= now]:
            self._late.add(one.server)
            self._turn(one, one.late(), found)

    def _go_on(self, one: Flight, found: list[tuple[Question, Reply]]) -> None:
        """The next try: the next server, or the same once more."""
        try:
            self._selector.register(one.send(), selectors.EVENT_READ, one)
        except NoAnswer as error:
            self._turn(one, error, found)

    def _read(self, one: Flight, found: list[tuple[Question, Reply]]) -> None:
        try:
            what = one.receive()
        except NoAnswer as error:
            self._turn(one, error, found)
            return
        if isinstance(what, Reply):
            self._done(one, what, found)
        elif what is flight.Next.TCP:
            self._down(one)
            self._over_tcp.start(one)
        elif what is flight.Next.AGAIN:
            self._down(one)
            self._go_on(one, found)

    def _landed(self, found: list[tuple[Question, Reply]]) -> None:
        """What came by TCP."""
        for one, number, answer in self._over_tcp.results():
            if one not in self._flying or one.tries != number:
                continue  # it was given up meanwhile
            try:
                if isinstance(answer, NoAnswer):
                    raise answer
                what = one.understood(answer)
            except NoAnswer as error:
                self._turn(one, error, found)
                continue
            if what is None:
                self._go_on(one, found)
            else:
                self._done(one, what, found)

    def _turn(self, one: Flight, error: NoAnswer, found: list[tuple[Question, Reply]]) -> None:
        """A try failed: another, or that's it."""
        self._down(one)
        if one.failed_again(error):
            self._go_on(one, found)
        else:
            self._done(one, one.failure(), found)

    def _done(self, one: Flight, reply: Reply, found: list[tuple[Question, Reply]]) -> None:
        self._down(one)
        self._flying.discard(one)
        if reply.status is not Status.FAILED:
            self._late.discard(one.server)
        found.append((one.question, reply))

    def _down(self, one: Flight) -> None:
        if one.socket is not None:
            self._selector.unregister(one.socket)
            one.close()


_Landed = tuple[Flight, int, "dns.message.Message | NoAnswer"]
"""A question, the number of its try, and what came of that."""


class _Threads:
    """A few threads that ask by TCP, and a bell that rings when one has something."""

    def __init__(self) -> None:
        self.bell, self._ring = socket.socketpair()
        self.bell.setblocking(False)
        self._work: SimpleQueue[Flight] = SimpleQueue()
        self._results: SimpleQueue[_Landed] = SimpleQueue()
        self._number = 0

    def start(self, one: Flight) -> None:
        self._work.put(one)
        if self._number < _TCP_AT_ONCE:
            self._number += 1
            threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            one = self._work.get()
            number = one.tries
            try:
                self._results.put((one, number, over_tcp(one.server, one.query, one.until)))
            except NoAnswer as error:
                self._results.put((one, number, error))
            with suppress(OSError):
                self._ring.send(b"!")

    def results(self) -> list[_Landed]:
        with suppress(OSError):
            self.bell.recv(4096)
        found = []
        with suppress(Empty):
            while True:
                found.append(self._results.get_nowait())
        return found

    def close(self) -> None:
        self.bell.close()
        self._ring.close()
