"""Queries that are too slow or too many."""

from __future__ import annotations

from dataclasses import asdict

import sentry_sdk
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from analytics.breadcrumbs import leave_breadcrumb
from analytics.debug.demonstration import PLAYERS, SEGMENT
from analytics.debug.endpoints import debug
from analytics.domain.deadlines import CancellableQuery, fetch_before
from analytics.domain.reports import count_slowly, project_turnover, turnover_by_player
from analytics.responses import reported
from analytics.routes import engine_of
from observability.parameters import IntParameter
from observability.request_scope import new_identifier

DURATION = IntParameter("duration_ms", default=200, ceiling=2000)
PLAYERS_ASKED_FOR = IntParameter("players", default=10, floor=1, ceiling=PLAYERS)
DEADLINE = IntParameter("deadline_ms", default=150, floor=1, ceiling=2000)
ROUNDS = IntParameter("rounds", default=10_000_000, floor=1, ceiling=20_000_000)

SLOW_QUERY_MS = 150


@debug.endpoint(
    "/debug/timeout",
    demonstrates="a handled TimeoutError: a projection is not ready at its deadline and its query is cancelled",
    status=504,
    group="specific",
)
async def timeout(request: Request) -> Response:
    """Project the turnover of `rounds` rounds, but not longer than `deadline_ms`."""
    deadline_ms = DEADLINE.read(request.query_params)
    rounds = ROUNDS.read(request.query_params)
    projection_id = new_identifier("prj")
    leave_breadcrumb(
        "projection.begin",
        f"projection {projection_id} over {rounds} rounds begun",
        projection_id=projection_id,
        rounds=rounds,
    )
    leave_breadcrumb("projection.deadline", f"it has {deadline_ms} ms", deadline_ms=deadline_ms)
    query = CancellableQuery(
        f"projection {projection_id}", engine_of(request), lambda connection: project_turnover(connection, rounds)
    )
    turnover = await fetch_before(deadline_ms, query)
    return JSONResponse({"projection_id": projection_id, "turnover_cents": turnover})


@debug.endpoint(
    "/debug/slow-query",
    demonstrates="a warning about a query that takes the database `duration_ms`; the db span shows the duration",
    status=200,
    group="specific",
)
def slow_query(request: Request) -> Response:
    """Count all events slowly, and report it if it took as long as a slow query takes."""
    duration_ms = DURATION.read(request.query_params)
    report_id = new_identifier("rpt")
    leave_breadcrumb("report.begin", f"report {report_id} begun", report_id=report_id)
    with Session(engine_of(request)) as session:
        count = count_slowly(session, duration_ms / 1000)
    leave_breadcrumb(
        "report.counted",
        f"{count.result} events in {count.duration_ms} ms",
        events=count.result,
        duration_ms=count.duration_ms,
    )
    event_id = None
    if count.duration_ms >= SLOW_QUERY_MS:
        event_id = sentry_sdk.capture_message(
            f"Slow query in report {report_id}: {count.duration_ms} ms",
            level="warning",
            contexts={"query": {**asdict(count), "threshold_ms": SLOW_QUERY_MS}},
        )
    answer = {"report_id": report_id, "events": count.result, "duration_ms": count.duration_ms}
    return reported(answer, event_id)


@debug.endpoint(
    "/debug/n-plus-one",
    demonstrates="one query for `players` players and one more for each of them, as db spans; no error",
    status=200,
    group="specific",
)
def n_plus_one(request: Request) -> Response:
    """Add up the turnover of each player with a query of its own."""
    wanted = PLAYERS_ASKED_FOR.read(request.query_params)
    leave_breadcrumb("report.begin", f"turnover of {wanted} players asked for", players=wanted)
    with Session(engine_of(request)) as session:
        turnover = turnover_by_player(session, SEGMENT, wanted)
    return JSONResponse({"players": len(turnover), "turnover_cents": sum(turnover.values())})
