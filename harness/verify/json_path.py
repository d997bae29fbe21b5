"""Walking through decoded JSON with the path to every value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def walk(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """Every value inside `value`, itself first, each with its JSON path."""
    pending: list[tuple[str, Any]] = [(path, value)]
    while pending:
        here, held = pending.pop()
        yield here, held
        if isinstance(held, dict):
            pending.extend((member(here, key), entry) for key, entry in reversed(held.items()))
        elif isinstance(held, list):
            pending.extend((f"{here}[{index}]", entry) for index, entry in reversed(list(enumerate(held))))


def member(path: str, key: object) -> str:
    """The path of an object's member."""
    name = str(key)
    return f"{path}.{name}" if _PLAIN_KEY.fullmatch(name) else f"{path}[{name!r}]"
