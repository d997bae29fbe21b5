"""Reading loosely shaped JSON: what an SDK sends is evidence, so a wrong shape must be readable, not fatal."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def mapping(value: object) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """The value if it is a JSON array; the ``values`` of Sentry's older ``{"values": [...]}`` form; else empty."""
    if isinstance(value, dict):
        value = value.get("values")
    return value if isinstance(value, list) else []


def text(value: object) -> str | None:
    """The value if it is a string, else None."""
    return value if isinstance(value, str) else None


def number(value: object) -> float | None:
    """The value if it is a JSON number, else None."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def pairs(value: object) -> dict[str, Any]:
    """Tags in either of the forms that Sentry takes: an object or a list of pairs."""
    if isinstance(value, list):
        return {str(pair[0]): pair[1] for pair in value if isinstance(pair, list) and len(pair) == 2}
    return mapping(value)


def seconds(value: object) -> float | None:
    """A Sentry timestamp (seconds since the epoch, or RFC 3339 text; UTC when no zone is given) as seconds."""
    if not isinstance(value, str):
        return number(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def attributes(value: object) -> dict[str, Any]:
    """Attributes of streamed spans, logs and metrics as plain values.

    On the wire each is ``{"value": ..., "type": ...}`` (develop.sentry.dev, "Span v2 protocol").
    """
    return {
        key: held["value"] if isinstance(held, dict) and "value" in held else held
        for key, held in mapping(value).items()
    }


def visible(value: str) -> str:
    """Text that cannot act on where it is shown: control characters, and those that turn the direction, are named."""
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", value)


def one_line(value: str, limit: int = 120) -> str:
    """Text for one line of a listing: runs of white space become one space, and what is too long is cut."""
    line = visible(" ".join(value.split()))
    return line if len(line) <= limit else line[: limit - 3] + "..."
