"""What Sentry hears of refusals: a metric and a breadcrumb, and of a flood no more than a little."""

from __future__ import annotations

import time
from collections import deque

import sentry_sdk

WINDOW_SECONDS = 60.0
MOST_TOLD = 20


class RefusalBudget:
    """The most recent refusals that Sentry heard of, and how many it did not since."""

    def __init__(self) -> None:
        self._told: deque[float] = deque()
        self._suppressed = 0

    def spend(self, now: float) -> int | None:
        """Ask to tell of one more.

        Args:
            now: monotonic seconds.

        Returns:
            How many were kept quiet before this one; None if this one is to be, too.
        """
        while self._told and now - self._told[0] >= WINDOW_SECONDS:
            self._told.popleft()
        if len(self._told) >= MOST_TOLD:
            self._suppressed += 1
            return None
        self._told.append(now)
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed


_budget = RefusalBudget()


def tell_refusal(reason: str, endpoint: str) -> None:
    """Tell Sentry of a refusal, or keep the whole request quiet; never an error event."""
    suppressed = keep_flood_quiet()
    if suppressed is None:
        return
    data: dict[str, str | int] = {"reason": reason, "endpoint": endpoint, "suppressed": suppressed}
    sentry_sdk.add_breadcrumb(category="debug.refused", message="Debug endpoint refused", level="warning", data=data)
    sentry_sdk.metrics.count("debug.refused", 1, attributes=data)


def keep_flood_quiet() -> int | None:
    """Count a refusal, and keep its whole request quiet if there have been many; enough for who passes it on.

    Returns:
        How many were kept quiet before this one; None if this one is, too.
    """
    suppressed = _budget.spend(time.monotonic())
    transaction = sentry_sdk.get_current_scope().transaction
    if suppressed is None and transaction is not None:
        # The SDK samples before anybody knows who asks.
        transaction.sampled = False
    return suppressed
