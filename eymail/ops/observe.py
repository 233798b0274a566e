"""Which address the outside really sees: a message through the cluster to a host that can tell.

In the lab the remote hosts tell what they saw. On a real cluster the message goes to an address that the
administrator names, who looks there; eymail has not seen it and says so.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import TYPE_CHECKING

from eymail.config import Cluster, HostEntry, Role
from eymail.errors import ConfigError, EymailError, LabError
from eymail.mail.checks import NOT_CHECKED as NOT_CHECKED
from eymail.model import Address
from eymail.ops.side_by_side import on_each

if TYPE_CHECKING:
    from eymail.env import Env
    from eymail.hosts import Host
    from eymail.lab.state import State

IN_THE_LAB = "observer@accept.example"
_WAIT = 20.0
_POLL = 0.2


@dataclass(frozen=True)
class Observation:
    """A message that was sent to find out which address it comes from.

    ``seen`` is the address that the outside saw, or "not checked"; ``via`` the hosts on the message's
    way as far as they are known, ``detail`` what else is to be said.
    """

    sender: str
    recipient: str
    seen: str
    via: str
    detail: str


def source(env: Env, cluster: Cluster, sender_domain: str = "", to: str = "") -> Observation:
    """Send a message from a slice of the cluster by way of ``smtp``, and see from where it arrives.

    The sender is an address of ``sender_domain`` (the cluster's own zone if empty) that nobody else
    uses, the recipient ``to``; in the lab a remote host there if empty. Whatever goes wrong is told
    as "not checked", with the reason. Raises InvalidInput when ``to`` is no address.
    """
    from eymail.lab import witness

    lab = witness.lab_of(env.config.path)
    recipient = parse_recipient(to) or (IN_THE_LAB if lab else "")
    sender = f"eymail-{secrets.token_hex(6)}@{sender_domain or cluster.zone}"
    if not recipient:
        return _unseen(sender, "", "", "no address outside was named to send a message to")
    try:
        slice_name, answer = _send(env, cluster, sender, recipient)
    except EymailError as error:
        return _unseen(sender, recipient, "", " ".join(error.message.split()))
    way = f"{slice_name}, smtp"
    return _seen_in_lab(lab, sender, recipient, way, answer) if lab else _sent(sender, recipient, way)


def of_each(
    env: Env, cluster: Cluster, sender_domain: str, to: str = ""
) -> tuple[tuple[str, Observation], ...]:
    """A message from each relay and deferred host itself, by its own Exim, and what is seen of it.

    ``smtp`` leads to one relay at a time, and only what a remote host does not take leads to a deferred
    host: this shows all of them. Each by its name, in the inventory's order.
    """
    from eymail.lab import witness

    lab = witness.lab_of(env.config.path)
    recipient = parse_recipient(to) or (IN_THE_LAB if lab else "")
    entries = cluster.with_role(Role.RELAY, Role.DEFERRED)
    if not recipient:
        return ()
    senders = {entry.name: f"eymail-{secrets.token_hex(6)}@{sender_domain}" for entry in entries}
    hosts = [env.host_at(entry) for entry in entries]
    work = on_each(hosts, lambda host: _submit(host, senders[host.name], recipient), _WAIT)
    sent = {host.name: answer for host, answer in work}
    return tuple(
        (name, _outcome(lab, sender, recipient, name, sent[name])) for name, sender in senders.items()
    )


def _submit(host: Host, sender: str, recipient: str) -> str:
    """Have a host's own Exim deliver a message at once; the last that it says of it."""
    argv = ("exim4", "-odi", "-v", "-f", sender, recipient)
    done = host.run(argv, input=_message(sender, recipient).replace(b"\r\n", b"\n"), timeout=_WAIT)
    lines = [line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else f"exim4 ended with code {done.code}"


def _outcome(
    lab: State | None, sender: str, recipient: str, name: str, said: str | EymailError
) -> Observation:
    if isinstance(said, EymailError):
        return _unseen(sender, recipient, name, " ".join(said.message.split()))
    return _seen_in_lab(lab, sender, recipient, name, said) if lab else _sent(sender, recipient, name)


def parse_recipient(text: str) -> str:
    """Where to send the message, empty for where the lab looks. Raises InvalidInput."""
    return str(Address.parse(text)) if text else ""


def _unseen(sender: str, recipient: str, way: str, detail: str) -> Observation:
    return Observation(sender, recipient, NOT_CHECKED, way, detail)


def _sent(sender: str, recipient: str, way: str) -> Observation:
    look = f"look at {recipient}: the uppermost Received line of the message from {sender} has the address"
    return _unseen(sender, recipient, way, look)


def _send(env: Env, cluster: Cluster, sender: str, recipient: str) -> tuple[str, str]:
    """The slice that the message went through, the first that can be reached, and the relay's answer."""
    slices = cluster.with_role(Role.SLICE)
    failed: EymailError = ConfigError(f"cluster {cluster.name} has no slice to send a message from")
    for entry in slices:
        try:
            return entry.name, _send_from(env, entry, sender, recipient)
        except EymailError as error:
            failed = error
    raise failed


def _send_from(env: Env, entry: HostEntry, sender: str, recipient: str) -> str:
    from eymail.hosts.splice import as_socket
    from eymail.mail.bounded import Bounded
    from eymail.mail.smtp import send

    channel = env.host_at(entry).connect("smtp", 25, env.config.ssh.timeout)
    return send(as_socket(Bounded(channel)), "smtp", sender, recipient, _message(sender, recipient))


def _message(sender: str, recipient: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = sender, recipient
    message["Subject"] = "eymail asks which address this comes from"
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{sender}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("The uppermost Received line says which address this message came from.")
    return message.as_bytes()


def _seen_in_lab(lab: State, sender: str, recipient: str, way: str, answer: str) -> Observation:
    from eymail.lab import witness

    host = witness.watching(lab, recipient.rpartition("@")[2])
    if not host:
        return _unseen(sender, recipient, way, f"no host of the lab keeps a record for {recipient}")
    end = time.monotonic() + _WAIT
    try:
        while time.monotonic() < end:
            for one in witness.sightings(lab, host):
                if one.sender == sender:
                    detail = f"{host} answered {one.answer}"
                    return Observation(sender, recipient, one.peer, f"{way}, {one.helo}", detail)
            time.sleep(_POLL)
    except LabError as error:
        return _unseen(sender, recipient, way, error.message)
    told = f"the answer was {answer}, and nothing was seen at {host} within {_WAIT:g} s"
    return _unseen(sender, recipient, way, told)
