"""``eymail spf`` and a name server that lies: every way of asking ends in time, in words, and cleanly.

The server is the domain owner's, who may be anybody: what it sends is any bytes, at any pace, in any number.
"""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address

import dns.name
import dns.rdata
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eymail.dns.many import Asker
from eymail.dns.spf.client import Client
from eymail.dns.spf.run import Pool
from tests.unit.dns_peer import Peer, Question, Script, framed, peer, rrset

DOMAIN = "liar.example"
DEADLINE = 1.0
PATIENCE = DEADLINE + 4
"""Starting a process on a busy machine is in it."""

MOST_QUESTIONS = 5000
CLIENT = ("--ip", "192.0.2.3", "--sender", f"user@{DOMAIN}", "--helo", "mx.example.org")
MODES: dict[str, tuple[str, ...]] = {
    "report": (DOMAIN,),
    "client": (DOMAIN, *CLIENT),
    "flatten": (DOMAIN, "--flatten"),
    "set": (DOMAIN, "--set", "-"),
}
_NOT_PRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Told:
    """What a run said, and how it ended."""

    code: int
    out: str
    err: str
    seconds: float


def eymail(server: Peer, *args: str) -> Told:
    env = {name: value for name, value in os.environ.items() if name != "EYMAIL_CONFIG"}
    env |= {"XDG_CONFIG_HOME": "/nonexistent", "PYTHONIOENCODING": "utf-8"}
    argv = [
        sys.executable,
        "-m",
        "eymail",
        "spf",
        *args,
        "--server",
        server.address,
        "--timeout",
        str(DEADLINE),
    ]
    clients = b"192.0.2.3 user@liar.example mx.example.org\n2001:db8::1 <> mx.liar.example\n"
    started = time.monotonic()
    done = subprocess.run(argv, input=clients, capture_output=True, env=env, timeout=30, check=False)
    seconds = time.monotonic() - started
    return Told(done.returncode, done.stdout.decode(), done.stderr.decode(), seconds)


def ends_well(told: Told) -> None:
    assert told.code in (0, 1, 3), told
    assert "Traceback" not in told.err, told.err
    assert told.seconds < PATIENCE
    assert not _NOT_PRINTABLE.search(told.out + told.err)


def sent(question: Question, wire: bytes) -> Iterator[bytes]:
    """By UDP where it fits, else by TCP."""
    if question.transport == "tcp":
        yield framed(wire)
    elif len(wire) > 1232:
        yield question.answer(flags="QR AA RA TC")
    else:
        yield wire


def says(text: Callable[[Question], str]) -> Script:
    """TXT at every name, as the question has it; of the other types an address or a mail exchanger."""
    others = {"A": "198.51.100.1", "AAAA": "2001:db8:ffff::1", "MX": "10 mx.{}.", "PTR": "host.{}."}

    def script(question: Question) -> Iterator[bytes]:
        name = question.message.question[0].name
        value = text(question) if question.kind == "TXT" else others[question.kind].format(question.name)
        return sent(question, question.answer(record(name, question.kind, value)))

    return script


def record(name: dns.name.Name, kind: str, value: str) -> dns.rrset.RRset:
    if kind == "TXT":
        value = " ".join(f'"{value[at : at + 200]}"' for at in range(0, len(value) or 1, 200))
    return dns.rrset.from_text(name, 300, "IN", kind, value)


