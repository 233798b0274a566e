"""Signed updates against a primary that lies, loses answers, or says nothing; Knot is in tests/lab."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rrset
import dns.tsig
import pytest

from eymail.dns import rows
from eymail.dns.update import DnsExecutor
from eymail.errors import DnsError, EymailError, InDoubt, InvalidInput, StalePlan
from eymail.plan import Step
from tests.unit.dns_peer import both

ZONE, NAME = "x.org", "_spf.x.org"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="
OTHER = "b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI="
ADD = rows.step(ZONE, NAME, "TXT", None, rows.row("TXT", 300, ['"v=spf1 -all"']))

Answer = Callable[["Asked"], list[bytes]]


class Asked:
    """A message that came in, and answers to it."""

    def __init__(self, wire: bytes, transport: str) -> None:
        self.wire, self.transport = wire, transport
        self.message = dns.message.from_wire(wire, keyring=keyring(SECRET), continue_on_error=True)

    @property
    def update(self) -> bool:
        return self.message.opcode() == dns.opcode.UPDATE

    @property
    def changes(self) -> bool:
        """Whether it changes something, or asks for prerequisites alone."""
        return self.update and bool(self.message.sections[2])

    def answer(self, code: str = "NOERROR", secret: str = SECRET, sign: bool = True, error: int = 0) -> bytes:
        made = dns.message.make_response(self.message, tsig_error=error)
        made.flags |= dns.flags.AA
        made.set_rcode(dns.rcode.from_text(code))
        if made.tsig and not sign:
            made.tsig = None
            made.want_tsig_sign = False
        elif made.tsig:
            made.keyring = keyring(secret)[dns.name.from_text("eymail")]
        return made.to_wire()


def keyring(secret: str) -> dict[dns.name.Name, dns.tsig.Key]:
    name = dns.name.from_text("eymail")
    return {name: dns.tsig.Key(name, secret, "hmac-sha256.")}


class Primary:
    """A primary on loopback; ``script`` gives what it sends for each message."""

    def __init__(self) -> None:
        self.script: Answer = lambda asked: [asked.answer()]
        self.asked: list[Asked] = []
        self._udp, self._tcp = both("127.0.0.1", 0)
        self.port = int(self._udp.getsockname()[1])
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def close(self) -> None:
        for one in (self._udp, self._tcp):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _heard(self, wire: bytes, transport: str) -> list[bytes]:
        asked = Asked(wire, transport)
        self.asked.append(asked)
        return self.script(asked)

    def _serve_udp(self) -> None:
        with suppress(OSError):
            while True:
                wire, peer = self._udp.recvfrom(65535)
                if not wire:
                    return  # shut down
                for answer in self._heard(wire, "udp"):
                    self._udp.sendto(answer, peer)

    def _serve_tcp(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._tcp.accept()
                with connection:
                    wire = connection.recv(65535)
                    while len(wire) < struct.unpack("!H", wire[:2])[0] + 2:
                        wire += connection.recv(65535)
                    for answer in self._heard(wire[2:], "tcp"):
                        connection.sendall(struct.pack("!H", len(answer)) + answer)


@pytest.fixture
def primary() -> Iterator[Primary]:
    made = Primary()
    yield made
    made.close()


@pytest.fixture
def executor(primary: Primary, tmp_path: Path) -> DnsExecutor:
    return made(primary.port, tmp_path)


def made(port: int, folder: Path) -> DnsExecutor:
    key = folder / "tsig.key"
    key.touch(0o600)
    key.write_text(f'key "eymail" {{ algorithm hmac-sha256; secret "{SECRET}"; }};')
    return DnsExecutor(f"127.0.0.1:{port}", str(key), 0.4)


def updates(answer: Answer) -> Answer:
    """A script for messages that change something; everything else is denied or confirmed as ever."""
    return lambda asked: answer(asked) if asked.changes else [asked.answer()]


def test_one_message_with_prerequisites(primary: Primary, executor: DnsExecutor) -> None:
    old, new = rows.row("A", 300, ["192.0.2.1", "192.0.2.2"]), rows.row("A", 60, ["192.0.2.3"])

    def script(asked: Asked) -> list[bytes]:
        if asked.update or asked.message.question[0].name.to_text() == f"{NAME}.":
            return [asked.answer()]
        response = dns.message.make_response(asked.message)
        response.flags |= dns.flags.AA
        response.answer.append(dns.rrset.from_text("a.x.org.", 300, "IN", "A", "192.0.2.2", "192.0.2.1"))
        return [response.to_wire()]

    primary.script = script
    executor.apply((ADD, rows.step(ZONE, "a.x.org", "A", old, new)), 1)
    sent = [asked for asked in primary.asked if asked.changes]
    assert len(sent) == 1
    message = sent[0].message
    assert message.had_tsig
    text = message.to_text()
    assert "_spf.x.org. NONE TXT" in text
    assert "a.x.org. 0 IN A 192.0.2.1" in text
    assert "a.x.org. ANY A" in text
    assert "a.x.org. 60 IN A 192.0.2.3" in text
    assert "_spf.x.org. NONE CNAME" in text, "a server would say nothing of a CNAME in the way"


@pytest.mark.parametrize("code", ["NXRRSET", "YXRRSET", "NXDOMAIN", "YXDOMAIN"])
def test_a_prerequisite_that_does_not_hold_is_a_stale_plan(
    primary: Primary, executor: DnsExecutor, code: str
) -> None:
    primary.script = updates(lambda asked: [asked.answer(code)])
    with pytest.raises(StalePlan, match=r"_spf.x.org TXT at 127.0.0.1:\d+: not as planned"):
        executor.apply((ADD,), 1)


@pytest.mark.parametrize("code", ["REFUSED", "NOTAUTH", "SERVFAIL", "NOTIMP", "FORMERR"])
@pytest.mark.parametrize("sign", [True, False])
def test_what_the_server_says_no_to(primary: Primary, executor: DnsExecutor, code: str, sign: bool) -> None:
    primary.script = updates(lambda asked: [asked.answer(code, sign=sign)])
    with pytest.raises(EymailError, match=code) as failed:
        executor.apply((ADD,), 1)
    assert failed.value.hint
    assert SECRET not in failed.value.message + failed.value.hint + repr(failed.value.__cause__)


@pytest.mark.parametrize(
    ("error", "words"),
    [(dns.rcode.BADKEY, "does not know the key 'eymail'"),
     (dns.rcode.BADSIG, "does not accept the signature"), (dns.rcode.BADTIME, "has another time"),
     (dns.rcode.BADTRUNC, "does not accept the signature")],
)  # fmt: skip
def test_a_key_that_the_server_does_not_take(
    primary: Primary, executor: DnsExecutor, error: int, words: str
) -> None:
    primary.script = lambda asked: [asked.answer("NOTAUTH" if asked.update else "NOERROR", error=error)]
    with pytest.raises(DnsError, match=words) as failed:
        executor.apply((ADD,), 1)
    assert failed.value.hint.startswith("nothing was changed; ")


def lying(asked: Asked) -> list[list[bytes]]:
    """Answers that must not be believed."""
    good = asked.answer()
    return [
        [],
        [b""],
        [b"\0" * 500],
        [good[:2] + b"\xff" * 20],
        [asked.answer(sign=False)],
        [asked.answer("NXRRSET", sign=False)],
        [asked.answer(secret=OTHER)],
        [good[:-1]],
        [bytes([good[0] ^ 1]) + good[1:]],
    ]


LIES = range(9)


@pytest.mark.parametrize("which", LIES)
def test_a_lie_is_no_answer_and_the_truth_is_looked_for(
    primary: Primary, executor: DnsExecutor, which: int
) -> None:
    """The message was carried out: asked with a signature, the server says that all is as after."""
    primary.script = updates(lambda asked: lying(asked)[which])
    executor.apply((ADD,), 1)
    assert len([asked for asked in primary.asked if asked.changes]) == 1, "never sent twice"


@pytest.mark.parametrize("which", LIES)
def test_a_lie_and_nothing_was_done(primary: Primary, executor: DnsExecutor, which: int) -> None:
    def script(asked: Asked) -> list[bytes]:
        if asked.changes:
            return lying(asked)[which]
        after = asked.update and " IN TXT " in asked.message.to_text()
        return [asked.answer("NXRRSET" if after else "NOERROR")]

    primary.script = script
    with pytest.raises(DnsError, match="; nothing was changed"):
        executor.apply((ADD,), 1)


@pytest.mark.parametrize("which", LIES)
def test_lies_only_and_nobody_knows(primary: Primary, executor: DnsExecutor, which: int) -> None:
    primary.script = lambda asked: lying(asked)[which] if asked.update else [asked.answer()]
    with pytest.raises(InDoubt, match="whether the zone was changed is not known"):
        executor.apply((ADD,), 1)


def test_somebody_else_was_there_too(primary: Primary, executor: DnsExecutor) -> None:
    primary.script = lambda asked: (
        [] if asked.changes else [asked.answer("NXRRSET" if asked.update else "NOERROR")]
    )
    with pytest.raises(InDoubt):
        executor.apply((ADD,), 1)


def test_the_true_answer_after_false_ones(primary: Primary, executor: DnsExecutor) -> None:
    primary.script = updates(lambda asked: [*(lie for lies in lying(asked) for lie in lies), asked.answer()])
    executor.apply((ADD,), 1)
    assert not primary.asked[-1].message.sections[1] or primary.asked[-1].changes, "it was not asked again"


def test_a_large_message_goes_by_tcp(primary: Primary, executor: DnsExecutor) -> None:
    long = rows.step(ZONE, NAME, "TXT", None, rows.row("TXT", 300, [rows.txt("x" * 900)]))
    executor.apply((long,), 1)
    assert [asked.transport for asked in primary.asked if asked.changes] == ["tcp"]
    primary.script = updates(lambda asked: [asked.answer(sign=False)])
    executor.apply((long,), 1)
    primary.script = lambda asked: [] if asked.update else [asked.answer()]
    with pytest.raises(InDoubt):
        executor.apply((long,), 1)


def test_too_large_for_any_message(primary: Primary, executor: DnsExecutor) -> None:
    texts = [rows.txt(f"{number}" + "x" * 200) for number in range(400)]
    with pytest.raises(InvalidInput, match="too large"):
        executor.apply((rows.step(ZONE, NAME, "TXT", None, rows.row("TXT", 300, texts)),), 1)


def test_what_a_wildcard_answers_is_not_there(primary: Primary, executor: DnsExecutor) -> None:
    """A query finds it; a prerequisite looks for the name itself (RFC 2136 section 2.4.1)."""

    def script(asked: Asked) -> list[bytes]:
        if asked.update:
            return [asked.answer("NXRRSET")]
        response = dns.message.make_response(asked.message)
        response.flags |= dns.flags.AA
        response.answer.append(dns.rrset.from_text(f"{NAME}.", 300, "IN", "TXT", '"from *.x.org"'))
        return [response.to_wire()]

    primary.script = script
    assert executor.read(ZONE, NAME, "TXT") is None


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DnsError, match="cannot be reached"):
        made(port, tmp_path).apply((ADD,), 1)
    executor: Any = made(port, tmp_path)
    executor.prove = lambda _steps: None
    with pytest.raises(DnsError, match="cannot be reached: Connection refused") as failed:
        executor.apply((ADD,), 1)
    assert failed.value.hint.startswith("nothing was changed")


@pytest.mark.parametrize(
    "step",
    [rows.step(ZONE, "a.example", "A", None, rows.row("A", 1, ["192.0.2.1"])),
     rows.step(ZONE, ZONE, "NS", None, rows.row("NS", 1, ["a.example"])),
     Step(rows.KIND, ZONE, "x.org SOA", None, {"ttl": 1, "records": "x"}),
     Step(rows.KIND, ZONE, "x.org TXT", None, {"ttl": 1, "records": '"open'})],
)  # fmt: skip
def test_what_no_server_would_do(primary: Primary, executor: DnsExecutor, step: Step) -> None:
    with pytest.raises(InvalidInput):
        executor.apply((step,), 1)
    assert not [asked for asked in primary.asked if asked.changes]


def test_nothing_shows_the_secret(executor: DnsExecutor) -> None:
    assert SECRET not in repr(vars(executor)) + repr(vars(executor._signer))
