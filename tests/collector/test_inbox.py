from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable

import pytest

from harness.collector import inbox as inbox_module
from harness.collector.inbox import Arrival, Inbox, Receipt
from harness.wire.encoding import encode_body
from harness.wire.envelope import Envelope, Item
from tests.samples import OTHER_TRACE, TRACE, envelope, error, json_item


def receipt(body: bytes, project_id: str = "1", encoding: str | None = None, endpoint: str = "envelope") -> Receipt:
    return Receipt(
        received_at=1000.0,
        project_id=project_id,
        public_key="key",
        endpoint=endpoint,
        headers=(("user-agent", "test"),),
        query="",
        content_encoding=encoding,
        wire_body=encode_body(body, encoding),
    )


def test_arrivals_are_numbered_and_listed_in_order() -> None:
    inbox = Inbox()
    for project in ("1", "2", "1"):
        inbox.add(receipt(envelope(error()).serialize(), project))
    assert [arrival.number for arrival in inbox.arrivals()] == [0, 1, 2]
    assert [arrival.number for arrival in inbox.arrivals(project_id="1")] == [0, 2]
    assert [arrival.number for arrival in inbox.arrivals(since=1)] == [1, 2]
    assert [arrival.number for arrival in inbox.arrivals(project_id="1", since=1)] == [2]
    assert len(inbox) == 3


def test_arrival_holds_the_decoded_body_and_remembers_the_wire() -> None:
    inbox = Inbox()
    body = envelope(Item({"type": "attachment"}, bytes(range(256)) * 40)).serialize()
    inbox.add(receipt(body, encoding="gzip"))
    (arrival,) = inbox.arrivals()
    assert arrival.body == body
    assert arrival.envelope == Envelope.parse(body)
    assert arrival.content_encoding == "gzip"
    assert arrival.wire_size == len(encode_body(body, "gzip")) < len(body)


def test_body_of_another_endpoint_is_not_parsed() -> None:
    inbox = Inbox()
    inbox.add(receipt(b"MDMP\x00\xff", endpoint="minidump"))
    (arrival,) = inbox.arrivals()
    assert arrival.body == b"MDMP\x00\xff"
    assert arrival.envelope is None
    assert inbox.for_trace(TRACE) == []


def test_arrival_survives_pickling() -> None:
    inbox = Inbox()
    inbox.add(receipt(envelope(error()).serialize()))
    (arrival,) = inbox.arrivals()
    copy = pickle.loads(pickle.dumps(arrival))
    assert copy == arrival
    assert copy.envelope.serialize() == arrival.body


def test_trace_is_found_in_header_and_payload_and_later_arrivals_are_added() -> None:
    inbox = Inbox()
    inbox.add(receipt(envelope(error(trace_id=OTHER_TRACE)).serialize()))
    inbox.add(receipt(envelope(json_item("session", {}), trace_id=None).serialize()))
    assert [arrival.number for arrival in inbox.for_trace(TRACE)] == [0]
    assert [arrival.number for arrival in inbox.for_trace(OTHER_TRACE)] == [0]
    inbox.add(receipt(envelope(error()).serialize()))
    assert [arrival.number for arrival in inbox.for_trace(TRACE)] == [0, 2]
    assert inbox.for_trace("f" * 32) == []


def test_each_arrival_is_indexed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[Envelope] = []

    def trace_ids(found: Envelope) -> frozenset[str]:
        looked_at.append(found)
        return frozenset({TRACE})

    monkeypatch.setattr(inbox_module, "trace_ids", trace_ids)
    inbox = Inbox()
    inbox.add(receipt(envelope(error()).serialize()))
    assert len(inbox.for_trace(TRACE)) == len(inbox.for_trace(TRACE)) == 1
    assert len(looked_at) == 1


def test_adding_does_not_wait_for_a_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    looking, added = threading.Event(), threading.Event()

    def trace_ids(_envelope: Envelope) -> frozenset[str]:
        looking.set()
        assert added.wait(5), "a second arrival could not be added during a lookup"
        return frozenset({TRACE})

    monkeypatch.setattr(inbox_module, "trace_ids", trace_ids)
    inbox = Inbox()
    inbox.add(receipt(envelope(error()).serialize()))
    found: list[list[Arrival]] = []
    lookup = threading.Thread(target=lambda: found.append(inbox.for_trace(TRACE)))
    lookup.start()
    assert looking.wait(5)
    inbox.add(receipt(envelope(error()).serialize()))
    added.set()
    lookup.join()
    assert [arrival.number for arrival in found[0]] == [0]


