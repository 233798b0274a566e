"""The scanner as it is sent to a host: one text, nothing but python3's own library, 3.9 or newer."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from eymail.errors import HostError
from eymail.exim import remote
from eymail.hosts import Completed
from eymail.hosts.local import LocalHost
from tests.unit.exim_spool import REFUSED, Written, deferral

REQUEST = json.dumps({"filters": {}, "sums": True})


class FakedExim:
    """This machine with an Exim that knows only where its spool is, before the real ones in the program."""

    name = "relay1"

    def __init__(self, spool: Path, exim: Path) -> None:
        exim.write_text(f"#!/bin/sh\necho spool_directory = {spool}\n")
        exim.chmod(0o755)
        self._exim = exim

    def run(self, argv: list[str], *, input: bytes, timeout: float) -> Completed:
        program = input.replace(b"/usr/sbin/exim4", str(self._exim).encode())
        return LocalHost().run([sys.executable, *argv[1:]], input=program, timeout=timeout)


class Answering:
    """A host that prints what it is told to."""

    name = "relay1"

    def __init__(self, output: bytes) -> None:
        self._output = output

    def run(self, argv: list[str], *, input: bytes, timeout: float) -> Completed:
        return Completed(0, self._output, b"")


def test_it_runs_alone_and_tells_the_queue(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    Written().into(spool, log=deferral(b"ann@busy.example", REFUSED))
    group, end = remote.scan_on(FakedExim(spool, tmp_path / "exim"), {}, sums=True, timeout=20)  # type: ignore[arg-type]  # the rest of Host is not used
    assert (group["domain"], group["reason"], group["messages"]) == ("busy.example", "connection refused", 1)
    assert end["messages"] == 1


def test_it_needs_no_newer_python_than_3_9() -> None:
    for name in remote.MODULES:
        source = Path(remote.__file__).with_name(f"{name}.py").read_text()
        tree = ast.parse(source, feature_version=(3, 9))
        for node in ast.walk(tree):
            imported = getattr(node, "module", None) if isinstance(node, ast.ImportFrom) else None
            names = (
                [imported]
                if imported
                else [one.name for one in getattr(node, "names", ()) if isinstance(node, ast.Import)]
            )
            for one in names:
                assert one.split(".")[0] in sys.stdlib_module_names or one.startswith("eymail.exim"), (
                    name,
                    one,
                )


def test_a_host_without_exim_is_said(tmp_path: Path) -> None:
    program = remote.program().replace(b"/usr/", b"/nowhere/")
    done = subprocess.run(
        [sys.executable, "-I", "-", REQUEST], input=program, capture_output=True, check=True
    )
    with pytest.raises(HostError, match="relay1: there is no Exim"):
        remote.scan_on(Answering(done.stdout), {}, sums=True, timeout=1)  # type: ignore[arg-type]  # the rest of Host is not used


def test_a_spool_that_may_not_be_read_is_said_with_a_hint() -> None:
    denied = b'{"kind": "error", "code": "denied", "message": "may not read /var/spool/exim4"}\n'
    with pytest.raises(HostError, match="relay1: may not read /var/spool/exim4") as raised:
        remote.scan_on(Answering(denied), {}, sums=True, timeout=1)  # type: ignore[arg-type]  # the rest of Host is not used
    assert "root" in raised.value.hint


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (b"", "ended early"),
        (b'{"kind": "group"}\n', "ended early"),
        (b"Welcome to relay1!\n", "makes no sense"),
        (b"[1]\n", "makes no sense"),
        (b"\xff\xfe\n", "makes no sense"),
    ],
)
def test_half_an_answer_is_none(output: bytes, message: str) -> None:
    with pytest.raises(HostError, match=message):
        remote.scan_on(Answering(output), {}, sums=True, timeout=1)  # type: ignore[arg-type]  # the rest of Host is not used
