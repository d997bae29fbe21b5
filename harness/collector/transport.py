"""A transport for plain unit tests: the SDK of this process sends to an inbox, without server or network."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import sentry_sdk.envelope
from sentry_sdk.transport import Transport

from harness.collector.inbox import Inbox, Receipt
from harness.wire.dsn import Dsn
from harness.wire.envelope import Envelope

if TYPE_CHECKING:
    from sentry_sdk._types import EventDataCategory

IN_PROCESS_DSN = "http://in-process@in-process.invalid/1"
"""DSN of a client that has none; the host does not exist, so no request is taken for one to Sentry."""


class InProcessTransport(Transport):
    """Puts what the Python SDK sends into an inbox, in the form it would have on the wire.

    To be given to the SDK as an instance, `sentry_sdk.init(transport=InProcessTransport(inbox))`. Envelopes are there
    as soon as the SDK has captured them; what it batches (logs, metrics, streamed spans) comes with `flush()`. Like
    the SDK's own transport it counts what the SDK drops, and sends the count as a client report with each flush.

    Args:
        inbox: Where the envelopes go.
        dsn: The DSN to be seen in them.
    """

    def __init__(self, inbox: Inbox, *, dsn: str = IN_PROCESS_DSN) -> None:
        super().__init__({"dsn": dsn})
        self._inbox = inbox
        self._dsn = Dsn.parse(dsn)
        self._counting = threading.Lock()
        self._lost: Counter[tuple[str, str]] = Counter()

    def capture_envelope(self, envelope: sentry_sdk.envelope.Envelope) -> None:
        """Put an envelope into the inbox.

        Args:
            envelope: The SDK's envelope.

        Raises:
            MalformedEnvelope: The SDK made something that Sentry would not accept.
        """
        self._deliver(envelope.serialize())

    def flush(  # the SDK's signature
        self,
        timeout: float,  # noqa: ARG002
        callback: Callable[[int, float], None] | None = None,  # noqa: ARG002
    ) -> None:
        """Send the client report; there is nothing else to wait for.

        Args:
            timeout: Not needed.
            callback: Never called, because nothing is pending.
        """
        with self._counting:
            lost, self._lost = self._lost, Counter()
        if lost:
            discarded = [
                {"reason": reason, "category": category, "quantity": quantity}
                for (category, reason), quantity in lost.items()
            ]
            report = sentry_sdk.envelope.Envelope()
            report.add_item(
                sentry_sdk.envelope.Item(
                    sentry_sdk.envelope.PayloadRef(json={"timestamp": time.time(), "discarded_events": discarded}),
                    type="client_report",
                )
            )
            self._deliver(report.serialize())

    def record_lost_event(
        self,
        reason: str,
        data_category: EventDataCategory | None = None,
        item: sentry_sdk.envelope.Item | None = None,
        *,
        quantity: int = 1,
    ) -> None:
        """Count what the SDK drops, by the rules of https://develop.sentry.dev/sdk/telemetry/client-reports/.

        Args:
            reason: Why it is dropped.
            data_category: What is dropped, unless an item is given.
            item: What is dropped; a transaction counts its spans and itself as spans too.
            quantity: How many, unless an item is given.
        """
        if item is not None:
            data_category, quantity = item.data_category, _quantity(item)
            if data_category == "transaction":
                spans = (item.get_transaction_event() or {}).get("spans") or []
                self.record_lost_event(reason, "span", quantity=len(spans) + 1)
        if data_category is None:
            raise TypeError("either a data category or an item must be given")
        with self._counting:
            self._lost[data_category, reason] += quantity

    def _deliver(self, body: bytes) -> None:
        Envelope.parse(body)
        self._inbox.add(
            Receipt(
                received_at=time.time(),
                project_id=self._dsn.project_id,
                public_key=self._dsn.public_key,
                endpoint="envelope",
                headers=(("content-type", "application/x-sentry-envelope"),),
                query="",
                content_encoding=None,
                wire_body=body,
            )
        )


def _quantity(item: sentry_sdk.envelope.Item) -> int:
    """Count an item as the SDK's own transport does: entries of a batch, bytes of an attachment, one otherwise."""
    if item.data_category == "attachment":
        return len(item.get_bytes()) or 1
    if item.data_category in ("span", "log_item", "trace_metric"):
        entries = item.headers.get("item_count")
        return entries if isinstance(entries, int) and entries > 0 else 1
    return 1
