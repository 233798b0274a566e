"""Asks a mail host's own Exim where addresses go, by ``exim -bt`` and by RCPT, and sends back what it says.

``eymail`` sends this program to the host and runs it there; it needs nothing but the host's python3 (3.9
or newer). It prints one JSON object a line, one for each address. No message is sent: a session ends
before DATA, and its sender is the empty one, which every host takes for a bounce's.
"""

from __future__ import annotations

import json
import smtplib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_EXIM = ("/usr/sbin/exim4", "/usr/sbin/exim", "/usr/exim/bin/exim")
_TIMEOUT = 15
_LONGEST = 8000


def main(request: str) -> None:
    """Print an answer for each address of the request: ``{"server": ..., "addresses": [...]}``."""
    asked = json.loads(request)
    for answer in answers(asked["server"], asked["addresses"]):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def answers(server: str, addresses: Sequence[str]) -> Iterator[dict[str, Any]]:
    """``routed`` and ``rcpt`` of each address; in either, ``error`` says why it could not be asked."""
    exim = next((path for path in _EXIM if Path(path).exists()), "")
    session = _Session(server)
    for address in addresses:
        yield {"address": address, "routed": _routed(exim, address), "rcpt": session.rcpt(address)}
    session.close()


def _routed(exim: str, address: str) -> dict[str, Any]:
    if not exim:
        return {"error": "there is no Exim"}
    try:
        # What comes after -- is an address, whatever it begins with.
        done = subprocess.run(
            [exim, "-bt", "--", address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"error": str(error)}
    said, complaint = (text[:_LONGEST].decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return {"code": done.returncode, "said": said, "complaint": complaint}


class _Session:
    """One connection to port 25, made when it is first needed and again when it was lost.

    All recipients are asked of in one transaction: Exim counts commands like RSET, and hangs up on many.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None

    def rcpt(self, address: str) -> dict[str, Any]:
        try:
            code, said = self._open().docmd(f"RCPT TO:<{address}>")
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            return {"error": str(error)}
        if code == 421:
            self.close()
        return {"code": code, "said": _text(said)}

    def _open(self) -> smtplib.SMTP:
        if self._smtp is None:
            self._smtp = smtplib.SMTP(self._server, 25, local_hostname="eymail.invalid", timeout=_TIMEOUT)
            self._smtp.ehlo_or_helo_if_needed()
            _expect(*self._smtp.docmd("MAIL FROM:<>"))
        return self._smtp

    def close(self) -> None:
        if self._smtp is not None:
            try:
                self._smtp.quit()
            except (smtplib.SMTPException, OSError):
                self._smtp.close()
            self._smtp = None


def _expect(code: int, said: bytes) -> None:
    if not 200 <= code < 300:
        raise smtplib.SMTPResponseException(code, said)


def _text(said: bytes) -> str:
    return " ".join(said[:_LONGEST].decode("utf-8", "replace").split())


if __name__ == "__main__":
    main(sys.argv[1])
