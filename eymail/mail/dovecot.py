"""What Dovecot knows of one mailbox, asked on its mail host: how much mail, the newest, the last login.

The question is one program that runs there with the host's python3: doveadm for the mail, and the
end of Dovecot's own log, and of the one before it, for the login.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eymail.errors import HostError, NotFound

if TYPE_CHECKING:
    from eymail.hosts import Host

_TIMEOUT = 60.0

# The newest message of a folder is the last in it ("*"), as Dovecot numbers them by arrival. The log
# is read backwards, a block at a time, because an application that polls makes it long.
_PROGRAM = r"""
import glob, json, os, re, subprocess, sys, time
user = json.load(sys.stdin)
def doveadm(*words):
    done = subprocess.run(["doveadm", "-f", "tab", *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=50)
    if done.returncode == 67:
        json.dump({"unknown": True}, sys.stdout)
        sys.exit(0)
    if done.returncode:
        sys.exit(done.stderr.decode("utf-8", "replace").strip()[-300:] or "doveadm failed")
    return [line.split("\t") for line in done.stdout.decode("utf-8", "replace").splitlines()[1:]]
def lines_backwards(file):
    file.seek(0, os.SEEK_END)
    place, rest = file.tell(), b""
    while place:
        size = min(place, 1 << 20)
        place -= size
        file.seek(place)
        lines = (file.read(size) + rest).split(b"\n")
        rest = lines[0]
        for line in reversed(lines[1:]):
            yield line
    yield rest
def login(log):
    wanted = ("-login: Info: Login: user=<%s>, " % user).encode()
    for name in (log, log + ".1"):
        try:
            with open(name, "rb") as file:
                changed = os.fstat(file.fileno()).st_mtime
                for line in lines_backwards(file):
                    if wanted in line[:400]:
                        return moment(line[:15].decode("ascii", "replace"), changed)
        except FileNotFoundError:
            pass
def moment(stamp, before):
    year = time.localtime(before).tm_year
    for one in (year, year - 1):
        try:
            at = time.mktime(time.strptime("%d %s" % (one, stamp), "%Y %b %d %H:%M:%S"))
        except ValueError:
            continue
        if at <= before + 86400:
            return int(at)
folders = doveadm("mailbox", "status", "-u", user, "messages vsize", "*")
newest = doveadm("fetch", "-u", user, "date.received.unixtime", "mailbox", "*", "*") if folders else []
setting = subprocess.run(["doveconf", "-h", "log_path"], stdout=subprocess.PIPE, timeout=10)
log = setting.stdout.decode().strip()
readable = log.startswith("/") and os.path.exists(log)
json.dump({"messages": sum(int(one[1]) for one in folders), "bytes": sum(int(one[2]) for one in folders),
           "newest": max((int(one[0]) for one in newest), default=None),
           "logged": readable, "login": login(log) if readable else None}, sys.stdout)
"""


@dataclass(frozen=True)
class Facts:
    """How many messages of how many bytes, when the newest came, when somebody last logged in.

    ``newest`` is None when there is no message; ``login`` when none is in the log, or, where
    ``logged`` is False, when there is no log to look in.
    """

    messages: int
    bytes: int
    newest: datetime | None
    login: datetime | None
    logged: bool


def facts(host: Host, address: str) -> Facts:
    """Ask. Raises HostError, NotFound when Dovecot there does not know the mailbox."""
    question = json.dumps(address).encode()
    done = host.run(["python3", "-I", "-c", _PROGRAM], input=question, timeout=_TIMEOUT)
    try:
        told = json.loads(done.stdout)
        if told.get("unknown"):
            raise NotFound(f"{host.name}: Dovecot does not know {address}")
        counts = int(told["messages"]), int(told["bytes"])
        return Facts(*counts, _moment(told["newest"]), _moment(told["login"]), bool(told["logged"]))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError) as error:
        told = f"{host.name}: what it says of the mailbox makes no sense"
        raise HostError(told, "does its shell print something at login?") from error


def _moment(seconds: Any) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