def alias(question: Question, target: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(question.message.question[0].name, 300, "IN", "CNAME", target)


def deeper(question: Question) -> str:
    """Another name at every level, the same length for ever."""
    label, _, rest = question.name.partition(".")
    number = int(label[1:]) + 1 if re.fullmatch("n[0-9]+", label) else 0
    return f"n{number}.{rest if number else question.name}"


def twice(question: Question) -> str:
    """Two new names at every name."""
    label, _, rest = question.name.partition(".")
    grown = label if re.fullmatch("[xy]+", label) else ""
    below = rest if grown else question.name
    return f"v=spf1 include:{grown}x.{below} include:{grown}y.{below} -all"


def many_addresses(question: Question) -> str:
    return "v=spf1 " + " ".join(f"ip4:10.{n // 250}.{n % 250}.1" for n in range(3600)) + " -all"


def many_includes(question: Question) -> str:
    if question.name != DOMAIN:
        return "v=spf1 a mx ?all"
    return "v=spf1 " + " ".join(f"include:i{n}.{DOMAIN}" for n in range(1000)) + " -all"


def drip(question: Question) -> Iterable[bytes | float]:
    if question.transport == "udp":
        return [question.answer(flags="QR TC")]
    return [b"\x7f\xff", *(part for _ in range(200) for part in (b"x", 0.05))]


def crowd(question: Question) -> Iterator[bytes]:
    """Thousands of records of any type."""
    values = {
        "A": [f"198.51.{n // 250}.{n % 250}" for n in range(3000)],
        "AAAA": [f"2001:db8::{n:x}" for n in range(1500)],
        "MX": [f"{n} mx{n}.{DOMAIN}." for n in range(1000)],
        "PTR": [f"host{n}.{DOMAIN}." for n in range(1000)],
        "TXT": ['"v=spf1 a mx ptr exists:%{p}.liar.example -all exp=why.liar.example"'],
    }[question.kind]
    found = dns.rrset.from_text(question.message.question[0].name, 300, "IN", question.kind, *values)
    return sent(question, question.answer(found))


def cut(question: Question, *, by_tcp: bool) -> list[bytes]:
    """An answer that is always longer elsewhere."""
    wire = question.answer(flags="QR TC")
    return [wire] if question.transport == "udp" else [framed(wire)] * by_tcp


def late(question: Question) -> list[bytes | float]:
    return [0.4, question.answer(rrset(question.name, "TXT", '"v=spf1 include:%{i}.x.example -all"'))]


def counts(question: Question) -> list[bytes]:
    """A header that announces more than there is."""
    wire = question.answer(rrset(question.name, "TXT", '"v=spf1 -all"'))
    return [wire[:4] + struct.pack("!HHHH", 1, 65535, 65535, 65535) + wire[12:]]


def pointers(question: Question) -> list[bytes]:
    """An owner's name that points at itself."""
    wire = question.answer(rrset(question.name, "TXT", '"v=spf1 -all"'))
    start = 12 + len(question.message.question[0].name.to_wire()) + 4
    return [wire[:start] + struct.pack("!H", 0xC000 | start) + wire[start + 2 :]]


LIES: dict[str, Script] = {
    "includes without end": says(lambda question: f"v=spf1 include:{deeper(question)} -all"),
    "includes that double": says(twice),
    "includes of itself": says(lambda question: f"v=spf1 include:{question.name} -all"),
    "redirects without end": says(lambda question: f"v=spf1 redirect={deeper(question)}"),
    "redirects in a ring": says(lambda question: f"v=spf1 redirect={DOMAIN}"),
    "aliases without end": lambda question: [question.answer(alias(question, f"{deeper(question)}."))],
    "aliases of themselves": lambda question: [question.answer(alias(question, f"{question.name}."))],
    "64 kB": says(many_addresses),
    "a thousand includes": says(many_includes),
    "mx without end": says(lambda question: "v=spf1 " + "mx " * 60 + f"mx:{deeper(question)} ptr -all"),
    "thousands of records": crowd,
    "slow drip": drip,
    "cut, and nothing by TCP": partial(cut, by_tcp=False),
    "cut, by TCP too": partial(cut, by_tcp=True),
    "NXDOMAIN with answers": lambda question: [
        question.answer(rrset(question.name, "TXT", '"v=spf1 +all"'), code="NXDOMAIN")
    ],
    "another id": lambda question: [bytes([question.wire[0] ^ 255]) + question.answer()[1:]] * 3,
    "another question": lambda question: [question.answer().replace(b"liar", b"fair")] * 3,
    "its own question": lambda question: [question.wire] * 5,
    "rubbish": lambda question: [b"", b"\xff", b"rubbish" * 80, question.wire[:2] + b"\xff" * 40],
    "more announced than there is": counts,
    "a name that points at itself": pointers,
    "silence": lambda _question: [],
    "late": late,
    "SERVFAIL": lambda question: [question.answer(code="SERVFAIL")],
    "a flood": lambda question: [os.urandom(600) for _ in range(500)],
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_every_way_of_asking_ends_in_time_and_in_words(lie: str) -> None:
    """All ways side by side, since most of the time is spent in waiting."""
    with peer(LIES[lie]) as server, ThreadPoolExecutor() as threads:
        for told in threads.map(lambda args: eymail(server, *args), MODES.values()):
            ends_well(told)
        assert len(server.asked) < MOST_QUESTIONS


FORGED = "\x1b]0;owned\x07\x1b[31m\x00\x9b2J\r\n\u202e"
_ESCAPED = "".join(f"\\{byte:03d}" for byte in FORGED.encode())


def forging(question: Question) -> Iterator[bytes]:
    """Escapes, NULs and line ends in every text and every label, in well-formed answers."""
    name, label = question.message.question[0].name, FORGED.encode()[:20]
    bad = dns.name.Name([label, b"liar", b"example", b""])
    text = "v=spf1 include:" + _ESCAPED + ".example a:" + _ESCAPED + " mx ptr exp=why.liar.example -all"
    texts = {
        DOMAIN: "v=spf1 include:in.liar.example mx ptr a:odd.liar.example -all exp=why.liar.example",
        "in.liar.example": text,
    }
    values = {
        "TXT": texts.get(question.name, _ESCAPED), "MX": f"10 {bad}", "PTR": str(bad),
        "A": "192.0.2.3", "AAAA": "2001:db8::1",
    }  # fmt: skip
    found = dns.rrset.from_text(name, 300, "IN", question.kind, _quoted(question.kind, values[question.kind]))
    aliases = [alias(question, f"{bad}")] if question.name == "odd.liar.example" else []
    return sent(question, question.answer(*(aliases or [found])))


def _quoted(kind: str, value: str) -> str:
    return f'"{value}"' if kind == "TXT" else value


@pytest.mark.parametrize("form", ["--plain", "--json"])
@pytest.mark.parametrize("mode", MODES)
def test_nothing_from_outside_acts_on_a_terminal(mode: str, form: str) -> None:
    with peer(forging) as server:
        told = eymail(server, *MODES[mode], form)
    ends_well(told)
    assert "\u202e" not in told.out + told.err
    if form == "--json":
        assert [json.loads(line) for line in told.out.splitlines()]


@pytest.fixture(scope="module")
def any_bytes() -> Iterator[Peer]:
    with peer(lambda _question: []) as server:
        yield server


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=200), count=st.integers(0, 65535), flags=st.binary(min_size=2, max_size=2))
def test_any_bytes_behind_the_right_question(any_bytes: Peer, body: bytes, count: int, flags: bytes) -> None:
    """The id and the question are right, so the answer is looked at: it ends in a verdict, whatever it is."""

    def script(question: Question) -> Iterable[bytes]:
        asked = question.message.question[0].name.to_wire() + question.wire[-4:]
        header = (
            question.wire[:2] + bytes([flags[0] | 128]) + flags[1:] + struct.pack("!HHHH", 1, count, 0, 0)
        )
        wire = header + asked + body
        return [framed(wire)] if question.transport == "tcp" else [wire]

    any_bytes.script = script
    verdict_of(any_bytes, 0.1)


@settings(max_examples=150, deadline=None)
@given(texts=st.lists(st.binary(max_size=120), min_size=1, max_size=3))
def test_any_text_in_a_record(any_bytes: Peer, texts: list[bytes]) -> None:
    """TXT records of any bytes behind the version: a verdict, and the deadline is not needed for it."""
    parts = b"".join(bytes([len(part)]) + part for part in [b"v=spf1 ", *texts])

    def script(question: Question) -> Iterable[bytes]:
        if question.kind != "TXT":
            return [question.answer()]
        value = dns.rdata.from_wire("IN", "TXT", parts, 0, len(parts))
        return [question.answer(dns.rrset.from_rdata(question.message.question[0].name, 300, value))]

    any_bytes.script = script
    assert verdict_of(any_bytes, 5) < 4


def verdict_of(server: Peer, deadline: float) -> float:
    """Seconds until there was a verdict."""
    started = time.monotonic()
    with Asker([server.address], deadline) as asker:
        client = Client.of(ip_address("192.0.2.3"), f"user@{DOMAIN}", "mx.example.org")
        assert str(Pool(asker, deadline).verdict(client, DOMAIN).result)
    return time.monotonic() - started
