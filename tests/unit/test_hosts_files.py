"""Files of a host change together or not at all, and their services take up what lies there."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eymail.errors import EymailError, HostError, InDoubt, InvalidInput, Refused, StalePlan
from eymail.hosts import Completed, put
from eymail.hosts.files import FileExecutor, read, step
from eymail.hosts.local import LocalHost
from eymail.plan import Row, Step

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Service:
    check: tuple[str, ...] = ()
    take_up: tuple[str, ...] = ()


class Here:
    """A folder of this machine as a host's, with a service that keeps a log of what it took up."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder / "etc", folder / "log"
        self.folder.mkdir()
        self.host: Any = LocalHost("relay1")
        # The service refuses a file with "bad" in it, and does not start with "broken" in one.
        taken = f'cat "$0"/* >> "{self.log}"; ! cat "$0"/* | grep -q broken'
        checked = ("sh", "-c", '! grep -q bad "$0"', "{file}")
        self.services = {"daemon": Service(checked, ("sh", "-c", taken, str(self.folder)))}

    @property
    def executor(self) -> FileExecutor:
        return FileExecutor(lambda _name: self.host, self.services)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def make(self, name: str, content: str, mode: int = 0o644) -> Row:
        path = self.folder / name
        path.write_text(content)
        path.chmod(mode)
        row = read(self.host, [str(path)])[str(path)]
        assert row is not None
        return {**row, "service": "daemon"}

    def row(self, content: str) -> Row:
        """A new file as a row: the owner is who runs this."""
        row = self.make("row", content)
        (self.folder / "row").unlink()
        return row

    def step(self, name: str, before: Row | None, after: Row | None) -> Step:
        return step("relay1", self.path(name), before, after)

    def apply(self, *steps: Step) -> None:
        self.executor.apply(steps, 1)

    def content(self) -> dict[str, str]:
        """Everything in the folder, hidden files too."""
        return {path.name: path.read_text() for path in self.folder.iterdir()}

    def taken(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def test_add_change_remove_and_back(here: Here) -> None:
    one, gone = here.make("one", "old", 0o640), here.make("gone", "g")
    new = here.row("new file")
    steps = (
        here.step("one", one, {**one, "content": "neu\n", "mode": "0600"}),
        here.step("gone", gone, None),
        here.step("new", None, new),
    )
    here.apply(*steps)
    assert here.content() == {"one": "neu\n", "new": "new file"}
    assert here.taken() == "new fileneu\n", "taken up once, when all files were there"
    assert (here.folder / "one").stat().st_mode & 0o7777 == 0o600
    here.apply(*(one.inverse() for one in reversed(steps)))
    assert here.content() == {"one": "old", "gone": "g"}
    assert (here.folder / "one").stat().st_mode & 0o7777 == 0o640


@pytest.mark.parametrize(("field", "value"), [("content", "x"), ("mode", "0600"), ("owner", "12345")])
def test_one_stale_file_and_none_is_changed(here: Here, field: str, value: str) -> None:
    one, two = here.make("one", "1"), here.make("two", "2")
    steps = (here.step("one", one, here.row("new")), here.step("two", {**two, field: value}, here.row("n")))
    for call in (here.executor.prove, lambda steps: here.executor.apply(steps, 1)):
        with pytest.raises(StalePlan, match=r"etc/two on relay1 is no longer as it was"):
            call(steps)
    assert here.content() == {"one": "1", "two": "2"}
    assert here.taken() == ""


def test_what_is_there_already_or_gone_is_stale(here: Here) -> None:
    row = here.make("one", "1")
    with pytest.raises(StalePlan):
        here.apply(here.step("one", None, row))
    with pytest.raises(StalePlan):
        here.apply(here.step("two", row, None))


def test_a_file_that_its_service_refuses_never_gets_there(here: Here) -> None:
    one, two = here.make("one", "1"), here.make("two", "2")
    seen = (here.folder / "one").stat()
    with pytest.raises(HostError, match=r"relay1: .*etc/two: sh ended with code 1"):
        here.apply(here.step("one", one, here.row("new")), here.step("two", two, here.row("bad")))
    assert here.content() == {"one": "1", "two": "2"}
    assert (here.folder / "one").stat() == seen
    assert here.taken() == ""


def test_what_cannot_be_taken_up_is_taken_back(here: Here) -> None:
    one, gone = here.make("one", "1"), here.make("two", "2")
    seen = (here.folder / "one").stat().st_ino
    with pytest.raises(HostError, match=r"taking it up: sh ended with code 1") as failed:
        here.apply(
            here.step("one", one, here.row("broken")),
            here.step("two", gone, None),
            here.step("three", None, here.row("3")),
        )
    assert failed.value.hint == "nothing was changed there"
    assert here.content() == {"one": "1", "two": "2"}
    assert (here.folder / "one").stat().st_ino == seen, "the very same file"
    assert here.taken() == "broken3" + "12", "the old ones were taken up again"


def test_a_service_that_does_not_come_back_either_is_told(here: Here) -> None:
    here.services["daemon"] = Service((), ("sh", "-c", "echo no cheese; exit 4"))
    one = here.make("one", "1")
    with pytest.raises(HostError, match=r"code 4: no cheese; .* were not taken up again: sh .* no cheese"):
        here.apply(here.step("one", one, here.row("new")))
    assert here.content() == {"one": "1"}


def test_changed_while_it_was_checked_is_stale(here: Here) -> None:
    """Somebody who knows nothing of locks writes between the comparison and the rename."""
    one, two = here.make("one", "1"), here.make("two", "2")
    here.services["daemon"] = Service(("sh", "-c", 'echo mine > "$0"', here.path("two")), ())
    with pytest.raises(StalePlan, match="etc/two"):
        here.apply(here.step("one", one, here.row("new")), here.step("two", two, here.row("new")))
    assert here.content() == {"one": "1", "two": "mine\n"}


def test_came_into_being_while_it_was_checked_is_stale(here: Here) -> None:
    here.services["daemon"] = Service(("sh", "-c", 'echo mine > "$0"', here.path("new")), ())
    with pytest.raises(StalePlan, match="etc/new"):
        here.apply(here.step("new", None, here.row("new")))
    assert here.content() == {"new": "mine\n"}


def test_a_link_stays_a_link(here: Here) -> None:
    one = here.make("one", "1")
    (here.folder / "link").symlink_to("one")
    here.apply(here.step("link", one, here.row("2")))
    assert (here.folder / "link").is_symlink()
    assert (here.folder / "one").read_text() == "2"


def test_what_is_no_text_is_left_alone(here: Here, tmp_path: Path) -> None:
    (here.folder / "latin").write_bytes(b"\xe4")
    os.mkfifo(here.folder / "fifo")
    for name, words in (("latin", "no text in UTF-8"), ("fifo", "no ordinary file"), ("", "no ordinary")):
        with pytest.raises(HostError, match=words):
            read(here.host, [here.path(name)])
    with pytest.raises(HostError, match=r"nosuch: No such file"):
        here.apply(step("relay1", str(tmp_path / "nosuch" / "x"), None, here.row("x")))
    with pytest.raises(InvalidInput, match="no absolute path"):
        here.apply(step("relay1", "relative", None, here.row("x")))
    with pytest.raises(Refused, match="no service 'other'"):
        here.apply(here.step("x", None, {**here.row("x"), "service": "other"}))
    with pytest.raises(HostError, match=r"no user or group .*nobody-of-that-name"):
        here.apply(here.step("x", None, {**here.row("x"), "owner": "nobody-of-that-name"}))
    assert not (here.folder / "x").exists()


@pytest.mark.parametrize("name", ["; touch x", "$(touch x)", "a\nb", "-rf", "{file}", "'\"", "ü"])
def test_names_and_texts_are_never_commands(here: Here, name: str, tmp_path: Path) -> None:
    text = f"{name}\0\r\n$(touch {tmp_path}/x)"
    here.apply(here.step(name, None, here.row(text)))
    assert read(here.host, [here.path(name)])[here.path(name)] == {
        key: value for key, value in here.row(text).items() if key != "service"
    }
    assert not (tmp_path / "x").exists()


class Losing:
    """A host whose connection breaks: the act is done there, or not, and nobody is told."""

    name = "relay1"

    def __init__(self, reached: bool, kill: bool = False) -> None:
        self._host, self.reached, self.kill = LocalHost("relay1"), reached, kill

    def run(
        self, argv: Sequence[str], *, input: bytes = b"", timeout: float = 30.0, check: bool = True
    ) -> Completed:
        if "put" not in json.loads(input):
            return self._host.run(argv, input=input, timeout=timeout, check=check)
        if self.kill:
            argv = [*argv[:2], argv[2].replace("def go_back", "def unused", 1)]
        if self.reached:
            self._host.run(argv, input=input, check=False)
        raise HostError("relay1: the connection broke")


def test_a_lost_answer_is_looked_after(here: Here) -> None:
    one = here.make("one", "1")
    change = here.step("one", one, here.row("2"))
    here.host = Losing(reached=True)
    here.apply(change)
    assert here.content() == {"one": "2"}
    here.host = Losing(reached=False)
    with pytest.raises(HostError, match=r"the connection broke$") as lost:
        here.apply(change.inverse())
    assert not isinstance(lost.value, InDoubt)
    here.host = Losing(reached=True, kill=True)
    here.services["daemon"] = Service((), ("sh", "-c", "exit 1"))
    with pytest.raises(InDoubt, match="whether its files were changed is not known"):
        here.apply(change.inverse())


def order(here: Here, steps: list[Step]) -> bytes:
    return json.dumps({"put": [here.executor._order(one) for one in steps]}).encode()


def started(here: Here, steps: list[Step]) -> subprocess.Popen[bytes]:
    """The program at work on the host."""
    argv = [sys.executable, put.__file__]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin
    process.stdin.write(order(here, steps))
    process.stdin.close()
    return process


def test_killed_at_any_moment_each_file_is_the_old_or_the_new(here: Here) -> None:
    """SIGKILL of the very program on the host; the next act goes on and leaves nothing behind."""
    texts = {name: {side: f"{name} {side}\n" * 5000 for side in ("old", "new")} for name in "abcd"}
    rows = {name: {side: here.row(text) for side, text in sides.items()} for name, sides in texts.items()}
    steps = [here.step(name, both["old"], both["new"]) for name, both in rows.items()]
    seen: set[str] = set()
    whole = 0.0
    for turn in range(30):
        for name in rows:
            (here.folder / name).write_text(texts[name]["old"])
        began = time.monotonic()
        process = started(here, steps)
        if turn:
            time.sleep(random.uniform(0, 0.8) * whole)
            process.kill()
        process.wait(30)
        whole = whole or time.monotonic() - began
        for name, sides in texts.items():
            content = (here.folder / name).read_text()
            assert content in sides.values(), f"{name} is neither the old nor the new"
            seen.add(content)
    assert len(seen) == 8
    (here.folder / "a").write_text("last")
    here.apply(here.step("a", {**rows["a"]["old"], "content": "last"}, rows["a"]["old"]))
    assert set(here.content()) == set(rows)


FLIPPER = """
import sys
from pathlib import Path
from eymail.errors import StalePlan
from eymail.hosts.files import FileExecutor, read, step
from eymail.hosts.local import LocalHost

host, path, mine = LocalHost("relay1"), sys.argv[1], sys.argv[2]
executor, made = FileExecutor(lambda _: host, {}), 0
while made < 4:
    row = read(host, [path])[path]
    try:
        executor.apply((step("relay1", path, row, {**row, "content": row["content"] + mine}),), 1)
        made += 1
    except StalePlan:
        pass
"""


def test_three_at_once_over_one_file_lose_no_change(here: Here) -> None:
    here.make("one", "")
    argv = [sys.executable, "-c", FLIPPER, here.path("one")]
    processes = [subprocess.Popen([*argv, letter], cwd=ROOT) for letter in "xyz"]
    assert [process.wait(120) for process in processes] == [0] * 3
    found = here.content()
    assert list(found) == ["one"]
    assert sorted(found["one"]) == sorted("xyz" * 4)


def test_a_folder_that_is_held_for_long_is_told(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    row = here.row("x")
    handle = os.open(here.folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    monkeypatch.setattr(put, "_PATIENCE", 0.1)
    told = put.obey(json.loads(order(here, [here.step("x", None, row)])))
    os.close(handle)
    assert told == {"failed": f"{here.folder} is being changed by another run"}


def test_errors_are_eymails_own(here: Here) -> None:
    class Odd(Losing):
        def run(self, argv: Sequence[str], **_: Any) -> Completed:
            return Completed(0, b"Last login: yesterday", b"")

    here.host = Odd(True)
    with pytest.raises(EymailError, match="no answer that makes sense"):
        read(here.host, ["/x"])
