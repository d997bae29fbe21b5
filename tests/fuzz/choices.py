"""Bytes as a sequence of choices, so that whoever varies the bytes varies what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Takes decisions from bytes; where they end, every decision is the first one.

    Args:
        data: the bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, bound: int) -> int:
        """A number from 0 on, below the bound."""
        taken = self._data[self._at : self._at + 2]
        self._at += 2
        return int.from_bytes(taken, "little") % bound

    def of(self, several: Sequence[T]) -> T:
        """One of several."""
        return several[self.below(len(several))]
