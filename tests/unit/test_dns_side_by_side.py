"""Look-ups at once: in order, bounded, errors in their place."""

from __future__ import annotations

import threading

import pytest

from eymail.dns.side_by_side import AT_ONCE, MOST, at_once
from eymail.errors import DnsError, NotFound


def test_answers_come_in_the_order_asked_with_errors_in_their_place() -> None:
    gate = threading.Event()

    def look_up(number: int) -> int:
        if number == 0:
            assert gate.wait(30)  # the first to start is the last to end
        if number == 3:
            gate.set()
        if number == 1:
            raise NotFound("one")
        if number == 2:
            raise DnsError("two")
        return number

    answers = at_once(look_up, [0, 1, 2, 3])
    assert answers[0] == 0 and answers[3] == 3
    assert isinstance(answers[1], NotFound) and isinstance(answers[2], DnsError)


def test_no_questions() -> None:
    assert at_once(len, []) == ()


def test_bounded() -> None:
    """All that may run at once do; one more never does."""
    lock, running, most = threading.Lock(), 0, 0
    full = threading.Barrier(AT_ONCE)

    def look_up(_number: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        full.wait(30)
        with lock:
            running -= 1

    at_once(look_up, range(AT_ONCE * 3))
    assert most == AT_ONCE


def test_an_error_of_our_own_making_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        at_once(lambda number: 1 // number, [1, 0])


def test_a_thousand_questions_are_not_a_thousand_look_ups() -> None:
    asked: list[int] = []
    found = at_once(asked.append, range(1000))
    assert sorted(asked) == list(range(MOST))
    assert found[:MOST] == (None,) * MOST
    assert len(found) == 1000
    assert {str(one) for one in found[MOST:]} == {
        f"not asked: 1000 were named, and no more than {MOST} are asked"
    }
