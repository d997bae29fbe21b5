"""How long the fleet takes to start: all services at once, against one after the other."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.measurement import Goal, Row, Section
from harness.collector.server import Collector
from harness.fleet.fleet import Fleet
from harness.fleet.spec import FleetSpec, ServiceSpec, load_fleet_spec

_ROOT = Path(__file__).parent.parent
_AT_ONCE, _IN_TURN = "the fleet", "one after the other"


def measure(rounds: int) -> Section:
    """Start the fleet in both ways, in turn.

    Args:
        rounds: how often each.
    """
    spec = load_fleet_spec(_ROOT / "harness.toml")
    ways = {_AT_ONCE: spec, _IN_TURN: _in_turn(spec)}
    results: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            results[name].append(_seconds_to_start(ways[name]))
    rows = tuple(Row(name, "s", tuple(values)) for name, values in results.items())
    return Section(
        "start of the fleet",
        rows,
        peers=(_IN_TURN,),
        goals=(Goal("start: faster than one service after the other", rows[0].median < rows[1].median),),
        notes=(f"{len(spec.services)} services",),
    )


def _in_turn(spec: FleetSpec) -> FleetSpec:
    services: dict[str, ServiceSpec] = {}
    for name, service in spec.services.items():
        services[name] = replace(service, depends_on=tuple(services)[-1:])
    return replace(spec, services=services)


def _seconds_to_start(spec: FleetSpec) -> float:
    with Collector() as collector, tempfile.TemporaryDirectory(prefix="sentry-benchmark-") as directory:
        fleet = Fleet(spec, dsn_for=lambda name: str(collector.register(name)), directory=Path(directory))
        started = time.monotonic()
        with fleet:
            return time.monotonic() - started
