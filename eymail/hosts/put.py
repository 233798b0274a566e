"""Put several files of a host in place as one act; a program of the standard library alone.

``files`` sends this very source to the host's python3 (3.7 or later), so that proving, checking,
renaming and going back happen in one place, whatever becomes of the connection. Standard input is an
order in JSON, standard output is what became of it.

The folders are locked with flock for the time of the act, as ``replace`` locks them, and every file is
compared under that lock and once more right before its rename. A lock of a folder needs no file that
could be left over, and the comparison guards against those who know nothing of the lock. Old files keep
their inode under another name until the service has taken the new ones up: going back is a rename too.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import json
import os
import pwd
import secrets
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

LITTER = ".eymail-"
_LARGEST = 16 * 1024 * 1024
_PATIENCE = 20.0
_COMMAND_TIME = 60.0
_SAID = 600


class Stale(Exception):
    """A file is not as the plan saw it."""


class Failed(Exception):
    """Why it could not be done, in words."""


def row(path: str) -> dict[str, str] | None:
    """A file as a step's row has it; None when there is none. Raises Failed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise Failed(f"{path} is no ordinary file")
        if status.st_size > _LARGEST:
            raise Failed(f"{path} is larger than {_LARGEST} bytes")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return {"content": _text(path, file.read(_LARGEST)), **_owned(status)}
    finally:
        os.close(handle)


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Failed(f"{path} is no text in UTF-8") from error


def _owned(status: os.stat_result) -> dict[str, str]:
    try:
        owner = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        owner = str(status.st_uid)
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return {"mode": f"{stat.S_IMODE(status.st_mode):04o}", "owner": owner, "group": group}


class File:
    """One file on its way from ``before`` to ``after``. A link is followed, so it stays one."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.path: str = order["path"]
        self.before: dict[str, str] | None = order["before"]
        self.after: dict[str, str] | None = order["after"]
        self.check: list[str] = order["check"]
        self.take_up: list[str] = order["take_up"]
        self.target = Path(self.path).resolve()
        self.changed = False
        self._new: Path | None = None
        self._old: Path | None = None

    def prove(self) -> None:
        """Raises Stale, Failed."""
        if row(str(self.target)) != self.before:
            raise Stale(self.path)

    def write(self) -> None:
        """The new file, whole, beside the old one."""
        if self.after is None:
            return
        handle, name = tempfile.mkstemp(prefix=LITTER, suffix=self.target.suffix, dir=str(self.target.parent))
        self._new = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(self.after["content"].encode())
            file.flush()
            self._own(handle, self.after)
            os.fsync(handle)

    def _own(self, handle: int, after: dict[str, str]) -> None:
        owner, group = _number(after["owner"], _uid), _number(after["group"], _gid)
        if (owner, group) != (os.geteuid(), os.getegid()):
            os.fchown(handle, owner, group)
        os.fchmod(handle, int(after["mode"], 8))  # after fchown, which drops set-id bits

    def prove_new(self) -> None:
        """The service's own check of the new file. Raises Failed."""
        if self._new and self.check:
            command([word.replace("{file}", str(self._new)) for word in self.check], self.path)

    def keep_old(self) -> None:
        if self.before is not None:
            self._old = self.target.with_name(LITTER + secrets.token_hex(8))
            os.link(str(self.target), str(self._old))

    def change(self) -> None:
        """The one moment of the change. Raises Stale."""
        self.prove()
        if self._new is None:
            self.target.unlink()
        elif self.before is not None:
            self._new.rename(self.target)
        else:
            self._appear(self._new)
        self.changed = True

    def _appear(self, new: Path) -> None:
        """Unlike a rename, a link never replaces what has come into being meanwhile."""
        try:
            os.link(str(new), str(self.target))
        except FileExistsError:
            raise Stale(self.path) from None

    def go_back(self) -> None:
        if self.changed and self._old is not None:
            self._old.rename(self.target)
        elif self.changed:
            self.target.unlink()
        self.changed = False

    def tidy(self) -> None:
        """Take away what is not needed any more; an old file that could not be put back is kept."""
        for path in (self._new, None if self.changed else self._old):
            if path is not None:
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()


