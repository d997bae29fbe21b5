"""The replay history of finished rounds: it keeps everything, which is its fault."""

from __future__ import annotations

MEGABYTE = 1024 * 1024
CEILING_MB = 64


class ReplayHistory:
    """Keeps the replay of every round and never trims, up to a ceiling that protects the machine."""

    def __init__(self, ceiling_mb: int = CEILING_MB) -> None:
        self._replays: list[bytes] = []
        self._ceiling_mb = ceiling_mb

    @property
    def retained_mb(self) -> int:
        """What is kept, in MiB."""
        return len(self._replays)

    def make_room(self, megabytes: int) -> None:
        """Drop everything if that much more would not fit below the ceiling."""
        if self.retained_mb + megabytes > self._ceiling_mb:
            self._replays.clear()

    def retain(self, megabytes: int) -> None:
        """Keep so much more; every byte is written, so that the operating system really hands out the pages."""
        self._replays.extend(b"\x01" * MEGABYTE for _ in range(megabytes))
