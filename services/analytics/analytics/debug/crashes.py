"""Errors that nobody handles."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from uuid import uuid4

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from analytics.breadcrumbs import leave_breadcrumb
from analytics.debug.demonstration import DAY, SEGMENT, player_id
from analytics.debug.endpoints import debug
from analytics.domain.documents import read_statement
from analytics.domain.ingest import PlayerEvent, store_event
from analytics.domain.reports import close_day, turnover_by_hour
from analytics.routes import engine_of, warehouse_of
from observability.parameters import HOLD
from observability.request_scope import new_identifier


@debug.endpoint(
    "/debug/crash",
    demonstrates="an unhandled ValueError while a day's report is closed that has no events in some of its hours",
    status=500,
    group="crash",
)
async def crash(request: Request) -> Response:
    """Close a day with a gap."""
    hold_ms = HOLD.read(request.query_params)
    report_id = new_identifier("rpt")
    leave_breadcrumb("report.begin", f"report {report_id} of {DAY} begun", report_id=report_id)
    by_hour = await run_in_threadpool(_turnover_by_hour, engine_of(request))
    leave_breadcrumb("report.aggregate", f"{len(by_hour)} hours added up", hours=len(by_hour))
    await asyncio.sleep(hold_ms / 1000)
    leave_breadcrumb("report.close", f"closing report {report_id}", report_id=report_id)
    return JSONResponse(asdict(close_day(report_id, by_hour, warehouse_of(request))))


def _turnover_by_hour(engine: Engine) -> dict[int, int]:
    with Session(engine) as session:
        return turnover_by_hour(session, DAY)


@debug.endpoint(
    "/debug/validation-error",
    method="POST",
    demonstrates="an unhandled pydantic ValidationError in domain code that parses a provider's statement; the body "
    "is the statement, by default an invalid one",
    status=500,
    group="crash",
)
async def validation_error(request: Request) -> Response:
    """Parse a statement, by default one with a negative turnover and an impossible day."""
    hold_ms = HOLD.read(request.query_params)
    receipt_id = new_identifier("rcp")
    document = await request.body() or _invalid_statement()
    leave_breadcrumb(
        "statement.receive", f"delivery {receipt_id} received", receipt_id=receipt_id, bytes=len(document)
    )
    await asyncio.sleep(hold_ms / 1000)
    leave_breadcrumb("statement.parse", f"parsing delivery {receipt_id}", receipt_id=receipt_id)
    statement = read_statement(receipt_id, document)
    return JSONResponse({"receipt_id": receipt_id, "turnover_cents": statement.turnover_cents})


def _invalid_statement() -> bytes:
    lines = [{"game": "book-of-ra", "turnover_cents": 12_500}, {"game": "starburst", "turnover_cents": "ten"}]
    return json.dumps({"provider": "northwind-games", "day": "2026-02-30", "lines": lines}).encode()


@debug.endpoint(
    "/debug/database-error",
    demonstrates="an unhandled IntegrityError: the database refuses an event that is delivered twice",
    status=500,
    group="crash",
)
async def database_error(request: Request) -> Response:
    """Store an event twice, in one transaction, so that nothing of it stays."""
    hold_ms = HOLD.read(request.query_params)
    event = PlayerEvent(
        id=f"evt_{uuid4().hex}",
        event_type="spin",
        player_id=player_id(1),
        amount_cents=250,
        payload={"game": "starburst"},
        occurred_at=datetime.now(UTC),
    )
    leave_breadcrumb("event.received", f"event {event.id} delivered", event_id=event.id)
    await asyncio.sleep(hold_ms / 1000)
    await run_in_threadpool(_store_twice, engine_of(request), event)
    return JSONResponse({"id": event.id})


def _store_twice(engine: Engine, event: PlayerEvent) -> None:
    with Session(engine) as session, session.begin():
        store_event(session, event, segment=SEGMENT)
        leave_breadcrumb("event.received", f"event {event.id} delivered again", level="warning", event_id=event.id)
        store_event(session, event, segment=SEGMENT)
