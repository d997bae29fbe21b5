"""Envelopes that real SDKs sent, with values in them that no SDK would send."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

from harness.wire.envelope import Envelope, Item, MalformedEnvelope, MalformedPayload
from tests.fuzz.choices import Choices

CORPUS = Path(__file__).parent / "corpus"
_MOST_CHANGES = 6


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, -1e308, 5e-324, 2**63, -(2**63), 2**64, 10**300, -(10**300),
    "", " ", "\0", "a\0b", "\ufffe", "\U0010ffff", "\u202e", "\x1b[31m", "</script>", "é" * 300, "x" * 5000,
    "nan", "1e999", "9" * 400, "2026-13-45T99:99:99Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    "0" * 32, "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "http://[::1", "http://\0/", "%zz", "a=b;c",
    "4111111111111111", "eyJhbGciOiJub25lIn0.e30.", "error", "ok", "$.a[0]", "__class__", "*" * 50,
    [], [[]], [None], [1, "a", None, {}], [["a"]], [["a", "b"], ["a", {}]], [{}], {}, {"": None}, {"values": None},
    {"values": {}}, {"values": [None, 1, "x", [], {}]}, {"type": []}, {"value": {}}, {"trace_id": 5}, _nested(100),
    {"a.b[0]": {"\0": 1}}, {"trace": {"trace_id": []}}, {"frames": [1, None, {"lineno": "x", "vars": []}]},
)  # fmt: skip


@cache
def recorded() -> tuple[Envelope, ...]:
    """The envelopes of the corpus."""
    return tuple(Envelope.parse(path.read_bytes()) for path in sorted(CORPUS.glob("*.envelope")))


def varied(choices: Choices) -> Envelope:
    """A recorded envelope with some of its values replaced, in headers and payloads."""
    envelope = choices.of(recorded())
    headers = copy.deepcopy(envelope.headers)
    items = [(dict(item.headers), _payload(item)) for item in envelope.items]
    for _ in range(choices.below(_MOST_CHANGES) + 1):
        what = choices.below(8)
        headers_of_item, payload = items[choices.below(len(items))]
        if what == 0:
            _change(headers, choices)
        elif what == 1:
            _change({key: value for key, value in headers_of_item.items() if key != "type"}, choices)
            headers_of_item[choices.of(["content_type", "item_count", "filename"])] = _hostile(choices)
        elif what == 2:
            items.append(copy.deepcopy(choices.of(items)))
        elif isinstance(payload, dict | list):
            _change(payload, choices)
    made = Envelope(headers, [Item(of, _serialized(held)) for of, held in items])
    try:
        return Envelope.parse(made.serialize())
    except MalformedEnvelope:
        # Its headers have come to be nested more deeply than anybody reads them.
        return envelope


def _payload(item: Item) -> Any:
    try:
        return item.json()
    except MalformedPayload:
        return item.payload


def _serialized(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()


def _change(value: Any, choices: Choices) -> None:
    """Replace, remove or add something, somewhere inside of an object or a list."""
    places = list(_places(value))
    if not places:
        return
    container, key = places[choices.below(len(places))]
    match choices.below(6):
        case 0 if isinstance(container, dict):
            del container[key]
        case 1 if isinstance(container, dict):
            name = choices.of(HOSTILE)
            container[name if isinstance(name, str) else str(key)] = _hostile(choices)
        case 2:
            container[key] = [container[key], _hostile(choices)]
        case 3:
            other, name = places[choices.below(len(places))]
            container[key] = copy.deepcopy(other[name]) if name in other or isinstance(other, list) else None
        case _:
            container[key] = _hostile(choices)


def _hostile(choices: Choices) -> Any:
    # A copy, because it may be changed in its turn.
    return copy.deepcopy(choices.of(HOSTILE))


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        container = pending.pop()
        entries = list(container.items()) if isinstance(container, dict) else list(enumerate(container))
        found += [(container, key) for key, _ in entries]
        pending += [held for _, held in entries if isinstance(held, dict | list)]
    return found
