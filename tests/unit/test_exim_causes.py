"""The last error: from message logs as they really are, and from what exim_dumpdb prints."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eymail.exim.causes import RetryDatabase, hidden_domain, last_errors, routed_hosts
from tests.unit.exim_spool import NOT_YET

LOG = b"""\
2026-11-24 09:30:37 Received from s1@sender.example U=root P=local S=300
2026-11-24 09:30:40 H=127.0.0.3 [127.0.0.3]: SMTP timeout after initial connection: Connection timed out
2026-11-24 09:30:40 a1@hang.example R=rem T=smtp defer (110): Connection timed out H=h [1.2.3.4]: SMTP timeout
2026-11-24 09:30:40.123 +0100 one@refused.example <a1@alias.example> R=r T=t defer (111): Connection refused
2026-11-24 09:30:40 b@busy.example <B@Busy.Example> R=rem T=smtp defer (-44) H=h [1.2.3.4]: SMTP error: 451 no
2026-11-24 09:30:40 "x <y> z"@odd.example R=rem T=smtp defer (101): Network is unreachable
unstamped@x.example R=rem defer (-1): host lookup did not complete
2026-11-24 09:30:40 a2@servfail.example routing defer (-52): retry time not reached
2026-11-24 09:30:40 f1@x.example R=r defer (1): first2026-11-24 09:30:41 f2@x.example R=r defer (1): second
2026-11-24 09:30:40 routing failed for s2@sender.example: Unrouteable address
2026-11-24 09:30:41 three@accept.example: smtp transport succeeded
*** Frozen (delivery error message)
"""

DUMP = rb"""  R:a1@busy.example:<s1@sender.example> -44 13121 H=127.0.0.4 [127.0.0.4]: SMTP error from remote mail server after RCPT TO:<a1@busy.example>: 451 4.7.1 Greylisted, please try
24-Nov-2026 09:30:37  24-Nov-2026 09:30:37  24-Nov-2026 09:45:37 
  R:servfail.example -1 0 host lookup did not complete
24-Nov-2026 09:30:40  24-Nov-2026 09:30:40  24-Nov-2026 09:45:40 *
  T:mx.Hang.example:127.0.0.3:26 110 65 Connection timed out
24-Nov-2026 09:30:40  24-Nov-2026 09:30:40  24-Nov-2026 09:45:40 
  T:mx.mail4.example:127.0.0.12/10.44.0.13:1xVmrF-00001Y-0p -45 12865 H=127.0.0.12 [127.0.0.12]: SMTP error: 450-4.7.0 multi\n450 4.7.0 line policy
24-Nov-2026 09:30:40  24-Nov-2026 09:30:40  24-Nov-2026 09:45:40 
  T:[127.0.0.9]:127.0.0.9 111 65 Connection refused
24-Nov-2026 09:30:40  24-Nov-2026 09:30:40  24-Nov-2026 09:45:40 
  T:full@mail.example -22 0 mailbox is full
24-Nov-2026 09:30:40  24-Nov-2026 09:30:40  24-Nov-2026 09:45:40 
"""  # noqa: E501, W291 - as the program prints it


def test_every_kind_of_line_is_understood() -> None:
    errors = {recipient: text for recipient, (text, *_) in last_errors(LOG).items()}
    assert errors == {
        b"a1@hang.example": b"Connection timed out H=h [1.2.3.4]: SMTP timeout",
        b"a1@alias.example": b"Connection refused",
        b"B@Busy.Example": b"H=h [1.2.3.4]: SMTP error: 451 no",
        b'"x <y> z"@odd.example': b"Network is unreachable",
        b"unstamped@x.example": b"host lookup did not complete",
        b"a2@servfail.example": b"retry time not reached",
        b"f1@x.example": b"first",
        b"f2@x.example": b"second",
        b"s2@sender.example": b"Unrouteable address",
    }


def test_the_last_error_counts_and_the_last_real_one_is_kept() -> None:
    line = b"a@x R=r T=t defer (1): %s\n"
    log = line % b"one" + line % b"two" + line % b"retry time not reached for any host for 'x'"
    assert last_errors(log) == {b"a@x": (b"retry time not reached for any host for 'x'", b"two", b"a@x")}


def test_the_retry_database_is_searched_from_the_recipient_to_the_host() -> None:
    database = RetryDatabase.parse(DUMP)
    assert b"Greylisted" in database.of_message(b"a1@busy.example", b"s1@sender.example", b"x")
    assert database.of_message(b"a1@busy.example", b"s2@sender.example", b"x") == b""
    assert database.of_message(b"who@SERVFAIL.example", b"", b"x") == b"host lookup did not complete"
    assert database.of_message(b"full@mail.example", b"", b"x") == b"mailbox is full"
    assert b"line policy" in database.of_message(b"a@mail4.example", b"", b"1xVmrF-00001Y-0p")
    assert database.of_hosts([b"other.example", b"MX.hang.example"]) == b"Connection timed out"
    assert database.of_hosts([b"127.0.0.9"]) == b"Connection refused"
    assert database.of_hosts([b"other.example"]) == b""
    assert database.of_hosts([b"mx.mail4.example"]) == b""  # that error was one message's alone


def test_the_hidden_domain_is_the_one_that_is_not_tried() -> None:
    assert hidden_domain(NOT_YET, b"ann@alias.example") == b"busy.example"
    assert hidden_domain(b"retry time not reached", b"ann@Alias.example") == b"alias.example"


def test_only_plain_addresses_are_given_to_a_program() -> None:
    assert (
        routed_hosts("/bin/false", [b"-bs", b"-x@y.example", b"${run{id}}@x.example", b"a b@x.example"]) == {}
    )
    assert routed_hosts("/nonexistent", [b"a@x.example"]) == {}


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_random_bytes_raise_nothing(log: bytes, text: bytes) -> None:
    last_errors(log)
    last_errors(b"2026-11-24 09:30:37 a@x R=r defer (1): " + log + b" defer (1): " + text)
    database = RetryDatabase.parse(DUMP + log)
    database.of_message(log, text, log)
