"""Reasons by meaning: the same trouble reads the same whatever host, address or number is in its text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eymail.exim.reasons import group
from eymail.output import clean

AFTER = "H=mx1.example [198.18.0.62]: SMTP error from remote mail server after "


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("Connection refused", "connection refused"),
        ("Connection timed out H=m [1.2.3.4]: SMTP timeout after initial connection", "connection timed out"),
        ("SMTP timeout after sending data block (8192 bytes written)", "connection timed out"),
        ("mx.busy.example [198.18.0.62] 451 4.7.1 greylisted, try later", "451 4.7.1 greylisted"),
        ("mx.busy.example [198.18.0.62] Connection refused", "connection refused"),
        ("Network is unreachable", "no route"),
        ("No route to host", "no route"),
        ("host lookup did not complete", "DNS failure"),
        ("all relevant MX records point to non-existent hosts", "DNS failure"),
        ("H=mx [::1]: a TLS session is required, but the server did not offer TLS support", "TLS failure"),
        ("(gnutls_handshake): The TLS connection was non-properly terminated.", "TLS failure"),
        ("H=mx [1.2.3.4]: Remote host closed connection in response to RCPT TO:<a@b>", "connection closed"),
        ("retry time not reached for any host for 'busy.example'", "retry time not reached"),
        ("Unrouteable address", "unrouteable address"),
        (AFTER + "initial connection: 421 4.7.0 [1.2.3.4] too many connections, try later", "421 4.7.0 busy"),
        (AFTER + "initial connection: 421 mx1 Service not available", "421 busy"),
        (AFTER + "RCPT TO:<ann@b.example>: 451 4.7.1 Greylisted for 287 seconds", "451 4.7.1 greylisted"),
        (AFTER + "RCPT TO:<451 @x>: 450 4.2.0 <a@b>: Greylisted", "450 4.2.0 greylisted"),
        (AFTER + "RCPT TO:<a@b>: 452 4.2.2 <a@b>: mailbox is over quota", "452 4.2.2 over quota"),
        (AFTER + "MAIL FROM:<a@b>: 450 4.1.8 <a@b>: Sender: Domain not found", "450 4.1.8 DNS failure"),
        (AFTER + r"MAIL FROM:<a@b>: 450-4.7.0 multi\n450 4.7.0 line policy", "450 4.7.0 policy"),
        (AFTER + "pipelined MAIL FROM:<a@b>: 454 4.7.0 TLS not available now", "454 4.7.0 TLS failure"),
        (AFTER + "end of data: 451 4.3.0 temporary local problem id 12345", "451 4.3.0 local problem"),
        (AFTER + "end of data: 550 5.7.26 email from x.example is refused by DMARC policy",
         "550 5.7.26 policy"),
        (AFTER + "end of data: 451 wombat 7 has <eaten> 'this' at 12:30", "451 wombat has at"),
        ("", "unknown error"),
    ],
)  # fmt: skip
def test_meaning(error: str, reason: str) -> None:
    assert group(error) == reason


@pytest.mark.parametrize("host", ["mx1.example [198.18.0.1]", "mx2.example [2001:db8::1]:2525"])
@pytest.mark.parametrize(
    "rest", ["<a@x>: odd trouble 17 of queue 1rKDq4", "<b@y>: odd trouble 4711 of queue 9aBcD2"]
)
def test_hosts_addresses_and_numbers_make_no_difference(host: str, rest: str) -> None:
    error = f"H={host}: SMTP error from remote mail server after RCPT TO:<q@r>: 451 4.0.0 {rest}"
    assert group(error) == "451 4.0.0 odd trouble of queue"


@given(st.text(max_size=300))
def test_any_text_becomes_a_few_printable_words(text: str) -> None:
    for error in (text, AFTER + "end of data: 451 " + text):
        reason = group(error)
        assert reason and reason == clean(reason) and len(reason) <= 80 and "\n" not in reason
