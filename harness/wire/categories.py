"""Data categories: what Sentry counts, limits and bills items by.

The names are those of `relay-base-schema/src/data_category.rs`, the quantities those that SDKs report, see
https://develop.sentry.dev/sdk/telemetry/client-reports/.
"""

from __future__ import annotations

from collections import Counter

from harness.wire.envelope import Envelope, Item, MalformedPayload

_BY_ITEM_TYPE = {
    "event": "error",
    "transaction": "transaction",
    "span": "span",
    "log": "log_item",
    "trace_metric": "trace_metric",
    "statsd": "metric_bucket",
    "metric_buckets": "metric_bucket",
    "session": "session",
    "sessions": "session",
    "attachment": "attachment",
    "profile": "profile",
    "profile_chunk": "profile_chunk",
    "replay_event": "replay",
    "replay_recording": "replay",
    "replay_video": "replay",
    "check_in": "monitor",
    "feedback": "feedback",
    "user_report": "user_report_v2",
    "security": "security",
    "raw_security": "security",
    "nel": "security",
    "client_report": "internal",
}

CATEGORIES = frozenset({*_BY_ITEM_TYPE.values(), "default"})
"""Every category that `category_of` gives."""


def category_of(item: Item) -> str:
    """The data category of an item.

    Args:
        item: The item.

    Returns:
        The category; `default` for a type that has none of its own.
    """
    return _BY_ITEM_TYPE.get(item.type, "default")


def quantities(envelope: Envelope) -> Counter[str]:
    """Count what an envelope holds as SDKs count what they discard.

    A container counts its entries; a transaction counts as itself and, with its children, as spans.

    Args:
        envelope: The envelope.

    Returns:
        How many of each category.
    """
    counted: Counter[str] = Counter()
    for item in envelope.items:
        counted[category_of(item)] += _entries(item)
        if item.type == "transaction":
            counted["span"] += 1 + _children(item)
    return counted


def _entries(item: Item) -> int:
    declared = item.headers.get("item_count")
    return declared if isinstance(declared, int) and declared > 0 else 1


def _children(transaction: Item) -> int:
    try:
        payload = transaction.json()
    except MalformedPayload:
        return 0
    spans = payload.get("spans") if isinstance(payload, dict) else None
    return len(spans) if isinstance(spans, list) else 0
