"""What became of all that a service had to tell while Sentry failed it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.collector.injecting import Injection
from harness.collector.limits import LARGEST_BODY
from harness.collector.server import Collector
from harness.verify.discards import BY_OUTAGE
from harness.wire.categories import quantities
from harness.wire.encoding import decode_body
from harness.wire.envelope import Envelope

# Spans of Python are counted with their transaction, among them the SDK's own requests to Sentry if they are slow
# enough; sessions and client reports are about the process, and sent by the clock.
COUNTED = {
    "analytics": ("error", "transaction", "log_item"),
    "payment": ("error", "span", "log_item", "trace_metric"),
}
SENT_AT_ONCE = {"analytics": ("error", "transaction"), "payment": ("error",)}
"""What an SDK does not collect for some time before it sends it."""
BY_SENTRY = ("send_error", "network_error")
"""Reasons by which an SDK tells of requests that failed; all others are of what it did not even try to send."""


@dataclass(frozen=True, slots=True)
class Account:
    """What became of what a service had to tell, by data category.

    Args:
        arrived: what Sentry has.
        lost: what was in requests that failed, each counted once however often it was sent.
        reported: what client reports say for the reasons of an outage, by reason, those that were lost included.
        cut_off: how many requests were broken off before it was known what is in them.
    """

    arrived: Counter[str]
    lost: Counter[str]
    reported: Mapping[str, Counter[str]]
    cut_off: int

    @property
    def kept_back(self) -> Counter[str]:
        """What the SDK says that it did not try to send."""
        return _sum(held for reason, held in self.reported.items() if reason not in BY_SENTRY)

    @property
    def failed(self) -> Counter[str]:
        """What the SDK says that was in requests that failed."""
        return _sum(held for reason, held in self.reported.items() if reason in BY_SENTRY)


def account_of(sentry: Collector, service: str) -> Account:
    """Count what a service sent, tried to send and says that it did not send.

    Args:
        sentry: where it reports.
        service: its name there.
    """
    arrived = [
        held.envelope
        for held in sentry.inbox.arrivals()
        if held.envelope is not None and sentry.service_of(held.project_id) == service
    ]
    lost, cut_off = _lost([held for held in sentry.faults.injections if held.service == service], arrived)
    reported: dict[str, Counter[str]] = {}
    for envelope in (*arrived, *lost):
        for item in envelope.items:
            if item.type == "client_report":
                for entry in item.json()["discarded_events"]:
                    if entry["reason"] in BY_OUTAGE:
                        reported.setdefault(entry["reason"], Counter())[entry["category"]] += entry["quantity"]
    counted = {reason: _counted(service, held) for reason, held in reported.items()}
    return Account(
        arrived=_counted(service, _sum(map(quantities, arrived))),
        lost=_counted(service, _sum(map(quantities, lost))),
        reported={reason: held for reason, held in counted.items() if held},
        cut_off=cut_off,
    )


def _lost(injections: Iterable[Injection], arrived: Sequence[Envelope]) -> tuple[list[Envelope], int]:
    """Envelopes that Sentry does not have, and the number of those of which not even that is known."""
    lost: dict[bytes, Envelope] = {}
    cut_off = 0
    for injection in injections:
        if injection.kept or injection.request is None:
            continue
        if not injection.items:
            cut_off += 1
            continue
        encoding = injection.request.header("content-encoding")
        body = decode_body(injection.request.body, encoding, limit=LARGEST_BODY)
        # What is sent again is the same to the last byte.
        lost[body] = Envelope.parse(body)
    for envelope in arrived:
        lost.pop(envelope.serialize(), None)
    return list(lost.values()), cut_off


def _counted(service: str, counts: Mapping[str, int]) -> Counter[str]:
    return Counter({name: counts[name] for name in COUNTED[service] if counts.get(name)})


def _sum(counters: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for held in counters:
        total.update(held)
    return total


def times(per_round: Mapping[str, int], rounds: int) -> Counter[str]:
    """What so many rounds produce."""
    return Counter({name: number * rounds for name, number in per_round.items()})


def has_error_of(sentry: Collector, request_ids: Iterable[str], since: int) -> bool:
    """Whether an error has arrived that one of some requests caused.

    Args:
        sentry: where it is to arrive.
        request_ids: ids of the requests.
        since: how much had arrived before they were sent.
    """
    quoted = [f'"{request_id}"'.encode() for request_id in request_ids]
    return any(
        item.type == "event" and any(name in item.payload for name in quoted)
        for held in sentry.inbox.arrivals(since=since)
        if held.envelope is not None
        for item in held.envelope.items
    )
