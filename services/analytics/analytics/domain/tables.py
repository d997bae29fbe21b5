"""The tables: players and what they did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

IDENTIFIER_LENGTH = 64


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, kept in UTC: PostgreSQL stores the zone, SQLite drops it, both give an aware datetime back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Convert to UTC before the zone may get lost.

        Raises:
            ValueError: the datetime is naive.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Give what SQLite returns without a zone its UTC back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Base of the tables."""


class Player(Table):
    """A player, known since the first event.

    Attributes:
        id: the player's id, as the other services know it.
        segment: the group of players for reports.
        events: what the player did; loaded by a query of its own when first looked at.
    """

    __tablename__ = "players"

    id: Mapped[str] = mapped_column(String(IDENTIFIER_LENGTH), primary_key=True)
    segment: Mapped[str] = mapped_column(String(IDENTIFIER_LENGTH), index=True)
    events: Mapped[list[Event]] = relationship(back_populates="player", lazy="select")


class Event(Table):
    """Something that a player did.

    Attributes:
        id: `evt_...`.
        event_type: such as `spin`.
        player_id: who did it.
        amount_cents: the money that was moved, in cents.
        payload: what the sender wanted to be kept with it.
        occurred_at: when it happened.
    """

    __tablename__ = "events"

    id: Mapped[str] = mapped_column(String(IDENTIFIER_LENGTH), primary_key=True)
    event_type: Mapped[str] = mapped_column(String(IDENTIFIER_LENGTH))
    player_id: Mapped[str] = mapped_column(ForeignKey(Player.id), index=True)
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    player: Mapped[Player] = relationship(back_populates="events")
