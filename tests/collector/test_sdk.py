"""The real Python SDK with its own HTTP transport sends to the collector."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk import logger, metrics

from harness.collector.inbox import Arrival
from harness.collector.server import Collector
from harness.wire.dsn import Dsn
from harness.wire.envelope import Item


@contextmanager
def sdk(dsn: Dsn, **options: Any) -> Iterator[sentry_sdk.Client]:
    """A client of its own, active inside the block, flushed at its end."""
    client = sentry_sdk.Client(dsn=str(dsn), default_integrations=False, http_proxy="", **options)
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(client)
        yield client
        client.close(timeout=10)


def items(arrivals: list[Arrival], kind: str) -> list[Item]:
    return [item for arrival in arrivals if arrival.envelope for item in arrival.envelope.items if item.type == kind]


def wait_for_items(collector: Collector, kind: str, count: int = 1) -> list[Item]:
    def ready() -> list[Item] | None:
        found = items(collector.inbox.arrivals(), kind)
        return found if len(found) >= count else None

    found = collector.inbox.wait_for(ready, timeout=20)
    assert found is not None, f"no {kind}; refused: {collector.refusals}"
    return found


@pytest.mark.parametrize(
    ("experiments", "encoding"),
    [
        ({}, "br"),
        ({"transport_compression_algo": "gzip"}, "gzip"),
        ({"transport_compression_level": 0}, None),
    ],
)
def test_error_arrives_in_each_encoding(
    collector: Collector, experiments: dict[str, Any], encoding: str | None
) -> None:
    dsn = collector.register("game-engine")
    with sdk(dsn, _experiments=experiments) as client:
        event_id = sentry_sdk.capture_exception(ValueError("the reels are stuck"))
        client.flush(timeout=10)
        (arrival,) = collector.inbox.arrivals()
    assert arrival.content_encoding == encoding
    assert arrival.envelope is not None
    assert arrival.envelope.event_id == event_id
    (item,) = arrival.envelope.items
    assert item.json()["exception"]["values"][0]["value"] == "the reels are stuck"
    assert collector.service_of(arrival.project_id) == "game-engine"
    assert (arrival.wire_size < len(arrival.body)) == (encoding is not None)
    assert collector.refusals == []


def test_binary_attachment_arrives_byte_for_byte(collector: Collector) -> None:
    content = bytes(range(256)) * 300 + b"\n{}\n\r\n"
    with sdk(collector.register("payment")):
        sentry_sdk.get_current_scope().add_attachment(bytes=content, filename="ledger.bin")
        sentry_sdk.capture_message("see the ledger")
    (attachment,) = items(collector.inbox.arrivals(), "attachment")
    assert attachment.payload == content
    assert attachment.headers["filename"] == "ledger.bin"


def test_everything_a_client_batches_arrives_with_its_flush(collector: Collector) -> None:
    with sdk(collector.register("payment"), enable_logs=True, traces_sample_rate=1.0) as client:
        with sentry_sdk.start_transaction(name="POST /process", op="http.server"):
            with sentry_sdk.start_span(op="db", name="INSERT"):
                logger.info("paid")
            metrics.count("payments", 1)
        client.flush(timeout=10)
        arrivals = collector.inbox.arrivals()
        (transaction,) = items(arrivals, "transaction")
        assert [span["op"] for span in transaction.json()["spans"]] == ["db"]
        assert len(items(arrivals, "log")) == len(items(arrivals, "trace_metric")) == 1
        trace_id = transaction.json()["contexts"]["trace"]["trace_id"]
        found = collector.inbox.for_trace(trace_id)
        assert {item.type for arrival in found if arrival.envelope for item in arrival.envelope.items} >= {
            "transaction",
            "log",
            "trace_metric",
        }


def test_refused_envelope_is_reported_by_the_sdk(collector: Collector) -> None:
    def enlarge(event: Any, _hint: Any) -> Any:
        return {**event, "extra": {"page": "x" * 2**20}} if event["message"] == "too much" else event

    with sdk(collector.register("payment"), before_send=enlarge) as client:
        sentry_sdk.capture_message("too much")
        client.flush(timeout=10)
    (refusal,) = collector.refusals
    assert (refusal.status, refusal.service) == (413, "payment")
    (report,) = items(collector.inbox.arrivals(), "client_report")
    assert {"reason": "send_error", "category": "error", "quantity": 1} in report.json()["discarded_events"]


def test_outage_is_reported_by_the_sdk_once_the_collector_is_back(collector: Collector) -> None:
    with sdk(collector.register("payment")) as client:
        collector.stop()
        sentry_sdk.capture_message("nobody hears this")
        client.flush(timeout=10)
        assert len(collector.inbox) == 0
        collector.start()
        sentry_sdk.capture_message("anybody there?")
        client.flush(timeout=10)
    arrivals = collector.inbox.arrivals()
    assert [event.json()["message"] for event in items(arrivals, "event")] == ["anybody there?"]
    reported = [entry for report in items(arrivals, "client_report") for entry in report.json()["discarded_events"]]
    assert {entry["reason"] for entry in reported} == {"network_error"}


def test_process_that_dies_of_an_error_is_heard(collector: Collector) -> None:
    program = "import sentry_sdk; sentry_sdk.init(traces_sample_rate=1.0); raise RuntimeError('out of chips')"
    environment = {**os.environ, "SENTRY_DSN": str(collector.register("game-engine")), "NO_PROXY": "127.0.0.1"}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    (event,) = wait_for_items(collector, "event")
    exception = event.json()["exception"]["values"][0]
    assert (exception["value"], exception["mechanism"]["handled"]) == ("out of chips", False)


def test_services_are_told_apart_although_they_send_at_once(collector: Collector) -> None:
    names = ["game-engine", "analytics", "gateway"]
    clients: list[Callable[[], None]] = []
    for name in names:
        client = sentry_sdk.Client(dsn=str(collector.register(name)), default_integrations=False, http_proxy="")
        for number in range(20):
            client.capture_event({"message": f"{name} {number}"})
        clients.append(client.close)
    for close in clients:
        close()
    arrivals = collector.inbox.arrivals()
    for name in names:
        project = collector.register(name).project_id
        own = [arrival for arrival in arrivals if arrival.project_id == project]
        assert [event.json()["message"] for event in items(own, "event")] == [
            f"{name} {number}" for number in range(20)
        ]
