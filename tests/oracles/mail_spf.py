"""Mail::SPF as an oracle: Perl's implementation (Debian's libmail-spf-perl) in one long-lived process.

Its look-ups come back here and are answered from the case's zones.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.oracles.case import Case, Verdict
from tests.oracles.zones import World, response

NAME = "Mail::SPF"
_SCRIPT = Path(__file__).with_suffix(".pl")


class MailSpf:
    """One Perl process; ``close`` ends it."""

    def __init__(self) -> None:
        self._perl = subprocess.Popen(
            ["perl", str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def close(self) -> None:
        self._perl.communicate()

    def check(self, case: Case, world: World) -> Verdict:
        told = self._put({"ip": case.ip, "sender": case.sender, "helo": case.helo})
        while "ask" in told:
            wire = response(world, *told["ask"])
            told = self._put({"wire": wire.hex() if wire is not None else None})
        return Verdict(told["result"], told["explanation"])

    def _put(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self._perl.stdin and self._perl.stdout
        self._perl.stdin.write(json.dumps(message) + "\n")
        line = self._perl.stdout.readline()
        assert line, "perl ended: is libmail-spf-perl installed?"
        return dict(json.loads(line))
