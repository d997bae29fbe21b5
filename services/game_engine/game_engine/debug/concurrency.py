"""What goes wrong beside the handler: in gathered coroutines and on a worker thread."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import ClassVar

import sentry_sdk

from game_engine.debug.endpoint import DebugHandler, debug
from game_engine.jackpot import JackpotFeed, quote_jackpots
from game_engine.leaderboard import LeaderboardUpdate
from observability.parameters import IntParameter

QUOTE_TIMEOUT = IntParameter("timeout_ms", default=80, ceiling=1000, floor=50)


async def _answer_at_once() -> str:
    return "1250000"


async def _answer_garbled() -> str:
    # One turn of the event loop and no timer: however late the loop is, this comes before the timeout.
    await asyncio.sleep(0)
    return "12S0000"


async def _never_answer() -> str:
    await asyncio.Event().wait()
    return ""


@debug.endpoint(
    "/debug/async-error",
    demonstrates="three gathered coroutines: one succeeds, one fails, one times out (?timeout_ms=, default 80); "
    "one error for the failure, a breadcrumb for each",
    status=500,
    group="load",
)
class AsyncError(DebugHandler):
    """Three jackpot feeds are asked at once."""

    PARAMETERS: ClassVar[tuple[IntParameter, ...]] = (QUOTE_TIMEOUT,)

    async def get(self) -> None:
        """Ask them."""
        self.enter_round()
        feeds = (
            JackpotFeed("house", _answer_at_once),
            JackpotFeed("regional", _answer_garbled),
            JackpotFeed("progressive", _never_answer),
        )
        await quote_jackpots(feeds, self.values[QUOTE_TIMEOUT.name], self.round_id)


@debug.endpoint(
    "/debug/threading-error",
    demonstrates="a worker thread dies of an exception; the event belongs to the trace of the request",
    status=500,
    group="load",
)
class ThreadingError(DebugHandler):
    """The leaderboard is brought up to date while one player's score is missing."""

    async def get(self) -> None:
        """Start the worker and wait for its end; the event is the thread's, the handler reports nothing."""
        self.enter_round()
        scores = json.loads(f'{{"{self.user_id}": 300, "rival": null}}')
        sentry_sdk.add_breadcrumb(
            category="leaderboard.update",
            message="Leaderboard update started",
            level="info",
            data={"players": len(scores)},
        )
        update = LeaderboardUpdate(scores, self.round_id)
        update.start()
        await asyncio.to_thread(update.join)
        if update.ranking is None:
            self.answer_error(HTTPStatus.INTERNAL_SERVER_ERROR, "the leaderboard could not be updated")
        else:
            self.answer({"ranking": update.ranking})
