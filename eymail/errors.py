"""What can go wrong, as classes with a stable code, an exit code and a hint.

Every error that eymail foresees is one of these. ``cli.main`` is the only place
that turns them into text, an envelope and an exit code.
"""

from __future__ import annotations

from typing import ClassVar


class EymailError(Exception):
    """One clear sentence, and a hint that says what to do next.

    ``code`` is stable and meant for scripts; ``exit_code`` is the process's.
    """

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def parts(self) -> tuple[EymailError, ...]:
        """The errors to tell of: this one, and those that it sums up."""
        return (self,)


class InvalidInput(EymailError):
    """An argument is not what it should be: an address, a domain, a password."""

    code = "invalid-input"
    exit_code = 2


class BadLines(InvalidInput):
    """Lines of a file are not what they should be; ``each`` of them is told, by its number."""

    code = "bad-lines"

    def __init__(self, message: str, hint: str, each: tuple[EymailError, ...]) -> None:
        super().__init__(message, hint)
        self.each = each

    @property
    def parts(self) -> tuple[EymailError, ...]:
        return (self, *self.each)


class ConfigError(EymailError):
    """The configuration file is missing, unreadable or wrong."""

    code = "config"


class NotFound(EymailError):
    """What was named does not exist."""

    code = "not-found"


class DnsError(EymailError):
    """The DNS gave no usable answer."""

    code = "dns"


class HostError(EymailError):
    """A host could not be reached, or a command on it failed."""

    code = "host"


class HostKeyError(HostError):
    """A host's key is unknown or has changed; nothing was sent to it."""

    code = "host-key"


class AuthError(EymailError):
    """A login was refused."""

    code = "auth"


class ServiceError(EymailError):
    """A mail service (IMAP, POP3, SMTP) could not be reached or misbehaved."""

    code = "service"


class DirectoryError(EymailError):
    """The directory could not be opened, read or written."""

    code = "directory"


class LabError(EymailError):
    """The lab cannot run here, or a part of it did not come up."""

    code = "lab"


class PartlyApplied(EymailError):
    """Some steps of a plan were done and a later one failed."""

    code = "partly-applied"
    exit_code = 4


class InDoubt(EymailError):
    """Nobody can tell whether a step was done: the answer was lost, or the process interrupted."""

    code = "in-doubt"
    exit_code = 4


class StalePlan(EymailError):
    """The world is no longer as the plan saw it; nothing was changed."""

    code = "stale-plan"
    exit_code = 5


class Refused(EymailError):
    """A change was refused as unsafe, or because nobody could be asked."""

    code = "refused"
    exit_code = 5
