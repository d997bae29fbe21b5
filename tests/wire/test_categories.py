from __future__ import annotations

import json

from harness.wire.categories import CATEGORIES, category_of, quantities
from harness.wire.envelope import Envelope, Item


def item(kind: str, payload: object = None, **headers: object) -> Item:
    return Item({"type": kind, **headers}, json.dumps(payload).encode())


def test_a_transaction_counts_as_itself_and_with_its_children_as_spans() -> None:
    sent = Envelope({}, [item("transaction", {"spans": [{}, {}, {}]}), item("event", {}), item("profile", {})])
    assert quantities(sent) == {"transaction": 1, "span": 4, "error": 1, "profile": 1}


def test_a_container_counts_its_entries() -> None:
    sent = Envelope({}, [item("span", item_count=7), item("log", item_count=2), item("trace_metric", item_count=-1)])
    assert quantities(sent) == {"span": 7, "log_item": 2, "trace_metric": 1}


def test_what_cannot_be_read_still_counts() -> None:
    sent = Envelope({}, [Item({"type": "transaction"}, b"\xff{"), item("transaction", [1]), item("unheard-of")])
    assert quantities(sent) == {"transaction": 2, "span": 2, "default": 1}


def test_every_category_is_known() -> None:
    assert {category_of(item(kind)) for kind in ("event", "sessions", "check_in", "nel", "new")} <= CATEGORIES
