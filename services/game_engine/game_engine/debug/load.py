"""Load that shows in measurements: memory that is never given back, and CPU."""

from __future__ import annotations

import random
from dataclasses import asdict
from typing import ClassVar

import sentry_sdk

from game_engine.debug.endpoint import DebugHandler, debug
from game_engine.history import ReplayHistory
from game_engine.instrumentation import PROFILED_PATH
from game_engine.simulation import simulate_rtp
from observability.parameters import IntParameter
from observability.runtime import resident_mb

MEGABYTES = IntParameter("mb", default=4, ceiling=16, floor=1)
CPU_MILLISECONDS = IntParameter("ms", default=250, ceiling=2000, floor=50)

_history = ReplayHistory()


@debug.endpoint(
    "/debug/memory-leak",
    demonstrates="memory that grows by ?mb= (default 4, at most 16) a call and is kept, up to 64 MB in all; "
    "reported as a message with measurements",
    status=200,
    group="load",
)
class MemoryLeak(DebugHandler):
    """Replays of finished rounds pile up."""

    PARAMETERS: ClassVar[tuple[IntParameter, ...]] = (MEGABYTES,)

    async def get(self) -> None:
        """Keep more replays and report what that did to the process."""
        megabytes = self.values[MEGABYTES.name]
        self.enter_round()
        _history.make_room(megabytes)
        with sentry_sdk.start_span(op="memory.retain", name="keep replays") as span:
            before = resident_mb()
            _history.retain(megabytes)
            after = resident_mb()
            growth = {
                "before_mb": round(before, 2),
                "after_mb": round(after, 2),
                "growth_mb": round(after - before, 2),
                "retained_mb": _history.retained_mb,
            }
            for name, value in growth.items():
                span.set_data(f"memory_leak.{name}", value)
        sentry_sdk.add_breadcrumb(
            category="history.retain", message=f"Kept {megabytes} MB of replays", level="warning", data=growth
        )
        sentry_sdk.metrics.gauge("replay_history.retained", _history.retained_mb, unit="megabyte")
        sentry_sdk.get_isolation_scope().set_context("memory_leak", growth)
        sentry_sdk.capture_message(
            f"Replay history grew by {megabytes} MB in round {self.round_id} and is never trimmed", level="warning"
        )
        self.answer({"round_id": self.round_id, **growth})


@debug.endpoint(
    PROFILED_PATH,
    demonstrates="the event loop busy for ?ms= (default 250, at most 2000): a profile and a message",
    status=200,
    group="load",
)
class CpuSpike(DebugHandler):
    """Somebody checks the machine's return to player on the event loop."""

    PARAMETERS: ClassVar[tuple[IntParameter, ...]] = (CPU_MILLISECONDS,)

    async def get(self) -> None:
        """Simulate, and report what that cost."""
        milliseconds = self.values[CPU_MILLISECONDS.name]
        self.enter_round()
        with sentry_sdk.start_span(op="slot.simulate", name="simulate RTP") as span:
            result = simulate_rtp(self.engine.table.machine, random.Random(self.round_id), milliseconds)
            figures = {"requested_ms": milliseconds, **asdict(result)}
            for name, value in figures.items():
                span.set_data(f"cpu_spike.{name}", value)
        sentry_sdk.add_breadcrumb(
            category="slot.simulate",
            message=f"Simulated {result.rounds} rounds on the event loop",
            level="warning",
            data=figures,
        )
        sentry_sdk.get_isolation_scope().set_context("cpu_spike", figures)
        sentry_sdk.capture_message(
            f"RTP simulation in round {self.round_id} blocked the event loop for {result.wall_ms:.0f} ms",
            level="warning",
        )
        self.answer({"round_id": self.round_id, **figures})
