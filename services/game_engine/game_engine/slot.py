"""The slot machine: reels, paytable, and a return to player (RTP) that is exact by construction."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product

Strip = tuple[str, ...]
Line = tuple[str, str, str]

REELS = 3

PAYTABLE: Mapping[Line, int] = {
    ("seven", "seven", "seven"): 200,
    ("bar", "bar", "bar"): 60,
    ("bell", "bell", "bell"): 20,
    ("lemon", "lemon", "lemon"): 10,
    ("cherry", "cherry", "cherry"): 5,
}
"""Payout of three equal symbols, in multiples of the bet."""

TWO_CHERRIES = 2
"""Payout of cherries on the first two reels and anything else on the third."""


def _strip(**stops: int) -> Strip:
    return tuple(symbol for symbol, count in stops.items() for _ in range(count))


TIGHT_STRIP = _strip(seven=1, bar=2, bell=4, lemon=6, cherry=7)
LOOSE_STRIP = _strip(seven=2, bar=2, bell=5, lemon=5, cherry=6)


class UnreachableRtp(ValueError):
    """A return to player that no mixture of the two reel strips has."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one spin landed on, and its payout in multiples of the bet."""

    line: Line
    multiplier: int


def multiplier_of(line: Line) -> int:
    """The payout of a line in multiples of the bet."""
    if line in PAYTABLE:
        return PAYTABLE[line]
    return TWO_CHERRIES if line[:2] == ("cherry", "cherry") else 0


def rtp_of_strip(strip: Strip) -> Fraction:
    """The exact return to player of three reels with this strip: every line's payout by its probability."""
    stops = Counter(strip)
    paid = sum(
        stops[first] * stops[second] * stops[third] * multiplier_of((first, second, third))
        for first, second, third in product(stops, repeat=REELS)
    )
    return Fraction(paid, len(strip) ** REELS)


LOWEST_RTP = rtp_of_strip(TIGHT_STRIP)
HIGHEST_RTP = rtp_of_strip(LOOSE_STRIP)


@dataclass(frozen=True, slots=True)
class SlotMachine:
    """A machine that spins the loose strip with a fixed probability and the tight strip otherwise.

    Attributes:
        loose_share: probability of the loose strip, exact.
    """

    loose_share: Fraction

    @classmethod
    def with_rtp_percent(cls, percent: Decimal) -> SlotMachine:
        """Build the machine whose return to player is exactly `percent`.

        Raises:
            UnreachableRtp: it is not between the RTP of the tight and of the loose strip.
        """
        if not percent.is_finite() or not LOWEST_RTP <= Fraction(percent) / 100 <= HIGHEST_RTP:
            raise UnreachableRtp(
                f"an RTP of {percent} % cannot be configured; this machine's reels allow "
                f"{float(LOWEST_RTP) * 100:.4f} to {float(HIGHEST_RTP) * 100:.4f} %"
            )
        return cls((Fraction(percent) / 100 - LOWEST_RTP) / (HIGHEST_RTP - LOWEST_RTP))

    @property
    def rtp(self) -> Fraction:
        """The exact return to player."""
        return self.loose_share * HIGHEST_RTP + (1 - self.loose_share) * LOWEST_RTP

    def spin(self, rng: random.Random) -> Outcome:
        """Draw one line; whole-number draws keep the probabilities exact."""
        loose = rng.randrange(self.loose_share.denominator) < self.loose_share.numerator
        strip = LOOSE_STRIP if loose else TIGHT_STRIP
        line = (_draw(strip, rng), _draw(strip, rng), _draw(strip, rng))
        return Outcome(line, multiplier_of(line))


def _draw(strip: Strip, rng: random.Random) -> str:
    return strip[rng.randrange(len(strip))]
