"""Has the scanner run: on a mail host over its connection, or here on a spool as it lies.

The host needs nothing of eymail: the scanner and the modules that it imports are sent
as one program text to the standard input of the host's own python3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pkgutil import get_data
from typing import TYPE_CHECKING, Any

from eymail.errors import HostError, NotFound

if TYPE_CHECKING:
    from eymail.exim.tally import Line
    from eymail.hosts import Host

# In the order in which they import each other.
MODULES = ("reasons", "spool_file", "causes", "spool", "query", "diagnosis", "tally", "scanner")
_LOADER = """\
import sys, types
def load(name, source=""):
    parent, _, child = name.rpartition(".")
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    if parent:
        setattr(sys.modules[parent], child, module)
    exec(compile(source, "<" + name + ">", "exec"), module.__dict__)
load("eymail")
load("eymail.exim")
"""


@cache
def program() -> bytes:
    """The scanner as one self-contained program; it takes its request as its argument."""
    loads = [f"load({f'eymail.exim.{name}'!r}, {_source(name)!r})\n" for name in MODULES]
    run = 'sys.modules["eymail.exim.scanner"].main(sys.argv[1])\n'
    return "".join((_LOADER, *loads, run)).encode()


def _source(name: str) -> str:
    return (get_data("eymail.exim", f"{name}.py") or b"").decode()


def scan_on(host: Host, filters: Mapping[str, Any], *, sums: bool, timeout: float) -> tuple[Line, ...]:
    """Scan the queue of a host: the scanner's lines, the ``end`` line last. Raises HostError."""
    request = json.dumps({"filters": filters, "sums": sums})
    done = host.run(["python3", "-I", "-", request], input=program(), timeout=timeout)
    lines = tuple(_lines(host.name, done.stdout))
    last = lines[-1]["kind"] if lines else ""
    if last == "error":
        raise HostError(f"{host.name}: {lines[-1]['message']}", _hint(lines[-1]["code"]))
    if last != "end":
        raise HostError(f"{host.name}: the scanner ended early", "what it counted is not shown; try again")
    return lines


def _lines(host: str, output: bytes) -> Iterator[Line]:
    for line in output.splitlines():
        try:
            told = json.loads(line)
            told["kind"]
        except (ValueError, TypeError, KeyError) as error:
            hint = "does its shell print something at login?"
            raise HostError(f"{host}: the scanner's answer makes no sense", hint) from error
        yield told


def scan_here(spool: str, filters: Mapping[str, Any], *, sums: bool) -> tuple[Line, ...]:
    """Scan a spool directory on this machine. Raises NotFound, HostError."""
    from eymail.exim import scanner

    try:
        return tuple(scanner.scan(spool, filters, sums=sums))
    except scanner.CannotScan as error:
        kind = HostError if error.code == "denied" else NotFound
        raise kind(str(error), _hint(error.code)) from error


def _hint(code: str) -> str:
    if code == "denied":
        return "a queue is read by root, or by a member of Exim's own group (Debian-exim)"
    return "a spool is the directory that holds input and msglog, such as /var/spool/exim4"
