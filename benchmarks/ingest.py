"""How fast the collector takes in events, measured against its peers: `python -m benchmarks.ingest`.

Every round starts each server afresh, loads it with the same 25 kB error event (gzip, from the real SDK) over the
same number of connections, and moves on to the next; the order turns with each round. Peers are kent, the fake Sentry
on PyPI, and a bare uvicorn application that decompresses and parses the event and does nothing else; the ceiling is
the collector's HTTP without anything behind it. Afterwards it is measured how long a waiting test takes to notice an
arrival. The exit status says whether the goals were met.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import statistics
import sys
import threading
import time
from dataclasses import dataclass

from benchmarks.ingest_load import error_event, run
from benchmarks.ingest_servers import BARE, CEILING, COLLECTOR, KENT, Server
from harness.collector.inbox import Inbox, Receipt

TIMES_KENT = 8.0
TIMES_BARE = 0.8
WAKE_UP_SECONDS = 0.002
_WAKE_UPS = 2000


@dataclass(frozen=True)
class Round:
    """One server's result in one round.

    Attributes:
        rate: Requests answered in a second.
        cpu: Seconds of CPU time that the server used for a request; unlike the rate it hardly depends on what else
            the machine is doing.
    """

    rate: float
    cpu: float


@dataclass(frozen=True)
class WakeUps:
    """Seconds from the beginning of `Inbox.add` to the return of `Inbox.wait_for` in another thread."""

    median: float
    p99: float


def measure_servers(event: bytes, rounds: int, seconds: float, connections: int) -> dict[str, list[Round]]:
    """Load every server in every round; gives the results by server."""
    names = [COLLECTOR, KENT, BARE, CEILING]
    results: dict[str, list[Round]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            with Server(name) as server:
                used_before = server.cpu_seconds()
                load = asyncio.run(run(event, server.port, connections=connections, seconds=seconds))
                used = server.cpu_seconds() - used_before
                if load.failed:
                    sys.exit(f"{name} answered {load.failed} of {load.failed + load.answered} requests with an error")
                if name == COLLECTOR and (received := server.received()) != load.answered:
                    sys.exit(f"{name} answered {load.answered} requests but kept {received}")
            results[name].append(Round(load.rate, used / load.answered))
            print(f"round {number + 1}: {name:12} {load.rate:8.0f}/s", flush=True)
    return results


def measure_wake_ups(event: bytes) -> WakeUps:
    """Add to an inbox, time after time, what another thread waits for."""
    inbox = Inbox()
    receipt = Receipt(time.time(), "1", "key", "envelope", (), "", "gzip", gzip.compress(event))
    delays: list[float] = []
    waiting, noticed = threading.Event(), threading.Event()
    added_at = 0.0

    def wait() -> None:
        for number in range(_WAKE_UPS):

            def ready(number: int = number) -> bool | None:
                waiting.set()
                return len(inbox) > number or None

            inbox.wait_for(ready, 10)
            delays.append(time.perf_counter() - added_at)
            noticed.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    for _ in range(_WAKE_UPS):
        waiting.wait()
        waiting.clear()
        noticed.clear()
        # By then the other thread has looked in vain and sleeps.
        time.sleep(0.001)
        added_at = time.perf_counter()
        inbox.add(receipt)
        noticed.wait()
    waiter.join()
    ordered = sorted(delays)
    return WakeUps(statistics.median(ordered), ordered[len(ordered) * 99 // 100])


def report(event: bytes, results: dict[str, list[Round]], wake_ups: WakeUps) -> bool:
    """Print the result; gives whether the goals were met."""
    medians = {name: statistics.median(each.rate for each in rounds) for name, rounds in results.items()}
    print(f"\nevent of {len(event)} bytes, {len(gzip.compress(event, 9))} on the wire")
    print(f"{'':14}{'median/s':>10}{'lowest':>10}{'highest':>10}{'x kent':>10}{'x bare':>10}{'CPU us':>10}")
    for name, rounds in results.items():
        rates = [each.rate for each in rounds]
        spread = f"{medians[name]:>10.0f}{min(rates):>10.0f}{max(rates):>10.0f}"
        ratios = f"{medians[name] / medians[KENT]:>10.1f}{medians[name] / medians[BARE]:>10.2f}"
        print(f"{name:14}{spread}{ratios}{statistics.median(each.cpu for each in rounds) * 1e6:>10.0f}")
    print(f"wake-up after an arrival: median {wake_ups.median * 1e3:.3f} ms, p99 {wake_ups.p99 * 1e3:.3f} ms")
    goals = {
        f"at least {TIMES_KENT:g} times kent": medians[COLLECTOR] >= TIMES_KENT * medians[KENT],
        f"at least {TIMES_BARE:g} times bare uvicorn": medians[COLLECTOR] >= TIMES_BARE * medians[BARE],
        f"wake-up p99 below {WAKE_UP_SECONDS * 1e3:g} ms": wake_ups.p99 < WAKE_UP_SECONDS,
    }
    for goal, met in goals.items():
        print(f"{'met' if met else 'MISSED':8}{goal}")
    return all(goals.values())


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each server is measured (default 5)")
    parser.add_argument("--seconds", type=float, default=3, help="how long each time (default 3)")
    parser.add_argument("--connections", type=int, default=8, help="connections that send at once (default 8)")
    options = parser.parse_args()
    event = error_event()
    results = measure_servers(event, options.rounds, options.seconds, options.connections)
    return 0 if report(event, results, measure_wake_ups(event)) else 1


if __name__ == "__main__":
    sys.exit(main())
