"""The business endpoints."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any
from uuid import uuid4

import sentry_sdk
from fastapi import FastAPI, Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from analytics.breadcrumbs import leave_breadcrumb
from analytics.domain.ingest import PlayerEvent, store_event
from analytics.domain.reports import DailyStats, daily_stats
from analytics.domain.tables import IDENTIFIER_LENGTH
from analytics.domain.warehouse import Warehouse
from analytics.instrumentation import SERVICE
from analytics.responses import request_id_of
from observability.request_scope import begin_business_request

MOST_CENTS = 10**12
# At the ends of the calendar neither the next day nor another time zone can be computed.
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9999, 1, 1)


class NewEvent(BaseModel):
    """The body of `POST /events`; without `occurred_at` it happened now."""

    event_type: str = Field(pattern=r"^[a-z][a-z0-9_.-]*$", max_length=IDENTIFIER_LENGTH)
    player_id: str = Field(min_length=1, max_length=IDENTIFIER_LENGTH)
    amount_cents: int = Field(ge=0, le=MOST_CENTS)
    payload: dict[str, Any] = Field(default_factory=dict)
    occurred_at: AwareDatetime | None = Field(
        default=None,
        ge=datetime.combine(FIRST_DAY, time(), UTC),
        le=datetime.combine(LAST_DAY, time(), UTC),
    )


class StoredEvent(BaseModel):
    """The answer of `POST /events`."""

    id: str


def engine_of(request: Request) -> Engine:
    """The application's database."""
    engine: Engine = request.app.state.engine
    return engine


def warehouse_of(request: Request) -> Warehouse:
    """The application's account at the warehouse."""
    warehouse: Warehouse = request.app.state.warehouse
    return warehouse


# The handlers that use the database are plain functions: FastAPI runs them in worker threads, with the request's
# context, so that statements neither block the event loop nor lose the request's Sentry scope and span.


def post_event(request: Request, body: NewEvent) -> StoredEvent:
    """Store an event."""
    request_id = request_id_of(request)
    begin_business_request(body.player_id, request_id=request_id, tags={"event_type": body.event_type})
    event = PlayerEvent(
        id=f"evt_{uuid4().hex}",
        event_type=body.event_type,
        player_id=body.player_id,
        amount_cents=body.amount_cents,
        payload=body.payload,
        occurred_at=body.occurred_at or datetime.now(UTC),
    )
    leave_breadcrumb(
        "event.received",
        f"{event.event_type} of player {event.player_id}",
        event_id=event.id,
        user_id=event.player_id,
        request_id=request_id,
    )
    with Session(engine_of(request)) as session, session.begin():
        store_event(session, event)
    return StoredEvent(id=event.id)


def get_daily_stats(request: Request, day: Annotated[date, Query(ge=FIRST_DAY, le=LAST_DAY)]) -> DailyStats:
    """Add up a UTC day."""
    request_id = request_id_of(request)
    sentry_sdk.get_isolation_scope().set_tag("request_id", request_id)
    leave_breadcrumb("report.begin", f"statistics of {day} asked for", day=day.isoformat(), request_id=request_id)
    with Session(engine_of(request)) as session:
        return daily_stats(session, day)


async def health() -> dict[str, str]:
    """Say that the service is up."""
    return {"status": "ok", "service": SERVICE}


def add_routes(app: FastAPI) -> None:
    """Add the business endpoints and `/health`."""
    app.add_api_route("/events", post_event, methods=["POST"], status_code=201)
    app.add_api_route("/daily-stats", get_daily_stats)
    app.add_api_route("/health", health)
