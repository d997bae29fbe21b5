"""Exports of all events."""

from __future__ import annotations

from dataclasses import dataclass

from observability.runtime import MEGABYTE, resident_mb

_LINE = b"evt_00000000000000000000000000000000;spin;demo-player-01;1000\n"


@dataclass(frozen=True, slots=True)
class MemorySpike:
    """Resident memory of the process around an export, in MiB."""

    before_mb: float
    peak_mb: float
    after_mb: float

    @property
    def grown_mb(self) -> float:
        """How much the export added at its peak, in MiB."""
        return round(self.peak_mb - self.before_mb, 2)


def export_in_memory(size_mb: int) -> MemorySpike:
    """Render an export of `size_mb` MiB in one piece, instead of streaming it, and let it go again."""
    before = resident_mb()
    document = bytearray(_LINE) * (size_mb * MEGABYTE // len(_LINE))
    peak = resident_mb()
    del document
    return MemorySpike(round(before, 2), round(peak, 2), round(resident_mb(), 2))
