from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from limits import RateLimitItemPerHour, RateLimitItemPerSecond

from observability.guard.limits import (
    REDIS_TIMEOUT_SECONDS,
    Concurrency,
    LimitsUnavailable,
    RateLimit,
    Standing,
)
from observability.guard.noise import MOST_TOLD, WINDOW_SECONDS, RefusalBudget
from observability.guard.origin import TrustedProxies
from tests.services.conversation import Listener
from tests.services.redis_server import IS_INSTALLED, RedisServer

TEN = RateLimitItemPerHour(10)


async def ask_500_times(limit: RateLimit) -> list[Standing]:
    return await asyncio.gather(*(limit.take("/debug/crash", "ada") for _ in range(500)))


class TestRateLimit:
    def test_500_at_once_let_exactly_ten_through(self) -> None:
        async def ask() -> tuple[list[Standing], RateLimit]:
            limit = RateLimit("analytics", TEN, None)
            standings = await ask_500_times(limit)
            assert (await limit.take("/debug/timeout", "ada")).remaining == 9
            assert (await limit.take("/debug/crash", "bob")).remaining == 9
            return standings, limit

        standings, limit = asyncio.run(ask())
        assert sum(standing.is_within for standing in standings) == 10
        refused = [standing for standing in standings if not standing.is_within]
        assert {standing.remaining for standing in refused} == {0}
        assert all(3590 <= standing.reset_seconds <= 3600 for standing in refused)
        assert limit.headers(Standing(True, 7, 42)) == {
            "RateLimit-Policy": '"debug";q=10;w=3600',
            "RateLimit": '"debug";r=7;t=42',
        }

    def test_to_look_does_not_count(self) -> None:
        async def ask() -> list[int]:
            limit = RateLimit("analytics", RateLimitItemPerSecond(5), None)
            return [(await limit.look("/debug", "ada")).remaining for _ in range(3)]

        assert asyncio.run(ask()) == [5, 5, 5]


class TestRedis:
    def test_that_is_silent_is_given_up_after_a_second_by_all_who_wait(self) -> None:
        async def ask(url: str) -> list[Standing | BaseException]:
            limit = RateLimit("analytics", TEN, url)
            return await asyncio.gather(
                *(limit.take("/debug/crash", "ada") for _ in range(200)), return_exceptions=True
            )

        with Listener() as silent:
            began = time.monotonic()
            answers = asyncio.run(ask(silent.url.replace("http", "redis")))
            seconds = time.monotonic() - began
        assert {type(answer) for answer in answers} == {LimitsUnavailable}
        assert 0.9 < seconds < 3

    @pytest.mark.skipif(not IS_INSTALLED, reason="redis-server is not installed")
    def test_that_answers_is_heard_however_busy_the_event_loop_is(self, tmp_path: Path) -> None:
        async def ask(url: str) -> list[Standing]:
            limit = RateLimit("analytics", TEN, url)
            asking = asyncio.gather(*(limit.take("/debug/crash", "ada") for _ in range(500)))
            await limit.look("/debug/crash", "ada")
            busy_until = time.monotonic() + 1.5 * REDIS_TIMEOUT_SECONDS
            while time.monotonic() < busy_until:
                pass
            return await asking

        with RedisServer(tmp_path) as redis:
            standings = asyncio.run(ask(redis.url))
        assert sum(standing.is_within for standing in standings) == 10


def test_so_many_of_one_endpoint_at_a_time() -> None:
    places = Concurrency(2)
    assert [places.enter("/debug/a") for _ in range(3)] == [True, True, False]
    assert places.enter("/debug/b")
    places.leave("/debug/a")
    assert [places.enter("/debug/a") for _ in range(2)] == [True, False]


def test_a_flood_of_refusals_is_told_in_part_and_counted() -> None:
    budget = RefusalBudget()
    assert [budget.spend(float(second) / 10) for second in range(MOST_TOLD)] == [0] * MOST_TOLD
    assert [budget.spend(30.0) for _ in range(5)] == [None] * 5
    assert budget.spend(WINDOW_SECONDS - 0.01) is None
    assert budget.spend(WINDOW_SECONDS) == 6
    assert budget.spend(WINDOW_SECONDS) is None
    assert budget.spend(WINDOW_SECONDS + 0.1) == 1


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["203.0.113.7, <script>"], "10.0.0.1"),
        # What a proxy that is trusted itself was told is still only what it was told.
        ("10.0.0.1", ["198.51.100.1, 10.0.0.1"], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.2.3.4", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.2", ["203.0.113.7"], "10.0.0.2"),
        ("::1", ["203.0.113.7"], "::1"),
        ("unknown", ["203.0.113.7"], "unknown"),
    ],
)
def test_only_a_proxy_that_is_trusted_is_believed(peer: str, forwarded: list[str], address: str) -> None:
    assert TrustedProxies.parse("10.0.0.1, 10.2.0.0/16").address_of(peer, forwarded) == address
    assert TrustedProxies().address_of(peer, forwarded) == peer