def test_waiting_ends_with_what_was_waited_for() -> None:
    inbox = Inbox()

    def add_two() -> None:
        inbox.add(receipt(envelope(json_item("session", {}), trace_id=None).serialize()))
        inbox.add(receipt(envelope(error()).serialize()))

    adder = threading.Thread(target=add_two)
    adder.start()
    found = inbox.wait_for(lambda: inbox.for_trace(TRACE) or None, timeout=10)
    adder.join()
    assert found is not None
    assert [arrival.number for arrival in found] == [1]


@pytest.mark.parametrize("change", ["add", "wake"])
def test_a_sleeping_waiter_is_woken(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    inbox = Inbox()
    falling_asleep, changed = threading.Event(), threading.Event()
    sleep = inbox._changed.wait

    def noticed_sleep(timeout: float | None = None) -> bool:
        # The lock is held here and given up only by sleeping, so what waits for it comes when the waiter sleeps.
        falling_asleep.set()
        return sleep(timeout)

    def make_change() -> None:
        assert falling_asleep.wait(10)
        changed.set()
        if change == "add":
            inbox.add(receipt(envelope(error()).serialize()))
        else:
            inbox.wake()

    monkeypatch.setattr(inbox._changed, "wait", noticed_sleep)
    changer = threading.Thread(target=make_change)
    changer.start()
    started = time.monotonic()
    assert inbox.wait_for(lambda: changed.is_set() or None, timeout=10) is True
    assert time.monotonic() - started < 5, "the waiter noticed only when its time was over"
    changer.join()


def test_what_is_there_already_needs_no_waiting() -> None:
    inbox = Inbox()
    inbox.add(receipt(envelope(error()).serialize()))
    assert inbox.wait_for(lambda: len(inbox) or None, timeout=0) == 1


def test_a_result_that_is_false_is_a_result() -> None:
    assert Inbox().wait_for(lambda: 0, timeout=0) == 0


def test_waiting_in_vain_ends_with_nothing_and_does_not_poll() -> None:
    calls: list[float] = []

    def never() -> None:
        calls.append(time.monotonic())

    started = time.monotonic()
    assert Inbox().wait_for(never, timeout=0.2) is None
    assert 0.2 <= time.monotonic() - started < 2
    assert len(calls) == 1


def test_an_arrival_during_the_check_is_not_overslept() -> None:
    inbox = Inbox()
    seen: list[int] = []

    def ready() -> int | None:
        seen.append(len(inbox))
        if len(inbox) == 0:
            # Comes after the check looked and before the waiting begins.
            inbox.add(receipt(envelope(error()).serialize()))
            return None
        return len(inbox)

    assert inbox.wait_for(ready, timeout=10) == 1
    assert seen == [0, 1]


def test_waking_lets_waiters_look_at_something_else() -> None:
    inbox = Inbox()
    looked, ended = threading.Event(), threading.Event()

    def ready() -> str | None:
        looked.set()
        return "process ended" if ended.is_set() else None

    def end() -> None:
        assert looked.wait(5)
        ended.set()
        inbox.wake()

    ender = threading.Thread(target=end)
    ender.start()
    assert inbox.wait_for(ready, timeout=10) == "process ended"
    ender.join()
    assert len(inbox) == 0


def test_many_threads_add_and_read_without_losing_or_repeating() -> None:
    inbox = Inbox()
    body = envelope(error()).serialize()

    def in_threads(*work: Callable[[], object]) -> None:
        threads = [threading.Thread(target=each) for each in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def add() -> None:
        for _ in range(200):
            inbox.add(receipt(body))

    def read() -> None:
        while len(inbox.for_trace(TRACE)) < 800:
            pass

    in_threads(add, add, add, add, read, read)
    assert [arrival.number for arrival in inbox.arrivals()] == list(range(800))
    assert [arrival.number for arrival in inbox.for_trace(TRACE)] == list(range(800))
