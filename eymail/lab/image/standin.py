#!/usr/bin/python3
"""A remote mail host that behaves in one chosen way, and remembers who came with what.

Modes: accept, lmtp (accept, then hand on to a Dovecot here), busy (4xx at RCPT), later (4xx after DATA),
reject (5xx at RCPT), hang (connects, never speaks). Every message and refusal is a line of JSON in
/var/lib/standin/messages.jsonl: at, peer, helo, tls, sender, recipients, answer, data.
"""

from __future__ import annotations

import asyncio
import json
import os
import smtplib
import ssl
import sys
import time
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

RECORD = Path("/var/lib/standin/messages.jsonl")
CERTIFICATE = Path("/etc/ssl/eymail/cert.pem")
# A host of the lab has the one address that the lab gave it.
EVERYWHERE = "0.0.0.0"  # noqa: S104
AT_RCPT = {"busy": "451 4.7.1 Greylisted, please try again later", "reject": "550 5.1.1 No such user here"}
AT_DATA = {"later": "452 4.2.2 Mailbox is over quota, try again later"}


class Standin:
    """aiosmtpd's handler: answers as the mode says and records what it saw."""

    def __init__(self, mode: str) -> None:
        self.mode = mode

    async def handle_RCPT(  # aiosmtpd's name for it
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        answer = AT_RCPT.get(self.mode)
        if answer:
            record(session, envelope, [address], answer, "")
            return answer
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = AT_DATA.get(self.mode, "250 2.0.0 OK")
        if self.mode == "lmtp":
            await asyncio.to_thread(hand_on, envelope)
        record(session, envelope, envelope.rcpt_tos, answer, envelope.content.decode("utf-8", "replace"))
        return answer


def record(session: Any, envelope: Any, recipients: list[str], answer: str, data: str) -> None:
    line = {
        "at": time.time(),
        "peer": session.peer[0],
        "helo": session.host_name,
        "tls": session.ssl is not None,
        "sender": envelope.mail_from,
        "recipients": recipients,
        "answer": answer,
        "data": data,
    }
    with RECORD.open("a") as file:
        file.write(json.dumps(line) + "\n")


def hand_on(envelope: Any) -> None:
    with smtplib.LMTP("/run/dovecot/lmtp") as lmtp:
        lmtp.sendmail(envelope.mail_from or "", envelope.rcpt_tos, envelope.content)


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def serve(mode: str) -> None:
    if mode == "hang":
        await asyncio.start_server(hang, EVERYWHERE, 25)
        return
    context = None
    if CERTIFICATE.exists():
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATE, "/etc/ssl/eymail/key.pem")

    def factory() -> SMTP:
        return SMTP(Standin(mode), tls_context=context, enable_SMTPUTF8=True, hostname=os.uname().nodename)

    await asyncio.get_running_loop().create_server(factory, EVERYWHERE, 25, backlog=128)


async def main() -> None:
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    await serve(sys.argv[1])
    await asyncio.Event().wait()


asyncio.run(main())
