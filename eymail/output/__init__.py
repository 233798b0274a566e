"""Any result as a table, as plain lines, or as JSON; no command formats its own."""

from __future__ import annotations

from eymail.output.escape import clean
from eymail.output.json import envelope, error_envelope
from eymail.output.show import Format, Printer

__all__ = ["Format", "Printer", "clean", "envelope", "error_envelope"]
