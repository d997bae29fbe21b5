"""Captures for tests of baselines: one service's telemetry in the trace of the samples."""

from __future__ import annotations

from typing import Any

from harness.verify.capture import Capture
from harness.verify.evidence import Evidence, Response, ServiceFacts
from harness.wire.envelope import Envelope
from tests.samples import TRACE, TRIGGER_SPAN, arrival, child_span, envelope, error, transaction

PROJECTS = {"1": "game", "2": "payment"}


def captured(
    *sent: Envelope, projects: tuple[str, ...] = (), port: int = 4001, orphans: tuple[Envelope, ...] = ()
) -> Capture:
    """What a scenario captures of envelopes, which the first service sent unless `projects` says otherwise."""
    arrivals = [arrival(number, held, projects[number] if projects else "1") for number, held in enumerate(sent)]
    return Capture(
        Evidence(
            title="game GET /debug/spin",
            target="game",
            trace_id=TRACE,
            span_id=TRIGGER_SPAN,
            response=Response(500, {"content-type": "application/json"}, b"{}", 1.5, f"http://127.0.0.1:{port}/spin"),
            arrivals=tuple(arrivals),
            orphans=tuple(arrival(len(sent) + number, held) for number, held in enumerate(orphans)),
            services={
                "game": ServiceFacts("game", url=f"http://127.0.0.1:{port}"),
                "payment": ServiceFacts("payment"),
            },
            services_by_project=PROJECTS,
        )
    )


def crash(value: str = "boom", *, span: str = "00000000000000a1", **payload: Any) -> Envelope:
    """An error inside the segment that `request` makes."""
    return envelope(error(value=value, span_id=span, **payload))


def request(*children: dict[str, Any], span: str = "00000000000000a1", **payload: Any) -> Envelope:
    """A request with its child spans."""
    return envelope(transaction(span_id=span, spans=list(children), **payload))


def call(name: str, span: str, parent: str = "00000000000000a1", **more: Any) -> dict[str, Any]:
    """A child span."""
    return child_span(span, parent, name, **more)
