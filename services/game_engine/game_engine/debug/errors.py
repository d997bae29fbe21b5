"""Errors that a handler does not catch: a crash, and one of each common type, all raised by the game's own code."""

from __future__ import annotations

from typing import ClassVar

import sentry_sdk

from game_engine import settlement
from game_engine.debug.endpoint import DebugHandler, debug
from game_engine.settlement import OpenRounds, during_round
from game_engine.slot import TIGHT_STRIP, multiplier_of
from observability.parameters import HOLD, IntParameter


class ErrorHandler(DebugHandler):
    """A round that goes wrong."""

    PARAMETERS: ClassVar[tuple[IntParameter, ...]] = (HOLD,)

    async def play_until(self, category: str, message: str, **data: str | int) -> None:
        """Leave the breadcrumbs up to the step that will fail, then hold."""
        self.enter_round()
        sentry_sdk.add_breadcrumb(category=category, message=message, level="info", data=data)
        await self.hold(self.values[HOLD.name])


@debug.endpoint(
    "/debug/crash",
    demonstrates="an unhandled error: a settlement batch names the same round twice",
    status=500,
    group="crash",
)
class Crash(ErrorHandler):
    """A settlement batch names the same round twice."""

    async def get(self) -> None:
        """Settle the batch."""
        await self.play_until("slot.spin", "Reels stopped on bell-bell-bell", multiplier=20)
        result = (self.round_id, multiplier_of(("bell", "bell", "bell")))
        rounds = OpenRounds()
        rounds.open(self.round_id, bet_cents=100)
        rounds.settle_batch([result, result])


@debug.endpoint(
    "/debug/error/value", demonstrates="ValueError: a bet that is not a number", status=500, group="crash"
)
class ValueErrorHandler(ErrorHandler):
    """A terminal sends a bet in words."""

    async def get(self) -> None:
        """Read the bet."""
        await self.play_until("bet.place", "Terminal sent a bet", text="ten")
        settlement.parse_bet("ten", self.round_id)


@debug.endpoint(
    "/debug/error/type", demonstrates="TypeError: a promotion whose bonus is text", status=500, group="crash"
)
class TypeErrorHandler(ErrorHandler):
    """A promotion carries its bonus as text."""

    async def get(self) -> None:
        """Add the bonus to the bet."""
        await self.play_until("promotion.apply", "Promotion found", bonus_cents="250")
        with during_round(self.round_id):
            settlement.add_promotion(100, '{"bonus_cents": "250"}')


@debug.endpoint(
    "/debug/error/index", demonstrates="IndexError: a reel stops outside its strip", status=500, group="crash"
)
class IndexErrorHandler(ErrorHandler):
    """A reel reports a stop that its strip does not have."""

    async def get(self) -> None:
        """Look up the symbols."""
        stops = (3, 11, len(TIGHT_STRIP))
        await self.play_until("slot.spin", "Reels stopped", stops="-".join(map(str, stops)))
        with during_round(self.round_id):
            settlement.symbols_at(TIGHT_STRIP, stops)


@debug.endpoint(
    "/debug/error/key", demonstrates="KeyError: a round is settled that is not open", status=500, group="crash"
)
class KeyErrorHandler(ErrorHandler):
    """A round is settled that nobody opened at this table."""

    async def get(self) -> None:
        """Settle it."""
        await self.play_until("round.settle", "Settlement requested", multiplier=5)
        OpenRounds().settle(self.round_id, multiplier=5)


@debug.endpoint(
    "/debug/error/zero-division",
    demonstrates="ZeroDivisionError: a jackpot is shared among no winners",
    status=500,
    group="crash",
)
class ZeroDivisionErrorHandler(ErrorHandler):
    """The jackpot is due and the list of winners is empty."""

    async def get(self) -> None:
        """Share the pot."""
        await self.play_until("jackpot.due", "Jackpot is due", pot_cents=1_250_000, winners=0)
        with during_round(self.round_id):
            settlement.jackpot_share(1_250_000, winners=())


@debug.endpoint(
    "/debug/error/custom",
    demonstrates="BetLimitExceeded: an exception of the service's own, with a bet above the limit",
    status=500,
    group="crash",
)
class CustomErrorHandler(ErrorHandler):
    """A bet passes the terminal that the game must refuse."""

    async def get(self) -> None:
        """Check the bet."""
        await self.play_until("bet.place", "Terminal sent a bet", bet_cents=50_000)
        settlement.check_limit(50_000, self.round_id)
