"""Replace a file at once or not at all; a program of the standard library alone.

``LocalHost`` calls it here; ``SshHost`` sends this very source to the other host's
python3 (3.7 or later), so the comparison and the rename are one act there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
import tempfile
from pathlib import Path

NOTHING = "nothing"
STALE = 75


class Changed(Exception):
    """The file is no longer what it should replace."""


def digest(content: bytes | None) -> str:
    """How the file to be replaced is named: its SHA-256, or ``nothing``."""
    return NOTHING if content is None else hashlib.sha256(content).hexdigest()


def replace(path: str, before: str, mode: int, content: bytes) -> None:
    """Put ``content`` in place of the file whose digest is ``before``.

    A file that exists keeps its mode and owner; a new one gets ``mode``. A link is
    followed, so it stays one. Raises Changed, OSError.
    """
    target = Path(path).resolve()
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # no two of us compare and rename at the same time
        if digest(_content(target)) != before:
            raise Changed
        _put_into_place(target, before, mode, content)
        os.fsync(folder)
    finally:
        os.close(folder)


def _content(target: Path) -> bytes | None:
    try:
        return target.read_bytes()
    except FileNotFoundError:
        return None


def _put_into_place(target: Path, before: str, mode: int, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=".eymail-", dir=str(target.parent))
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _take_over(handle, target, before, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        if before == NOTHING:
            _link(temporary, target)
        else:
            temporary.rename(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


def _take_over(handle: int, target: Path, before: str, mode: int) -> None:
    if before == NOTHING:
        os.fchmod(handle, mode)
        return
    old = target.stat()
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, old.st_mode & 0o7777)  # after fchown, which drops set-id bits


def _link(temporary: Path, target: Path) -> None:
    """Unlike a rename, a link never replaces what has come into being meanwhile."""
    try:
        os.link(str(temporary), str(target))
    except FileExistsError:
        raise Changed from None
    temporary.unlink()


def main() -> int:
    """``PATH DIGEST MODE``, the content on standard input; 75 when stale, 1 with a reason."""
    path, before, mode = sys.argv[1:]
    try:
        replace(path, before, int(mode, 8), sys.stdin.buffer.read())
    except Changed:
        return STALE
    except OSError as error:
        sys.stderr.write(error.strerror or str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
