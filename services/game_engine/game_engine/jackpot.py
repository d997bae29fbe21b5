"""Asking several jackpot feeds at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import sentry_sdk


@dataclass(frozen=True, slots=True)
class JackpotFeed:
    """A source of a jackpot's amount; `read` gives it as text in cents."""

    name: str
    read: Callable[[], Awaitable[str]]


class JackpotQuoteFailed(Exception):
    """A feed gave something that is not an amount; its cause says what."""

    def __init__(self, feed: str, round_id: str) -> None:
        super().__init__(f"jackpot of round {round_id} has no amount from feed {feed}")
        self.feed = feed


async def quote_jackpots(feeds: Sequence[JackpotFeed], timeout_ms: int, round_id: str) -> int:
    """Ask all feeds at once and give the highest amount in cents.

    A feed that is too slow is left out. One that answers nonsense fails the quote, after all others have ended, so
    that nothing goes on running behind an error.

    Raises:
        JackpotQuoteFailed: a feed answered nonsense.
    """
    answers = await asyncio.gather(*(_ask(feed, timeout_ms) for feed in feeds), return_exceptions=True)
    amounts = []
    for feed, answer in zip(feeds, answers, strict=True):
        if isinstance(answer, BaseException):
            sentry_sdk.get_isolation_scope().set_tag("jackpot.feed", feed.name)
            raise JackpotQuoteFailed(feed.name, round_id) from answer
        if answer is not None:
            amounts.append(answer)
    return max(amounts, default=0)


async def _ask(feed: JackpotFeed, timeout_ms: int) -> int | None:
    """Ask one feed; None when it is too slow.

    The scope of its own keeps the span of one feed from becoming the parent of the next feed's; breadcrumbs still go
    to the request, where they tell the story in order.
    """
    with sentry_sdk.new_scope(), sentry_sdk.start_span(op="jackpot.quote", name=feed.name) as span:
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                amount_cents = int(await feed.read())
        except TimeoutError:
            span.set_status("deadline_exceeded")
            _leave_breadcrumb(feed, "warning", f"Feed {feed.name} gave no answer within {timeout_ms} ms")
            return None
        except ValueError:
            _leave_breadcrumb(feed, "error", f"Feed {feed.name} answered nonsense")
            raise
    _leave_breadcrumb(feed, "info", f"Feed {feed.name} quoted {amount_cents} cents")
    return amount_cents


def _leave_breadcrumb(feed: JackpotFeed, level: str, message: str) -> None:
    sentry_sdk.add_breadcrumb(category="jackpot.quote", message=message, level=level, data={"feed": feed.name})
