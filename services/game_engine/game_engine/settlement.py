"""Rules of a round: bets, limits, promotions, jackpots, and which rounds are open."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from game_engine.slot import Strip

LOWEST_BET_CENTS = 1
HIGHEST_BET_CENTS = 10_000


class BetLimitExceeded(Exception):
    """A bet outside the limits of the game."""

    def __init__(self, bet_cents: int, round_id: str) -> None:
        super().__init__(
            f"bet of {bet_cents} cents in round {round_id} is outside the limits "
            f"of {LOWEST_BET_CENTS} to {HIGHEST_BET_CENTS} cents"
        )
        self.bet_cents = bet_cents
        self.round_id = round_id


@contextmanager
def during_round(round_id: str) -> Iterator[None]:
    """Note the round on whatever goes wrong inside, so that an error of Python's own names it too."""
    try:
        yield
    except Exception as error:
        error.add_note(f"during round {round_id}")
        raise


def parse_bet(text: str, round_id: str) -> int:
    """Read a bet in cents as a terminal sends it.

    Raises:
        ValueError: it is not a number.
    """
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'bet "{text}" of round {round_id} is not a number')
    return int(text)


def check_limit(bet_cents: int, round_id: str) -> int:
    """Give the bet back if it is within the limits of the game.

    Raises:
        BetLimitExceeded: it is not.
    """
    if not LOWEST_BET_CENTS <= bet_cents <= HIGHEST_BET_CENTS:
        raise BetLimitExceeded(bet_cents, round_id)
    return bet_cents


def add_promotion(bet_cents: int, promotion: str) -> int:
    """Add the bonus of a promotion, a JSON object with `bonus_cents`, to a bet."""
    bonus_cents: int = json.loads(promotion)["bonus_cents"]
    return bet_cents + bonus_cents


def symbols_at(strip: Strip, stops: Sequence[int]) -> list[str]:
    """The symbols that the reels show at these stops."""
    return [strip[stop] for stop in stops]


def jackpot_share(pot_cents: int, winners: Sequence[str]) -> int:
    """What each winner gets of a jackpot; the remainder stays in the pot."""
    return pot_cents // len(winners)


@dataclass(slots=True)
class OpenRounds:
    """The rounds of one table that have a bet and no result yet, and which ones got theirs.

    Attributes:
        bets: bets of the open rounds in cents.
        settled: ids of the rounds that were paid out.
    """

    bets: dict[str, int] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)

    def open(self, round_id: str, bet_cents: int) -> None:
        """Remember a round's bet until it is settled."""
        self.bets[round_id] = bet_cents

    def settle(self, round_id: str, multiplier: int) -> int:
        """Close a round and give its payout in cents.

        Raises:
            RuntimeError: the round was paid out before.
            KeyError: the round was never opened at this table.
        """
        if round_id in self.settled:
            raise RuntimeError(f"round {round_id} was paid out before and would be paid twice")
        payout_cents = self.bets.pop(round_id) * multiplier
        self.settled.add(round_id)
        return payout_cents

    def settle_batch(self, results: Sequence[tuple[str, int]]) -> int:
        """Settle several rounds, each given with its multiplier, and give the sum of the payouts in cents.

        Raises:
            RuntimeError, KeyError: as `settle`.
        """
        return sum(self.settle(round_id, multiplier) for round_id, multiplier in results)