def _number(name: str, find: Any) -> int:
    return int(name) if name.isdigit() else int(find(name))


def _uid(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


def _gid(name: str) -> int:
    return grp.getgrnam(name).gr_gid


def command(argv: list[str], why: str) -> None:
    """Run a service's command. Raises Failed with its standard error, or its output where that is empty.

    They go to files, for a daemon that it starts may keep them open.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        nothing = subprocess.DEVNULL
        try:
            done = subprocess.run(
                argv, stdin=nothing, stdout=out, stderr=errors, timeout=_COMMAND_TIME, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{why}: {argv[0]} did not end within {_COMMAND_TIME:g} s") from error
        except OSError as error:
            raise Failed(f"{why}: cannot run {argv[0]}: {error.strerror}") from error
        if done.returncode:
            said = _said(errors) or _said(out)
            raise Failed(f"{why}: {argv[0]} ended with code {done.returncode}: {said}")


def _said(file: IO[bytes]) -> str:
    file.seek(0)
    return " ".join(file.read().decode("utf-8", "replace").split())[-_SAID:]


@contextlib.contextmanager
def locked(paths: Iterable[Path]) -> Iterator[list[Path]]:
    """Hold the folders of these files, always in the same order. Raises Failed."""
    folders = sorted({path.parent for path in paths})
    end = time.monotonic() + _PATIENCE
    with contextlib.ExitStack() as held:
        for folder in folders:
            try:
                handle = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                raise Failed(f"{folder}: {error.strerror}") from error
            held.callback(os.close, handle)
            _lock(handle, folder, end)
            held.callback(os.fsync, handle)
        yield folders


def _lock(handle: int, folder: Path, end: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise Failed(f"{folder} is being changed by another run") from error
            time.sleep(0.05)


def litter(folders: Iterable[Path]) -> list[Path]:
    """What a run that was killed left; whoever holds the lock knows that nobody needs it."""
    return [path for folder in folders for path in folder.glob(LITTER + "*") if path.is_file()]


def put(files: list[File]) -> None:
    """All of the files or none. Raises Stale, Failed; the old ones are back then."""
    with locked(file.target for file in files) as folders:
        for path in litter(folders):
            path.unlink()
        try:
            for act in (File.prove, File.write, File.prove_new, File.keep_old):
                for file in files:
                    act(file)
            _change(files)
        finally:
            for file in files:
                file.tidy()


def _change(files: list[File]) -> None:
    tried: list[list[str]] = []
    try:
        for file in files:
            file.change()
        for argv in (file.take_up for file in files):
            if argv and argv not in tried:
                tried.append(argv)
                command(argv, "taking it up")
    except BaseException:
        for file in reversed(files):
            file.go_back()
        _take_up_again(tried)
        raise
    for file in files:
        file.changed = False


def _take_up_again(tried: list[list[str]]) -> None:
    for argv in tried:
        try:
            command(argv, "the old files are back, but were not taken up again")
        except Failed as error:
            # Said beside the failure that led here: both are what the administrator has to know.
            sys.stderr.write(f"{error}\n")


def look(paths: list[str]) -> dict[str, Any]:
    """The files as they are, when no act is under way, and whether one was ended in its middle."""
    with locked(Path(path).resolve() for path in paths) as folders:
        return {"rows": {path: row(path) for path in paths}, "litter": bool(litter(folders))}


def obey(order: dict[str, Any]) -> dict[str, Any]:
    """Carry an order out; what became of it."""
    try:
        if "look" in order:
            return look(order["look"])
        if "read" in order:
            return {"rows": {path: row(path) for path in order["read"]}}
        put([File(one) for one in order["put"]])
    except Stale as error:
        return {"stale": str(error)}
    except Failed as error:
        return {"failed": str(error)}
    except KeyError as error:
        return {"failed": f"there is no user or group {error}"}
    except OSError as error:
        return {"failed": f"{error.filename or 'a file'}: {error.strerror}"}
    return {"done": True}


def main() -> None:
    # A connection that ends, or an impatient terminal, must not end an act in its middle. Not SIG_IGN:
    # that would be inherited by the daemons that a service's command starts.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(obey(json.load(sys.stdin))))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
