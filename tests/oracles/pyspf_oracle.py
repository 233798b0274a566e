"""pyspf as an oracle, in this process: its look-ups are answered from the case's zones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import spf

from tests.oracles.case import Case, Verdict
from tests.oracles.zones import NOERROR, NXDOMAIN, World, txt_parts

NAME = "pyspf"


def check(case: Case, world: World) -> Verdict:
    spf.DNSLookup = lambda name, kind, *_args, **_more: list(_look_up(world, name, kind))
    try:
        query = spf.query(i=case.ip, s=case.sender, h=case.helo, strict=True)
        query.set_default_explanation("")
        result, _code, explanation = query.check()
    except spf.PermError:
        return Verdict("permerror")
    except spf.TempError:
        return Verdict("temperror")
    except Exception as crash:  # what it does on odd input is a finding, not the end of the run
        return Verdict(f"crash: {type(crash).__name__}")
    return Verdict(result, explanation if result == "fail" else "")


def _look_up(world: World, name: str, kind: str) -> Iterator[tuple[tuple[str, str], Any]]:
    found = world.find(name.rstrip("."), kind)
    if found.code not in (NOERROR, NXDOMAIN):
        raise spf.TempError("no answer")
    for owner, type_, value in found.records:
        yield (owner, type_), txt_parts(value) if type_ in ("TXT", "SPF") else value
