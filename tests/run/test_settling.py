"""Settling is tested against a fleet that gives out envelopes when it is flushed, as services do."""

from __future__ import annotations

from collections.abc import Iterable

from harness.collector.inbox import Inbox
from harness.fleet.flushing import FlushReport, FlushState
from harness.run.settling import settle
from harness.wire.envelope import Envelope
from tests.samples import TRACE, TRIGGER_SPAN, add_to, child_span, envelope, transaction

GATEWAY, CALL, SERVER = "a" * 16, "b" * 16, "c" * 16
NETLOCS = {"127.0.0.1:1": "gateway", "127.0.0.1:2": "payment"}


class Services:
    """Sends one batch of envelopes at each flush."""

    def __init__(self, inbox: Inbox, batches: Iterable[list[Envelope]], state: FlushState = "flushed") -> None:
        self._inbox = inbox
        self._batches = iter(batches)
        self._state = state
        self.flushes = 0
        self.timeouts: list[float] = []

    def flush(self, *, timeout: float = 0.0) -> dict[str, FlushReport]:
        self.flushes += 1
        self.timeouts.append(timeout)
        for held in next(self._batches, []):
            add_to(self._inbox, held)
        return {
            "gateway": FlushReport("gateway", (), "flushed"),
            "payment": FlushReport("payment", (), self._state),
        }


def proxy(url: str = "http://127.0.0.1:2/debug/crash") -> Envelope:
    return envelope(transaction("proxy", span_id=GATEWAY, spans=[child_span(CALL, GATEWAY, f"GET {url}")]))


def payment() -> Envelope:
    return envelope(transaction("crash", span_id=SERVER, parent=CALL))


def flushes_until_settled(
    *batches: list[Envelope], before: Iterable[Envelope] = (), state: FlushState = "flushed", grace: float = 60.0
) -> int:
    inbox = Inbox()
    for held in before:
        add_to(inbox, held)
    services = Services(inbox, batches, state)
    settle(TRACE, TRIGGER_SPAN, services, inbox, entry="gateway", netlocs=NETLOCS, grace=grace)
    return services.flushes


def test_one_barrier_is_enough_for_a_trace_that_was_closed_before() -> None:
    assert flushes_until_settled(before=[proxy(), payment()]) == 1


def test_what_a_hop_does_after_its_span_is_waited_for() -> None:
    # A barrier during which the trace is closed may have been too early for the log that follows the span.
    assert flushes_until_settled([proxy(), payment()], [envelope(trace_id=None)]) == 2


def test_a_hop_that_closes_late_is_waited_for() -> None:
    # The client has its answer before the gateway has closed its span.
    assert flushes_until_settled([payment()], [proxy()]) == 3
    assert flushes_until_settled([payment()], before=[proxy()]) == 2


def test_a_call_to_somebody_outside_the_fleet_has_no_other_end() -> None:
    assert flushes_until_settled(before=[proxy("http://127.0.0.1:3/")]) == 1


def test_a_service_that_cannot_send_is_not_waited_for() -> None:
    states: list[FlushState] = ["no-sdk", "not-initialised", "exited"]
    assert [flushes_until_settled(before=[proxy()], state=state) for state in states] == [2, 2, 2]


def test_what_a_fault_has_swallowed_is_not_waited_for() -> None:
    inbox, deprived = Inbox(), ["payment"]
    add_to(inbox, proxy())
    services = Services(inbox, [], "flushed")
    settle(
        TRACE,
        TRIGGER_SPAN,
        services,
        inbox,
        entry="gateway",
        netlocs=NETLOCS,
        grace=5.0,
        deprived=lambda: deprived,
        flush_timeout=2.0,
    )
    assert (services.flushes, services.timeouts) == (1, [2.0])


def test_an_sdk_that_hangs_on_a_fault_is_asked_once() -> None:
    inbox = Inbox()
    services = Services(inbox, [[proxy()]], "timed-out")
    settle(
        TRACE,
        TRIGGER_SPAN,
        services,
        inbox,
        entry="gateway",
        netlocs=NETLOCS,
        grace=5.0,
        deprived=lambda: ["payment"],
    )
    assert services.flushes == 1


def test_an_open_end_is_given_up_after_the_grace() -> None:
    assert flushes_until_settled([proxy()], [envelope(trace_id=None)] * 3, grace=0.2) >= 2
