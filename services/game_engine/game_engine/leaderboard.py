"""The leaderboard, brought up to date by a worker thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import sentry_sdk

from game_engine.settlement import during_round


class LeaderboardUpdate(threading.Thread):
    """Ranks the players of a round; `ranking` stays None when that failed."""

    def __init__(self, scores: Mapping[str, int], round_id: str) -> None:
        super().__init__(name=f"leaderboard-{round_id}", daemon=True)
        self._scores = scores
        self._round_id = round_id
        self.ranking: list[str] | None = None

    def run(self) -> None:
        """Rank, on the worker thread; an exception ends the thread and nothing else."""
        sentry_sdk.get_isolation_scope().set_tag("worker", "leaderboard")
        sentry_sdk.add_breadcrumb(
            category="leaderboard.rank",
            message=f"Ranking {len(self._scores)} players",
            level="info",
            data={"thread": self.name, "round_id": self._round_id},
        )
        with during_round(self._round_id):
            self.ranking = rank(self._scores)


def rank(scores: Mapping[str, int]) -> list[str]:
    """Player ids by score, best first."""
    return sorted(scores, key=lambda player: scores[player], reverse=True)
