"""How often and how many at once: a rate limit per identity and endpoint, and a cap on what runs at a time."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import limits
from limits import RateLimitItem, WindowStats
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from observability.structured_log import log_line

REDIS_TIMEOUT_SECONDS = 1.0
MOST_REDIS_CONNECTIONS = 16


class LimitsUnavailable(Exception):
    """Redis does not answer."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an identity stands at an endpoint.

    Attributes:
        is_within: whether this request is within the limit.
        remaining: how many requests are left.
        reset_seconds: whole seconds until the oldest request counts no more, at least 1.
    """

    is_within: bool
    remaining: int
    reset_seconds: int


class RateLimit:
    """A moving window, so that its number is exact, over requests of one identity to one endpoint."""

    def __init__(self, service: str, rate: RateLimitItem, redis_url: str | None) -> None:
        """Prepare to count.

        Args:
            service: its instances share their counts.
            rate: how many requests in what time.
            redis_url: where instances share them; without, they are kept in this process.
        """
        self._service = service
        self._rate = rate
        self._window: _Window = _InMemory() if redis_url is None else _InRedis(redis_url)
        self._is_away = False

    async def take(self, endpoint: str, sub: str) -> Standing:
        """Count a request.

        Raises:
            LimitsUnavailable: Redis does not answer, which is said once in the log.
        """
        return await self._ask(endpoint, sub, counts=True)

    async def look(self, endpoint: str, sub: str) -> Standing:
        """Look at the count without counting.

        Raises:
            LimitsUnavailable: as above.
        """
        return await self._ask(endpoint, sub, counts=False)

    def headers(self, standing: Standing) -> dict[str, str]:
        """Headers of draft-ietf-httpapi-ratelimit-headers."""
        return {
            "RateLimit-Policy": f'"debug";q={self._rate.amount};w={self._rate.get_expiry()}',
            "RateLimit": f'"debug";r={standing.remaining};t={standing.reset_seconds}',
        }

    async def _ask(self, endpoint: str, sub: str, *, counts: bool) -> Standing:
        # Hashed, because others may read that Redis.
        key = ("debug", self._service, endpoint, hashlib.sha256(sub.encode()).hexdigest())
        try:
            is_within, (reset, remaining) = await self._window.ask(self._rate, key, counts=counts)
        except (StorageError, OSError) as problem:
            if not self._is_away:
                self._is_away = True
                message = "the Redis of DEBUG_LIMITS_URL does not answer, so every debug endpoint is closed"
                log_line(logging.ERROR, message, reason=type(problem.__cause__ or problem).__name__)
            raise LimitsUnavailable from problem
        self._is_away = False
        return Standing(is_within, max(remaining, 0), max(1, math.ceil(reset - time.time())))


class _Window(Protocol):
    """Where requests are counted."""

    async def ask(self, rate: RateLimitItem, key: tuple[str, ...], *, counts: bool) -> tuple[bool, WindowStats]:
        """Whether this request is within the limit, and what remains; it is counted or only looked at."""


class _InMemory:
    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def ask(self, rate: RateLimitItem, key: tuple[str, ...], *, counts: bool) -> tuple[bool, WindowStats]:
        is_within = not counts or await self._limiter.hit(rate, *key)
        return is_within, await self._limiter.get_window_stats(rate, *key)


class _InRedis:
    """Asks in threads, where a time-out is Redis's alone.

    A burst of requests keeps the event loop busy for longer, and there a Redis that has answered would look silent.
    """

    def __init__(self, url: str) -> None:
        # Importing Redis would make every start 0.1 s longer, also where it is not used.
        from redis import ConnectionPool
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        pool = ConnectionPool.from_url(
            url,
            max_connections=MOST_REDIS_CONNECTIONS,
            socket_timeout=REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        options: dict[str, Any] = {"connection_pool": pool}
        storage = limits.storage.RedisStorage(url, wrap_exceptions=True, **options)
        self._limiter = limits.strategies.MovingWindowRateLimiter(storage)
        self._threads = ThreadPoolExecutor(MOST_REDIS_CONNECTIONS, "debug-limits")
        self._failed_at = -math.inf

    async def ask(self, rate: RateLimitItem, key: tuple[str, ...], *, counts: bool) -> tuple[bool, WindowStats]:
        asked_at = time.monotonic()
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, asked_at, rate, key, counts)

    def _ask(
        self, asked_at: float, rate: RateLimitItem, key: tuple[str, ...], counts: bool
    ) -> tuple[bool, WindowStats]:
        if asked_at <= self._failed_at:
            # Who waited while another found out need not wait for as long again.
            raise StorageError(TimeoutError())
        try:
            is_within = not counts or self._limiter.hit(rate, *key)
            return is_within, self._limiter.get_window_stats(rate, *key)
        except StorageError:
            self._failed_at = time.monotonic()
            raise


class Concurrency:
    """At most so many of one endpoint at a time in this process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: Counter[str] = Counter()

    def enter(self, endpoint: str) -> bool:
        """Take a place until `leave`; tells whether there was one."""
        if self._running[endpoint] >= self._most:
            return False
        self._running[endpoint] += 1
        return True

    def leave(self, endpoint: str) -> None:
        """Give a place back."""
        self._running[endpoint] -= 1
