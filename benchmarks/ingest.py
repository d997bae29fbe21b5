"""How fast the collector takes in events, against its peers.

Every round starts each server afresh, loads it with the same 25 kB error event (gzip, from the real SDK) over the
same number of connections, and moves on to the next; the order turns with each round. Peers are kent, the fake Sentry
on PyPI; Spotlight's sidecar; and a bare uvicorn application that decompresses and parses the event and does nothing
else. The ceiling is the collector's HTTP without anything behind it.
"""

from __future__ import annotations

import asyncio
import gzip
import sys
from dataclasses import dataclass

from benchmarks.ingest_load import error_event, run
from benchmarks.ingest_servers import BARE, CEILING, COLLECTOR, KENT, SPOTLIGHT, Server
from benchmarks.measurement import Goal, Row, Section

TIMES_KENT = 10.0
TIMES_BARE = 0.8
_CONNECTIONS = 8


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


def measure(rounds: int, seconds: float, without_spotlight: str | None) -> Section:
    """Load every server in every round.

    Args:
        rounds: how often.
        seconds: how long each time.
        without_spotlight: why Spotlight is left out; None to measure it.
    """
    event = error_event()
    names = [COLLECTOR, KENT, *([] if without_spotlight else [SPOTLIGHT]), BARE, CEILING]
    results: dict[str, list[Round]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            results[name].append(_load(name, event, seconds))
    rates = tuple(Row(name, "requests/s", tuple(each.rate for each in of)) for name, of in results.items())
    costs = tuple(Row(name, "CPU us/envelope", tuple(each.cpu * 1e6 for each in of)) for name, of in results.items())
    medians = {row.subject: row.median for row in rates}
    sizes = f"an error event of {len(event):,} bytes, {len(gzip.compress(event, 9)):,} on the wire"
    return Section(
        "ingest",
        (*rates, *costs),
        peers=(KENT, BARE),
        goals=(
            Goal(f"ingest: at least {TIMES_KENT:g} x kent", medians[COLLECTOR] >= TIMES_KENT * medians[KENT]),
            Goal(f"ingest: at least {TIMES_BARE:g} x bare uvicorn", medians[COLLECTOR] >= TIMES_BARE * medians[BARE]),
        ),
        notes=(sizes, *([f"without Spotlight, {without_spotlight}"] if without_spotlight else [])),
    )


def _load(name: str, event: bytes, seconds: float) -> Round:
    with Server(name) as server:
        used_before = server.cpu_seconds()
        load = asyncio.run(run(event, server.port, connections=_CONNECTIONS, seconds=seconds))
        used = server.cpu_seconds() - used_before
        if load.failed:
            sys.exit(f"{name} answered {load.failed} of {load.failed + load.answered} requests with an error")
        if name == COLLECTOR and (received := server.received()) != load.answered:
            sys.exit(f"{name} answered {load.answered} requests but kept {received}")
    return Round(load.rate, used / load.answered)
