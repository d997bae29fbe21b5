"""Players and events that the debug endpoints work on, the same in every database."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import Connection

from analytics.domain.database import insert_unless_present
from analytics.domain.tables import Event, Player

SEGMENT = "demonstration"
PLAYERS = 50
EVENTS_A_PLAYER = 3
DAY = date(2020, 1, 1)
"""Long ago, so that the daily statistics of real events do not contain them."""


def add_demonstration_data(connection: Connection) -> None:
    """Store the players of the segment `demonstration` and their events, unless they are there already."""
    connection.execute(
        insert_unless_present(connection.dialect, Player),
        [{"id": player_id(number), "segment": SEGMENT} for number in range(1, PLAYERS + 1)],
    )
    connection.execute(
        insert_unless_present(connection.dialect, Event),
        [
            {
                "id": f"evt_{player_id(number)}-{turn}",
                "event_type": "spin",
                "player_id": player_id(number),
                "amount_cents": 100 * turn,
                "payload": {},
                "occurred_at": datetime(DAY.year, DAY.month, DAY.day, hour=(number + turn) % 20, tzinfo=UTC),
            }
            for number in range(1, PLAYERS + 1)
            for turn in range(1, EVENTS_A_PLAYER + 1)
        ],
    )


def player_id(number: int) -> str:
    """The id of a demonstration player, 1 to `PLAYERS`."""
    return f"demo-player-{number:02}"
