"""Playing a round: debit, spin, credit, tell analytics."""

from __future__ import annotations

import random
import re
from dataclasses import asdict, dataclass
from typing import Any

import sentry_sdk
from sentry_sdk import logger as sentry_logger

from game_engine import GAME
from game_engine.peers import Cause, EventFeed, Wallet
from game_engine.settlement import HIGHEST_BET_CENTS, LOWEST_BET_CENTS
from game_engine.slot import Line, Outcome, SlotMachine
from observability.request_scope import new_identifier

CURRENCIES = ("EUR", "GBP", "USD")

_PLAYER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class BadBet(ValueError):
    """A request for a round that cannot be played as it stands."""


@dataclass(frozen=True, slots=True)
class Bet:
    """What a player asks for."""

    player_id: str
    bet_cents: int
    currency: str

    @classmethod
    def from_json(cls, body: Any) -> Bet:
        """Read the body of `POST /spin`.

        Raises:
            BadBet: a field is missing or has a value that is not allowed.
        """
        if not isinstance(body, dict):
            raise BadBet("the body must be a JSON object with player_id and bet_cents")
        player_id, bet_cents, currency = body.get("player_id"), body.get("bet_cents"), body.get("currency", "EUR")
        if not isinstance(player_id, str) or _PLAYER_ID.fullmatch(player_id) is None:
            raise BadBet("player_id must be 1 to 64 letters, digits, '-' or '_'")
        if type(bet_cents) is not int or not LOWEST_BET_CENTS <= bet_cents <= HIGHEST_BET_CENTS:
            raise BadBet(f"bet_cents must be a whole number from {LOWEST_BET_CENTS} to {HIGHEST_BET_CENTS}")
        if currency not in CURRENCIES:
            raise BadBet(f"currency must be one of {', '.join(CURRENCIES)}")
        return cls(player_id, bet_cents, currency)


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What the player gets to see."""

    round_id: str
    game: str
    line: Line
    bet_cents: int
    payout_cents: int
    balance_cents: int
    currency: str
    event_stored: bool

    def as_json(self) -> dict[str, Any]:
        """The answer of `POST /spin`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Table:
    """A machine with what a round at it needs."""

    machine: SlotMachine
    rng: random.Random
    wallet: Wallet
    feed: EventFeed

    async def play(self, bet: Bet, request_id: str) -> RoundResult:
        """Play one round.

        Args:
            bet: what the player wants.
            request_id: under which the peers are called.

        Raises:
            BetRefused: the player's wallet does not allow the bet; nothing happened.
            PeerUnavailable: payment failed, before the spin or when crediting its payout.
        """
        round_id = new_identifier("rnd")
        sentry_sdk.add_breadcrumb(
            category="round.open",
            message=f"Round {round_id} opened",
            level="info",
            data={
                "user_id": bet.player_id,
                "request_id": request_id,
                "round_id": round_id,
                "bet_cents": bet.bet_cents,
            },
        )
        cause = Cause(request_id, round_id)
        balance = await self.wallet.move("debit", bet.player_id, bet.bet_cents, bet.currency, cause)
        outcome = self._spin(round_id)
        payout_cents = outcome.multiplier * bet.bet_cents
        if payout_cents:
            balance = await self.wallet.move("credit", bet.player_id, payout_cents, bet.currency, cause)
        stored = await self.feed.publish(
            "spin",
            bet.player_id,
            bet.bet_cents,
            {"round_id": round_id, "game": GAME, "payout_cents": payout_cents, "currency": bet.currency},
            request_id,
        )
        _measure(round_id, bet, payout_cents)
        return RoundResult(
            round_id, GAME, outcome.line, bet.bet_cents, payout_cents, balance, bet.currency, event_stored=stored
        )

    def _spin(self, round_id: str) -> Outcome:
        with sentry_sdk.start_span(op="slot.spin", name=GAME) as span:
            outcome = self.machine.spin(self.rng)
            span.set_data("slot.round_id", round_id)
            span.set_data("slot.line", "-".join(outcome.line))
            span.set_data("slot.multiplier", outcome.multiplier)
        sentry_sdk.add_breadcrumb(
            category="slot.spin",
            message=f"Reels stopped on {'-'.join(outcome.line)}",
            level="info",
            data={"round_id": round_id, "multiplier": outcome.multiplier},
        )
        return outcome


def _measure(round_id: str, bet: Bet, payout_cents: int) -> None:
    attributes = {"game": GAME, "currency": bet.currency}
    sentry_logger.info(
        "Round {round_id} paid {payout_cents} cents on a bet of {bet_cents}",
        round_id=round_id,
        payout_cents=payout_cents,
        bet_cents=bet.bet_cents,
        attributes=attributes,
    )
    sentry_sdk.metrics.count("slot.spins", 1, attributes=attributes)
    sentry_sdk.metrics.distribution("slot.payout", payout_cents, unit="cent", attributes=attributes)
