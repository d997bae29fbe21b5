from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk import logger, metrics
from sentry_sdk.envelope import Envelope as SdkEnvelope
from sentry_sdk.envelope import Item as SdkItem

from harness.collector.inbox import Inbox
from harness.collector.transport import InProcessTransport
from harness.wire.envelope import Item, MalformedEnvelope


@contextmanager
def sdk(inbox: Inbox, **options: Any) -> Iterator[sentry_sdk.Client]:
    """A client without DSN that sends to the inbox, active inside the block."""
    client = sentry_sdk.Client(transport=InProcessTransport(inbox), default_integrations=False, **options)
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(client)
        yield client
        client.close()


def items(inbox: Inbox, kind: str) -> list[Item]:
    return [
        item
        for arrival in inbox.arrivals()
        if arrival.envelope
        for item in arrival.envelope.items
        if item.type == kind
    ]


def discarded(inbox: Inbox) -> list[dict[str, Any]]:
    return [entry for report in items(inbox, "client_report") for entry in report.json()["discarded_events"]]


def test_error_is_there_at_once() -> None:
    inbox = Inbox()
    with sdk(inbox):
        sentry_sdk.set_tag("tenant", "acme")
        event_id = sentry_sdk.capture_message("hello")
        (arrival,) = inbox.arrivals()
    assert (arrival.endpoint, arrival.project_id, arrival.public_key) == ("envelope", "1", "in-process")
    assert arrival.envelope is not None
    assert arrival.envelope.event_id == event_id
    assert arrival.envelope.items[0].json()["tags"] == {"tenant": "acme"}
    assert arrival.wire_size == len(arrival.body)


def test_envelope_carries_the_sampling_context_of_the_dsn() -> None:
    inbox = Inbox()
    transport = InProcessTransport(inbox, dsn="http://front@example.invalid/7")
    client = sentry_sdk.Client(transport=transport, default_integrations=False, traces_sample_rate=1.0)
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(client)
        with sentry_sdk.start_transaction(name="spin"):
            pass
    (arrival,) = inbox.arrivals()
    assert (arrival.project_id, arrival.public_key) == ("7", "front")
    assert arrival.envelope is not None
    assert arrival.envelope.trace is not None
    assert arrival.envelope.trace["public_key"] == "front"
    assert inbox.for_trace(arrival.envelope.trace["trace_id"]) == [arrival]


def test_batches_come_with_the_flush() -> None:
    inbox = Inbox()
    with sdk(inbox, enable_logs=True) as client:
        logger.warning("low balance")
        metrics.count("spins", 3)
        assert len(inbox) == 0
        client.flush()
        assert [log["body"] for log in items(inbox, "log")[0].json()["items"]] == ["low balance"]
        assert len(items(inbox, "trace_metric")) == 1


def test_what_the_sdk_drops_is_reported_with_the_flush_and_once() -> None:
    inbox = Inbox()
    with sdk(inbox, before_send=lambda _event, _hint: None, traces_sample_rate=0.0) as client:
        sentry_sdk.capture_message("dropped")
        sentry_sdk.capture_message("dropped too")
        with sentry_sdk.start_transaction(name="not sampled"):
            pass
        assert len(inbox) == 0
        client.flush()
        client.flush()
    assert len(items(inbox, "client_report")) == 1
    assert {"reason": "before_send", "category": "error", "quantity": 2} in discarded(inbox)
    assert {"reason": "sample_rate", "category": "transaction", "quantity": 1} in discarded(inbox)


def test_healthy_client_reports_nothing() -> None:
    inbox = Inbox()
    with sdk(inbox) as client:
        sentry_sdk.capture_message("fine")
        client.flush()
    assert [arrival.number for arrival in inbox.arrivals()] == [0]


def test_lost_items_are_counted_as_the_sdk_counts_them() -> None:
    inbox = Inbox()
    transport = InProcessTransport(inbox)
    envelope = SdkEnvelope()
    envelope.add_transaction({"type": "transaction", "spans": [{}, {}]})
    envelope.add_item(SdkItem(payload=b"12345", type="attachment"))
    envelope.add_item(SdkItem(payload=b"{}", type="log", headers={"type": "log", "item_count": 4}))
    for item in envelope.items:
        transport.record_lost_event("network_error", item=item)
    transport.record_lost_event("sample_rate", "profile", quantity=2)
    transport.flush(0)
    assert {(entry["reason"], entry["category"]): entry["quantity"] for entry in discarded(inbox)} == {
        ("network_error", "transaction"): 1,
        ("network_error", "span"): 3,
        ("network_error", "attachment"): 5,
        ("network_error", "log_item"): 4,
        ("sample_rate", "profile"): 2,
    }


def test_lost_event_must_say_what_was_lost() -> None:
    with pytest.raises(TypeError, match="data category"):
        InProcessTransport(Inbox()).record_lost_event("sample_rate")


def test_what_sentry_would_not_accept_is_an_error() -> None:
    inbox = Inbox()
    envelope = SdkEnvelope(items=[SdkItem(payload=b"{}", headers={"type": 7})])
    with pytest.raises(MalformedEnvelope, match="needs a `type` that is a string"):
        InProcessTransport(inbox).capture_envelope(envelope)
    assert len(inbox) == 0


def test_propagation_to_local_services_is_not_mistaken_for_traffic_to_sentry() -> None:
    with sdk(Inbox(), traces_sample_rate=1.0) as client:
        assert client.parsed_dsn is not None
        assert client.parsed_dsn.netloc == "in-process.invalid"
