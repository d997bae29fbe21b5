"""Rate limit headers, as Relay writes and SDKs read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import RateLimit, format_rate_limits, parse_rate_limits, parse_retry_after

NAMES = st.text(alphabet="abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=10)
LIMITS = st.builds(
    RateLimit,
    seconds=st.integers(0, 100_000).map(float) | st.floats(0, 1e6),
    categories=st.lists(NAMES, max_size=3).map(tuple),
    scope=st.none() | NAMES,
    reason_code=st.none() | NAMES,
    namespaces=st.lists(NAMES, max_size=2).map(tuple),
)


@given(st.lists(LIMITS, max_size=4))
def test_reading_what_was_written_gives_the_same(limits: list[RateLimit]) -> None:
    assert parse_rate_limits(format_rate_limits(limits)) == limits


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        ("", []),
        ("60::organization", [RateLimit(60, (), "organization")]),
        ("60", [RateLimit(60)]),
        (
            "60:transaction:key, 2700:default;error;security:organization",
            [
                RateLimit(60, ("transaction",), "key"),
                RateLimit(2700, ("default", "error", "security"), "organization"),
            ],
        ),
        (
            " 4.5 : metric_bucket ; :organization : quota_exceeded : custom;spans : more:to:come",
            [RateLimit(4.5, ("metric_bucket",), "organization", "quota_exceeded", ("custom", "spans"))],
        ),
        ("7:from_the_future", [RateLimit(7, ("from_the_future",))]),
        ("soon:error, -1:error, nan:error, inf:error, :error, ,5:error", [RateLimit(5, ("error",))]),
    ],
)
def test_headers_are_read(value: str, limits: list[RateLimit]) -> None:
    assert parse_rate_limits(value) == limits


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        (RateLimit(60), "60:"),
        (RateLimit(60.0, ("error", "transaction"), "key"), "60:error;transaction:key"),
        (RateLimit(1, (), "organization", "spike"), "1::organization:spike"),
        (RateLimit(1, ("metric_bucket",), "project", None, ("custom",)), "1:metric_bucket:project::custom"),
        (RateLimit(0.5, ("error",)), "0.5:error"),
    ],
)
def test_headers_are_written(limit: RateLimit, value: str) -> None:
    assert format_rate_limits([limit]) == value


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37.0),
        ("Sun, 06 Nov 1994 08:48:00 GMT", 0.0),
        (None, 60.0),
        ("", 60.0),
        ("soon", 60.0),
        ("-5", 60.0),
        ("inf", 60.0),
    ],
)
def test_retry_after(value: str | None, seconds: float) -> None:
    at_08_49 = 784111740.0
    assert parse_retry_after(value, now=at_08_49) == seconds


def test_a_date_counts_from_now() -> None:
    assert parse_retry_after("Wed, 31 Dec 9998 23:59:59 GMT") > 1e9
    assert parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT") == 0.0
