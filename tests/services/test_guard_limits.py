from __future__ import annotations

import asyncio

import pytest
from limits import RateLimitItemPerHour, RateLimitItemPerSecond

from observability.guard.limits import Concurrency, RateLimit, Standing
from observability.guard.noise import MOST_TOLD, WINDOW_SECONDS, RefusalBudget
from observability.guard.origin import TrustedProxies

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
