"""This machine as a host: commands, files, atomic writes."""

from __future__ import annotations

import socket
import stat
import threading
import time
from pathlib import Path

import pytest

from eymail.errors import HostError, NotFound, StalePlan
from eymail.hosts.local import LocalHost

HOST = LocalHost("here")


def test_run_gives_both_outputs_and_takes_input() -> None:
    done = HOST.run(["sh", "-c", "cat; echo no >&2"], input=b"yes" * 100_000)
    assert done.stdout == b"yes" * 100_000
    assert done.stderr == b"no\n"


def test_arguments_are_never_shell_text() -> None:
    assert HOST.run(["echo", "$HOME; `id`"]).stdout == b"$HOME; `id`\n"


def test_a_failed_command_says_why_and_where() -> None:
    with pytest.raises(HostError, match=r"here: sh ended with code 3: out of cheese"):
        HOST.run(["sh", "-c", "echo 'out of cheese' >&2; exit 3"])
    assert HOST.run(["sh", "-c", "exit 3"], check=False).code == 3


def test_a_missing_command_names_the_host() -> None:
    with pytest.raises(HostError, match=r"here: cannot run nosuchcommand: No such file"):
        HOST.run(["nosuchcommand"])


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    began = time.monotonic()
    with pytest.raises(HostError, match="did not end within"):
        HOST.run(["sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait"], timeout=0.5)
    assert time.monotonic() - began < 5
    pid = int(pid_file.read_text())
    deadline = time.monotonic() + 5
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def test_endless_output_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eymail.hosts.local.OUTPUT_LIMIT", 1_000_000)
    with pytest.raises(HostError, match="wrote more than"):
        HOST.run(["yes"])


def test_input_that_nobody_reads_is_no_error() -> None:
    assert HOST.run(["true"], input=b"x" * 1_000_000).code == 0


def test_a_started_process_is_spoken_to_and_ended() -> None:
    process = HOST.start(["sh", "-c", "echo warming up >&2; cat"])
    process.stdin.write(b"hello\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"hello\n"
    assert process.complaint() == "warming up"
    process.close()


def test_read_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="here has no file"):
        HOST.read(str(tmp_path / "none"))
    with pytest.raises(HostError, match="cannot read"):
        HOST.read(str(tmp_path))


def test_write_makes_a_new_file_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    HOST.write(str(path), b"one", before=None, mode=0o640)
    assert path.read_bytes() == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_write_keeps_mode_and_links(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"one")
    path.chmod(0o4750)
    link.symlink_to(path)
    HOST.write(str(link), b"two", before=b"one", mode=0o600)
    assert link.is_symlink()
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o4750


@pytest.mark.parametrize(("there", "before"), [(b"one", b"other"), (b"one", None), (None, b"one")])
def test_write_refuses_what_has_changed(tmp_path: Path, there: bytes | None, before: bytes | None) -> None:
    path = tmp_path / "file"
    if there is not None:
        path.write_bytes(there)
    with pytest.raises(StalePlan, match="on here is not as it was read"):
        HOST.write(str(path), b"new", before=before)
    assert (path.read_bytes() if path.exists() else None) == there
    assert len(list(tmp_path.iterdir())) == (there is not None)


def test_of_many_writers_from_the_same_state_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0")
    outcomes: list[str] = []

    def write(number: int) -> None:
        try:
            HOST.write(str(path), str(number).encode(), before=b"0")
            outcomes.append("won")
        except StalePlan:
            outcomes.append("stale")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["stale"] * 15 + ["won"]


def test_write_into_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"here: cannot write .*: No such file or directory"):
        HOST.write(str(tmp_path / "none" / "file"), b"", before=None)


def test_connect_reaches_a_listener_and_names_a_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        channel = HOST.connect("127.0.0.1", port, 5)
        peer, _ = server.accept()
        with peer:
            channel.sendall(b"hello")
            assert peer.recv(5) == b"hello"
        channel.close()
    with pytest.raises(HostError, match=rf"here cannot connect to 127.0.0.1 port {port}: Connection refused"):
        HOST.connect("127.0.0.1", port, 5)


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_nothing_stays_open() -> None:
    before = _open_files()
    for _ in range(20):
        HOST.run(["true"])
        HOST.start(["cat"]).close()
    assert _open_files() == before
