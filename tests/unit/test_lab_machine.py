"""What the lab makes of the machine it runs on: sources, programs, cgroups, folders, locks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from eymail.errors import EymailError, InvalidInput, LabError, NotFound
from eymail.lab import image, podman, process, state

DEB822 = """\
# See http://comment.example/ for more.
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
"""
ONE_LINE = """\
# deb http://comment.example/debian bookworm main
deb http://mirror.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose files lie in a folder: sources (deb822), list (one-line), os-release, keyring."""
    (tmp_path / "keyring.gpg").touch()
    (tmp_path / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    monkeypatch.setattr(image, "_SOURCES", (tmp_path / "sources", tmp_path / "list"))
    monkeypatch.setattr(image, "_OS_RELEASE", tmp_path / "os-release")
    monkeypatch.setattr(image, "_KEYRING", tmp_path / "keyring.gpg")
    monkeypatch.delenv(image.MIRROR_VARIABLE, raising=False)
    return tmp_path


def test_the_machines_own_release_comes_from_its_own_sources(machine: Path) -> None:
    (machine / "sources").write_text(DEB822)
    assert image._sources("bookworm") == [str(machine / "sources")]


@pytest.mark.parametrize(("name", "text"), [("sources", DEB822), ("list", ONE_LINE)])
def test_another_release_comes_from_the_same_mirror(machine: Path, name: str, text: str) -> None:
    """Addresses in comments, and the archive of security updates, are no mirror."""
    (machine / name).write_text(text)
    (source,) = image._sources("trixie")
    assert source == f"deb [signed-by={machine / 'keyring.gpg'}] http://mirror.example/debian trixie main"


def test_a_machine_that_is_not_debian_needs_a_mirror(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    (machine / "sources").write_text(DEB822)
    with pytest.raises(LabError) as refused:
        image._sources("bookworm")
    assert image.MIRROR_VARIABLE in refused.value.hint
    monkeypatch.setenv(image.MIRROR_VARIABLE, "http://given.example/debian")
    assert "http://given.example/debian bookworm main" in image._sources("bookworm")[0]


def test_without_a_keyring_nothing_is_fetched(machine: Path) -> None:
    (machine / "sources").write_text(DEB822)
    (machine / "keyring.gpg").unlink()
    with pytest.raises(LabError) as refused:
        image._sources("trixie")
    assert refused.value.hint == "sudo apt-get install debian-archive-keyring"


def test_missing_programs_are_named_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError) as refused:
        podman.find()
    assert "podman" in refused.value.message
    assert refused.value.hint == "sudo apt-get install podman mmdebstrap uidmap"


@pytest.mark.parametrize("has_runc", [True, False])
def test_cgroups_that_crun_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_runc: bool) -> None:
    """Version 1 or hybrid: runc where it is installed, else the word that it should be."""
    monkeypatch.setattr(podman, "_UNIFIED", tmp_path / "nosuch")
    monkeypatch.setenv("PATH", str(tmp_path))
    if not has_runc:
        with pytest.raises(LabError) as refused:
            podman._runtime()
        assert refused.value.hint == "sudo apt-get install runc"
        return
    (tmp_path / "runc").touch(0o755)
    assert podman._runtime()[0] == ("--runtime", "runc")


def test_a_machine_with_unified_cgroups_keeps_its_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podman, "_UNIFIED", tmp_path)
    assert podman._runtime()[0] == ()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> state.State:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return state.state("one")


def test_a_lock_is_held_by_one_and_leaves_nothing(lab: state.State, tmp_path: Path) -> None:
    with state.locked(lab):
        with pytest.raises(LabError), state.locked(lab):
            pass
        assert lab.folder.is_dir()
    assert list(tmp_path.iterdir()) == []
    with state.locked(lab):
        (lab.folder / "number").write_text("7\n")
    assert lab.topology().number == 7


def test_a_lab_that_is_not_up_is_not_found(lab: state.State) -> None:
    with pytest.raises(NotFound) as missing:
        lab.topology()
    assert missing.value.hint == "eymail lab up --name one"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "A", "a b", "-a", "a-", "a\n", "x" * 33, "ä"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        state.state(name)


def test_a_program_is_ended_with_time_to_clean_up(tmp_path: Path) -> None:
    """A deadline, as an interrupt would, sends SIGTERM; the program's own cleaning still happens."""
    program = (
        f"trap 'touch {tmp_path}/cleaned; exit' TERM; touch {tmp_path}/ready; while :; do sleep 0.05; done"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        process.completed(["sh", "-c", program], timeout=1)
    assert (tmp_path / "ready").exists()
    assert (tmp_path / "cleaned").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_ends_are_interrupts(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), process.ending_as_interrupt():
        os.kill(os.getpid(), number)
        threading.Event().wait(5)


def test_cleaning_is_undisturbed() -> None:
    with process.ending_as_interrupt():
        with process.undisturbed():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT as a terminal has it; in a background job it is ignored from the start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_postponed_comes_afterwards(number: signal.Signals, interruptible: None) -> None:
    """Even where another thread takes the signal."""
    done = []
    finish = threading.Event()
    other = threading.Thread(target=finish.wait, args=(30,))
    other.start()
    with pytest.raises(KeyboardInterrupt), process.ending_as_interrupt():
        with process.postponed():
            os.kill(os.getpid(), number)
            other.join(0.1)
            done.append("all of it")
        done.append("never")
    finish.set()
    other.join()
    assert done == ["all of it"]


def test_errors_of_the_engine_are_errors_of_the_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What podman says last is the error's one sentence."""
    (tmp_path / "podman").write_text(f"#!{sys.executable}\nimport sys\nsys.exit('first\\nthe last word')\n")
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EymailError, match="podman network failed: the last word"):
        podman.Podman(False, (), (), ()).run("network", "ls")
