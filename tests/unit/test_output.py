"""One result, three forms; nothing hostile reaches the screen; notes stay off stdout."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from hypothesis import given
from hypothesis import strategies as st

from eymail.model import Failure, Result, View
from eymail.output import Format, Printer, clean, envelope


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Sample(Result):
    names: tuple[str, ...]
    at: datetime = datetime(2026, 1, 2, tzinfo=UTC)
    colour: Colour = Colour.RED
    secret: str = field(default="hush", metadata={"json": False})
    missing: tuple[Failure, ...] = ()

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.missing

    def view(self) -> View:
        rows = tuple((name, len(name), None, True) for name in self.names)
        return View(("name", "length", "nothing", "truth"), rows, "Names", notes=("a note",))


def printed(form: Format, result: Result) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    Printer(form, "never", out=out, err=err).result("sample", result)
    return out.getvalue(), err.getvalue()


def test_plain_lines_are_tab_separated_and_alone_on_stdout() -> None:
    assert printed(Format.PLAIN, Sample(("one", "three"))) == ("one\t3\t\tyes\nthree\t5\t\tyes\n", "a note\n")


def test_a_table_has_title_and_header() -> None:
    out, err = printed(Format.TABLE, Sample(("one",)))
    assert out.splitlines()[0] == "Names"
    assert "length" in out
    assert "\x1b" not in out
    assert err == "a note\n"


def test_json_is_the_fields_in_the_envelope() -> None:
    out, err = printed(Format.JSON, Sample(("one",)))
    assert json.loads(out) == {
        "eymail": 1,
        "command": "sample",
        "status": "ok",
        "data": {"names": ["one"], "at": "2026-01-02T00:00:00+00:00", "colour": "red", "missing": []},
        "errors": [],
    }
    assert err == ""


def test_a_partial_result_says_what_is_missing() -> None:
    partial = Sample(("one",), missing=(Failure("host", "relay1 did not answer", "is it up?"),))
    told = json.loads(envelope("sample", partial))
    assert told["status"] == "partial"
    assert told["errors"] == [{"code": "host", "message": "relay1 did not answer", "hint": "is it up?"}]
    assert partial.exit_code == 1
    assert printed(Format.PLAIN, partial)[1].endswith("eymail: relay1 did not answer\n  is it up?\n")


@given(st.text())
def test_no_text_can_drive_a_terminal(text: str) -> None:
    for form in (Format.PLAIN, Format.TABLE):
        out, _ = printed(form, Sample((text,)))
        assert not any(char in out for char in "\x1b\x07\x08\r\x9b\x9d\u202e\u2028")
    assert printed(Format.PLAIN, Sample((text,)))[0].count("\n") == 1
    assert printed(Format.PLAIN, Sample((text,)))[0].count("\t") == 3


def test_what_is_harmless_stays() -> None:
    assert clean("Grüße, 世界 — o'brien") == "Grüße, 世界 — o'brien"
    assert clean("\x1b[31m\n") == "\\x1b[31m\\n"
