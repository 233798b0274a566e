"""The versioned JSON envelope: {"eymail": 1, "command", "status", "data", "errors"}."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum

from eymail.model import Failure, Result

VERSION = 1


def envelope(command: str, result: Result) -> str:
    """A result's envelope; status ``partial`` when something is missing from it."""
    status = "partial" if result.failures else "ok"
    return _dump(command, status, _plain(result), result.failures)


def error_envelope(command: str, *failures: Failure) -> str:
    """The envelope of an error, or several, that left no result."""
    return _dump(command, "error", None, failures)


def opening(command: str, field: str) -> str:
    """The beginning of an envelope whose list ``field`` comes in many results."""
    return f'{{"eymail": {VERSION}, "command": {json.dumps(command)}, "data": {{"{field}": ['


def item(value: object) -> str:
    """One value of that list."""
    return json.dumps(_plain(value))


def closing(last: Result, field: str, failures: Iterable[Failure]) -> str:
    """The end of it: the last result's other fields, and what kept further ones away."""
    told = [_plain(failure) for failure in failures]
    rest = "".join(
        f", {json.dumps(one.name)}: {json.dumps(_plain(getattr(last, one.name)))}"
        for one in fields(last)  # type: ignore[arg-type]  # every Result is a dataclass
        if one.name != field and one.metadata.get("json", True)
    )
    return f']{rest}}}, "status": "{"partial" if told else "ok"}", "errors": {json.dumps(told)}}}'


def _dump(command: str, status: str, data: object, failures: Iterable[Failure]) -> str:
    return json.dumps(
        {
            "eymail": VERSION,
            "command": command,
            "status": status,
            "data": data,
            "errors": [_plain(failure) for failure in failures],
        }
    )


def _plain(value: object) -> object:
    public = getattr(value, "public", None)
    if callable(public):  # a value that has fields to hide says itself what may be shown
        return _plain(public())
    if is_dataclass(value) and not isinstance(value, type):
        shown = (field for field in fields(value) if field.metadata.get("json", True))
        return {field.name: _plain(getattr(value, field.name)) for field in shown}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
