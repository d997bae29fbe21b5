"""How large things may be: the sizes at which Sentry answers 413.

The sizes are those of https://develop.sentry.dev/sdk/foundations/transport/envelopes/#size-limits, the way of
counting is Relay's (`relay-server/src/utils/sizes.rs`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.collector.messages import Refused
from harness.wire.envelope import Envelope, Item

_KIB = 1024
_MIB = 1024 * _KIB
_SIZE = re.compile(r"([0-9]{1,6})\s*(KiB|MiB|GiB)")
_UNITS = {"KiB": _KIB, "MiB": _MIB, "GiB": 1024 * _MIB}

LARGEST_BODY = 200 * _MIB
"""Largest body of any request, on the wire and decoded."""

LARGEST_EVENT = _MIB
"""Largest body of a request that is one event."""


def parse_size(text: str) -> int:
    """Read a size as people write it.

    Args:
        text: For example `64 MiB`; the units are KiB, MiB and GiB.

    Returns:
        The size in bytes.

    Raises:
        ValueError: The text is not a size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a size; write a number with KiB, MiB or GiB, such as 256 MiB")
    return int(found[1]) * _UNITS[found[2]]


@dataclass(frozen=True, slots=True)
class _Limit:
    """Bound on the items of one group in an envelope.

    Attributes:
        group: The group that the item belongs to, in words.
        item_size: Most bytes of one item; of a container, most bytes of one of its entries on average.
        count: Most items of the group; None for any number.
    """

    group: str
    item_size: int
    count: int | None = 1


_EVENT = _Limit("event", LARGEST_EVENT)
_PROFILE = _Limit("profile", 50 * _MIB)
_SESSION = _Limit("session", LARGEST_BODY, 100)

_LIMITS: dict[str, _Limit] = {
    "event": _EVENT,
    "transaction": _EVENT,
    "feedback": _EVENT,
    "security": _EVENT,
    "raw_security": _EVENT,
    "replay_event": _EVENT,
    "form_data": _EVENT,
    "replay_recording": _Limit("replay recording", 10 * _MIB),
    "replay_video": _Limit("replay video", 10 * _MIB),
    "session": _SESSION,
    "sessions": _SESSION,
    "client_report": _Limit("client report", 4 * _KIB, None),
    "profile": _PROFILE,
    "profile_chunk": _PROFILE,
    "check_in": _Limit("check-in", 100 * _KIB),
    "log": _Limit("log", _MIB),
    "trace_metric": _Limit("metric", _MIB),
    "span": _Limit("span container", _MIB),
}
_SINGLE_SPAN = _Limit("span", _MIB, None)


def check_item_limits(envelope: Envelope) -> None:
    """Refuse an envelope that holds too large or too many items of a kind.

    Args:
        envelope: The envelope. Items of unknown types are not limited.

    Raises:
        Refused: It is too large, with status 413.
    """
    counts: dict[str, int] = {}
    for item in envelope.items:
        limit = _limit_of(item)
        if limit is None:
            continue
        count = counts[limit.group] = counts.get(limit.group, 0) + 1
        if limit.count is not None and count > limit.count:
            raise _overflow(item, f"an envelope may hold {limit.count} of group '{limit.group}', this one has more")
        size = len(item.payload) // _entries(item)
        if size > limit.item_size:
            raise _overflow(item, f"{size} bytes, at most {limit.item_size} are allowed")


def _limit_of(item: Item) -> _Limit | None:
    if item.type == "span" and not _is_container(item):
        return _SINGLE_SPAN
    return _LIMITS.get(item.type)


def _is_container(item: Item) -> bool:
    return (item.content_type or "").startswith("application/vnd.sentry.items.")


def _entries(item: Item) -> int:
    declared = item.headers.get("item_count")
    return declared if _is_container(item) and isinstance(declared, int) and declared > 0 else 1


def _overflow(item: Item, cause: str) -> Refused:
    return Refused(413, f"envelope exceeded size limits for type '{item.type}'", cause)
