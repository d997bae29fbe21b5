"""Adding events up, in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter

from sqlalchemy import ColumnElement, Connection, distinct, extract, func, literal, select
from sqlalchemy.orm import Session

from analytics.domain.tables import Event, Player
from analytics.domain.warehouse import Warehouse

HOURS_A_DAY = 24


@dataclass(frozen=True, slots=True)
class TypeStats:
    """The events of one type: their number and what they moved, in cents."""

    events: int
    turnover_cents: int


@dataclass(frozen=True, slots=True)
class DailyStats:
    """One UTC day.

    Attributes:
        day: the day.
        events: number of events.
        players: number of different players.
        turnover_cents: sum of the events' amounts, in cents.
        by_type: the same for each event type.
    """

    day: date
    events: int
    players: int
    turnover_cents: int
    by_type: dict[str, TypeStats]


@dataclass(frozen=True, slots=True)
class MeasuredQuery:
    """A statement, the number that it gave, and the time from sending it to having that number, in milliseconds."""

    statement: str
    result: int
    duration_ms: float


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """A day's final turnover, in cents, with the seal under which the warehouse takes it."""

    turnover_cents: int
    seal: str


def daily_stats(session: Session, day: date) -> DailyStats:
    """Add up the events of a UTC day."""
    events, players, turnover = session.execute(
        select(
            func.count(Event.id),
            func.count(distinct(Event.player_id)),
            func.coalesce(func.sum(Event.amount_cents), 0),
        ).where(*_within(day))
    ).one()
    by_type = session.execute(
        select(Event.event_type, func.count(Event.id), func.sum(Event.amount_cents))
        .where(*_within(day))
        .group_by(Event.event_type)
        .order_by(Event.event_type)
    ).all()
    return DailyStats(
        day=day,
        events=events,
        players=players,
        turnover_cents=int(turnover),
        by_type={name: TypeStats(events=number, turnover_cents=int(amount)) for name, number, amount in by_type},
    )


def turnover_by_hour(session: Session, day: date) -> dict[int, int]:
    """Add up the turnover of each hour of a UTC day that has events, in cents."""
    hour = extract("hour", Event.occurred_at)
    rows = session.execute(
        select(hour, func.sum(Event.amount_cents)).where(*_within(day)).group_by(hour).order_by(hour)
    ).all()
    return {int(number): int(amount) for number, amount in rows}


def close_day(report_id: str, by_hour: Mapping[int, int], warehouse: Warehouse) -> ClosedDay:
    """Add the hours of a day up to its final turnover, and seal it for the warehouse.

    Args:
        report_id: the report's number.
        by_hour: turnover by hour of the day, in cents.
        warehouse: where the report will be handed in.

    Raises:
        ValueError: there is not one value for each hour.
    """
    if len(by_hour) != HOURS_A_DAY:
        raise ValueError(f"report {report_id} cannot be closed: it covers {len(by_hour)} of {HOURS_A_DAY} hours")
    turnover_cents = sum(by_hour.values())
    return ClosedDay(turnover_cents, warehouse.seal(report_id, turnover_cents))


def turnover_by_player(session: Session, segment: str, most_players: int) -> dict[str, int]:
    """Add up the turnover of a segment's first players, one query per player.

    This is the N+1 query problem as it is met in the wild: the loop looks innocent, and each turn of it loads
    `player.events` with a SELECT of its own.
    """
    players = session.scalars(
        select(Player).where(Player.segment == segment).order_by(Player.id).limit(most_players)
    ).all()
    return {player.id: sum(event.amount_cents for event in player.events) for player in players}


def count_slowly(session: Session, wait_seconds: float) -> MeasuredQuery:
    """Count all events with a statement that takes the database at least `wait_seconds`."""
    statement = select(func.count(Event.id), func.pg_sleep(wait_seconds))
    started = perf_counter()
    number: int = session.execute(statement).scalar_one()
    return MeasuredQuery(str(statement), number, round((perf_counter() - started) * 1000, 1))


def project_turnover(connection: Connection, rounds: int) -> int:
    """Play rounds in the database and add up their stakes, in cents; a million rounds take some 200 ms."""
    played = select(literal(1).label("round")).cte("played", recursive=True)
    played = played.union_all(select(played.c.round + 1).where(played.c.round < rounds))
    turnover: int = connection.execute(select(func.sum(played.c.round * 31 % 1000))).scalar_one()
    return int(turnover)


def _within(day: date) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    start = datetime.combine(day, time.min, UTC)
    return Event.occurred_at >= start, Event.occurred_at < start + timedelta(days=1)
