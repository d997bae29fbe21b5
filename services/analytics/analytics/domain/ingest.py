"""Storing events as the other services deliver them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from analytics.breadcrumbs import leave_breadcrumb
from analytics.domain.database import insert_unless_present
from analytics.domain.tables import Event, Player

REGULAR_SEGMENT = "regular"


@dataclass(frozen=True, slots=True)
class PlayerEvent:
    """An event to be stored; the fields are those of the table `events`."""

    id: str
    event_type: str
    player_id: str
    amount_cents: int
    payload: dict[str, Any]
    occurred_at: datetime


def store_event(session: Session, event: PlayerEvent, *, segment: str = REGULAR_SEGMENT) -> None:
    """Store an event and, with the first one, its player, in the session's transaction.

    Args:
        session: of the database; the caller commits.
        event: what happened.
        segment: the segment of a player who is not known yet.

    Raises:
        IntegrityError: an event with this id is stored already.
    """
    insert_player = insert_unless_present(session.get_bind().dialect, Player)
    session.execute(insert_player.values(id=event.player_id, segment=segment))
    try:
        session.execute(
            insert(Event).values(
                id=event.id,
                event_type=event.event_type,
                player_id=event.player_id,
                amount_cents=event.amount_cents,
                payload=event.payload,
                occurred_at=event.occurred_at,
            )
        )
    except IntegrityError as problem:
        # The statement's parameters are hidden, so say at least which event it was.
        problem.add_note(f"while storing event {event.id}")
        raise
    leave_breadcrumb(
        "event.insert",
        f"event {event.id} inserted",
        event_id=event.id,
        event_type=event.event_type,
        amount_cents=event.amount_cents,
    )
