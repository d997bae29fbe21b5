"""How long a waiting test takes to notice an arrival: from `Inbox.add` being called to `Inbox.wait_for` returning."""

from __future__ import annotations

import gzip
import threading
import time

from benchmarks.ingest_load import error_event
from benchmarks.measurement import Goal, Row, Section
from harness.collector.inbox import Inbox, Receipt

GOAL_MILLISECONDS = 2.0
_TIMES = 2000


def measure(rounds: int) -> Section:
    """Add to an inbox, time after time, what another thread waits for.

    Args:
        rounds: how often it is measured; each round gives a median and a 99th percentile.
    """
    body = gzip.compress(error_event())
    measured = [sorted(_wake_ups(body)) for _ in range(rounds)]
    p99 = Row("p99", "ms", tuple(delays[len(delays) * 99 // 100] * 1e3 for delays in measured))
    return Section(
        "wake-up of a waiting test",
        (Row("p50", "ms", tuple(delays[len(delays) // 2] * 1e3 for delays in measured)), p99),
        goals=(Goal(f"wake-up: p99 below {GOAL_MILLISECONDS:g} ms", p99.median < GOAL_MILLISECONDS),),
    )


def _wake_ups(body: bytes) -> list[float]:
    inbox = Inbox()
    receipt = Receipt(time.time(), "1", "key", "envelope", (), "", "gzip", body)
    delays: list[float] = []
    waiting, noticed = threading.Event(), threading.Event()
    added_at = 0.0

    def wait() -> None:
        for number in range(_TIMES):

            def ready(number: int = number) -> bool | None:
                waiting.set()
                return len(inbox) > number or None

            inbox.wait_for(ready, 10)
            delays.append(time.perf_counter() - added_at)
            noticed.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    for _ in range(_TIMES):
        waiting.wait()
        waiting.clear()
        noticed.clear()
        # By then the other thread has looked in vain and sleeps.
        time.sleep(0.001)
        added_at = time.perf_counter()
        inbox.add(receipt)
        noticed.wait()
    waiter.join()
    return delays
