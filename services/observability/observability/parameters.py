"""Query parameters with a ceiling, so that no debug endpoint can take the machine down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_MOST_DIGITS = 20


class BadParameter(ValueError):
    """A request parameter out of its bounds; the answer is 400 with this message."""


@dataclass(frozen=True, slots=True)
class IntParameter:
    """A whole number in the query string.

    Attributes:
        name: its name in the query string, with the unit as suffix (`hold_ms`, `mb`).
        default: the value when the request does not name it.
        ceiling: the largest accepted value.
        floor: the smallest accepted value.
    """

    name: str
    default: int
    ceiling: int
    floor: int = 0

    def read(self, query: Mapping[str, str]) -> int:
        """Give the request's value, or the default.

        Raises:
            BadParameter: it is not a whole number from `floor` to `ceiling`.
        """
        text = query.get(self.name)
        if text is None:
            return self.default
        # Python refuses to read a number of thousands of digits, with an error of its own.
        readable = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
        if not readable or not self.floor <= int(text) <= self.ceiling:
            raise BadParameter(
                f"parameter {self.name} must be a whole number from {self.floor} to {self.ceiling}, not {text[:40]!r}"
            )
        return int(text)


HOLD = IntParameter("hold_ms", default=0, ceiling=2000)
"""How long a crash waits, in milliseconds, between its breadcrumbs and the raise, so that two requests overlap."""
