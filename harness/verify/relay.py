"""What Sentry's own normaliser would do to an event: Relay as a library (package ``sentry-relay``).

Relay removes what it does not understand, shortens what is too long, and says so in the ``_meta`` of its output
(https://develop.sentry.dev/sdk/foundations/data-model/event-payloads/, "Meta"); a transaction that it refuses raises.
Much of what it changes is no loss and has no remark: it derives fields, sorts tags and headers, moves ``server_name``
to the tags, splits URLs, unifies times. Only what has a remark is given here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from harness.telemetry.shape import mapping
from harness.verify.json_path import member

# Relay keeps these top-level fields as tags.
_FIELDS_AS_TAGS = frozenset({"server_name", "site"})


class RelayRefusal(Exception):
    """Relay would drop the whole event; the message is its reason."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that Relay would take away or change.

    Args:
        path: where in the event as sent, as a JSON path.
        change: whether the value would be gone, cut to a permitted length, or replaced by another.
        reason: why, in Relay's words; empty if it gives none.
        value: the value as sent, if Relay keeps it.
        size: how long a shortened value was, in characters or entries.
    """

    path: str
    change: Literal["removed", "shortened", "replaced"]
    reason: str = ""
    value: Any = None
    size: int | None = None


def is_available() -> bool:
    """Whether the package is there; it has no wheels for Windows."""
    return _normalizer() is not None


def remarks(event: dict[str, Any]) -> Iterator[Remark]:
    """What Relay would remark about an event or a transaction.

    Nothing when the package is not there.

    Args:
        event: the decoded payload.

    Raises:
        RelayRefusal: Relay would drop the event.
    """
    normalize = _normalizer()
    if normalize is None:
        return
    # What the SDK itself remarks (it shortens too) is not Relay's doing.
    sent = {name: value for name, value in event.items() if name not in ("_meta", "errors")}
    normalized = normalize(sent)
    yield from _of_node(mapping(normalized.get("_meta")), sent, normalized, "$")


@cache
def _normalizer() -> Callable[[dict[str, Any]], dict[str, Any]] | None:
    try:
        from sentry_relay.exceptions import RelayError
        from sentry_relay.processing import StoreNormalizer
    except ImportError:
        return None
    normalizer = StoreNormalizer(remove_other=True, enable_trimming=True)

    def normalize(event: dict[str, Any]) -> dict[str, Any]:
        try:
            normalized: dict[str, Any] = normalizer.normalize_event(raw_event=json.dumps(event).encode())
        except RelayError as refusal:
            # The text goes on with a native stack trace.
            raise RelayRefusal(str(refusal).partition("\n")[0]) from refusal
        return normalized

    return normalize


def _of_node(meta: dict[str, Any], sent: Any, normalized: Any, path: str) -> Iterator[Remark]:
    """Remarks of one node of ``_meta`` and of those below; `sent` and `normalized` are the values it is about."""
    yield from _own(mapping(meta.get("")), path)
    for name, below in meta.items():
        if name == "":
            continue
        if (pair := _pair(normalized, name)) is not None and not isinstance(sent, list):
            yield from _of_pair(mapping(below), sent, pair, path)
        else:
            place = _child(sent, name, path) or _renamed(sent, name) or (None, member(path, name))
            yield from _of_node(mapping(below), place[0], _value(normalized, name), place[1])


def _of_pair(meta: dict[str, Any], sent: Any, pair: list[Any], path: str) -> Iterator[Remark]:
    """Remarks of a member of an object that Relay brings into a list of pairs: tags, headers, cookies."""
    key = pair[0]
    if isinstance(sent, dict) and key in sent:
        place = member(path, key)
    elif key in _FIELDS_AS_TAGS:
        place = member("$", key)
    else:
        # The key itself is what Relay has changed.
        place = path
    yield from _own(mapping(meta.get("")), place)
    yield from _own(mapping(mapping(meta.get("0")).get("")), place)
    yield from _of_node(mapping(meta.get("1")), _value(sent, key), pair[1], place)


def _own(own: dict[str, Any], path: str) -> Iterator[Remark]:
    original = own.get("val")
    for error in own.get("err") or ():
        kind, details = (error, {}) if isinstance(error, str) else (error[0], mapping(error[1]))
        reason = details.get("reason") or details.get("attribute")
        words = kind.replace("_", " ") + (f": {reason}" if reason else "")
        yield Remark(path, "removed", words, original if original is not None else details.get("value"))
    if own.get("err"):
        return
    if path == "$.transaction" and not own.get("len"):
        # Identifiers in a name made of a URL become `*`, so that Sentry can group it; nothing is lost by that.
        return
    if own.get("rem") or own.get("len") is not None:
        yield Remark(path, "shortened", size=own.get("len"))
    elif original is not None:
        yield Remark(path, "replaced", value=original)


def _child(sent: Any, name: str, path: str) -> tuple[Any, str] | None:
    """The value one step down in the event as sent, and its path; None where nothing of that name was sent."""
    if isinstance(sent, dict):
        return (sent[name], member(path, name)) if name in sent else None
    if isinstance(sent, list) and name.isdigit():
        return _value(sent, name), f"{path}[{name}]"
    if sent is None:
        return None
    # Relay has made an object of something simpler: a text for the message, a list of breadcrumbs or exceptions.
    return sent, path


def _renamed(sent: Any, name: str) -> tuple[Any, str] | None:
    if name == "logentry" and isinstance(sent, dict) and "message" in sent:
        return sent["message"], "$.message"
    return None


def _pair(normalized: Any, name: str) -> list[Any] | None:
    found = _value(normalized, name) if isinstance(normalized, list) else None
    return found if isinstance(found, list) and len(found) == 2 else None


def _value(value: Any, name: object) -> Any:
    if isinstance(value, dict):
        return value.get(name)
    if isinstance(value, list) and str(name).isdigit() and int(str(name)) < len(value):
        return value[int(str(name))]
    return None
