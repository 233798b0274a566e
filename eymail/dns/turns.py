"""Which server is asked when, and whether what it said is an answer: the rules of every look-up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from eymail.dns.answers import NoAnswer, Why
from eymail.dns.exchange import question
from eymail.dns.servers import Server
from eymail.errors import NotFound

if TYPE_CHECKING:
    import dns.message

TRIES = 2
ASK_AGAIN = (Why.TIMEOUT, Why.MALFORMED)
_FIRST_TRY = 3.0
_CODE_HINTS = {
    Why.SERVFAIL: "the zone is broken, or its servers cannot be reached",
    Why.REFUSED: "it does not serve this zone, or not this machine",
}


def until(end: float, *, last: bool) -> float:
    """When a try ends: the last has all that is left, others half of it and 3 s at most."""
    now = time.time()
    return end if last else min(end, now + min(_FIRST_TRY, max(0.0, end - now) / 2))


def most_telling(failed: list[NoAnswer]) -> NoAnswer:
    return next((error for error in failed if error.why not in ASK_AGAIN), failed[-1])


def checked(
    server: Server, answer: dns.message.Message, query: dns.message.Message
) -> dns.message.ChainingResult:
    """What an answer says, when its code says that it is one and its records hang together.

    Raises NotFound when the name does not exist, NoAnswer.
    """
    import dns.exception
    import dns.flags
    import dns.rcode

    code = answer.rcode()
    if code == dns.rcode.NXDOMAIN:
        name = query.question[0].name.to_text(omit_final_dot=True)
        raise NotFound(f"{name} does not exist in the DNS", "is it spelt right?")
    if code != dns.rcode.NOERROR:
        text = dns.rcode.to_text(code)
        why = Why(text) if text in ("SERVFAIL", "REFUSED") else Why.OTHER_CODE
        told = f"name server {server} answered {text}: {question(query)}"
        raise NoAnswer(why, told, _CODE_HINTS.get(why, "another: --server"))
    try:
        found: dns.message.ChainingResult = cast("dns.message.QueryMessage", answer).resolve_chaining()
    except dns.exception.DNSException as error:
        told = f"name server {server} sent an answer that makes no sense: {question(query)}"
        raise NoAnswer(Why.MALFORMED, told, f"{type(error).__name__}") from error
    if answer.flags & dns.flags.TC or (found.answer is None and not found.cnames and answer.answer):
        told = f"name server {server} sent an answer that is cut, or about something else: {question(query)}"
        raise NoAnswer(Why.MALFORMED, told, "something there is no name server, or is a broken one")
    if found.answer is None and _is_referral(answer):
        told = f"name server {server} answers for other zones only: {question(query)}"
        raise NoAnswer(Why.REFERRAL, told, "ask one that looks up for others, or that serves this zone")
    return found


def _is_referral(answer: Any) -> bool:
    """Does an answer without records name other servers? It then says nothing (RFC 2308 section 2.2)."""
    import dns.flags
    import dns.rdatatype

    kinds = {rrset.rdtype for rrset in answer.authority}
    sent_on = dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds
    return sent_on and not answer.flags & dns.flags.RA
