"""Rate limits: how Sentry tells SDKs to be quiet, see https://develop.sentry.dev/sdk/expected-features/rate-limiting/."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

DEFAULT_RETRY_AFTER = 60.0
"""Seconds that an SDK stays quiet after a 429 that names no time."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit of an `X-Sentry-Rate-Limits` header.

    Attributes:
        seconds: How long from now it holds.
        categories: Data categories that it stops, such as `error` or `transaction`; none means all.
        scope: Whom it stops: `organization`, `project` or `key`.
        reason_code: Which quota caused it.
        namespaces: Metric namespaces that it stops within the category `metric_bucket`; none means all.
    """

    seconds: float
    categories: tuple[str, ...] = ()
    scope: str | None = None
    reason_code: str | None = None
    namespaces: tuple[str, ...] = ()


def parse_rate_limits(value: str) -> list[RateLimit]:
    """Read an `X-Sentry-Rate-Limits` header as Relay does (`utils/rate_limits.rs`).

    Args:
        value: The header's value: limits separated by commas, each of the form
            `seconds:categories:scope:reason_code:namespaces`, further components to be ignored.

    Returns:
        The limits in order; one without a time in seconds is left out, as SDKs ignore it.
    """
    limits = []
    for text in value.split(","):
        components = [component.strip() for component in text.split(":")]
        seconds = _seconds(components[0])
        if seconds is None:
            continue
        categories, scope, reason_code, namespaces = (*components[1:5], "", "", "", "")[:4]
        limits.append(
            RateLimit(seconds, _names(categories), scope or None, reason_code or None, _names(namespaces)),
        )
    return limits


def format_rate_limits(limits: Iterable[RateLimit]) -> str:
    """Write an `X-Sentry-Rate-Limits` header.

    Args:
        limits: The limits. Relay sends whole seconds only, and some SDKs ignore others.

    Returns:
        The header's value.
    """
    return ", ".join(_format(limit) for limit in limits)


def parse_retry_after(value: str | None, *, now: float | None = None) -> float:
    """Read a `Retry-After` header as SDKs do.

    Args:
        value: The header's value, seconds or an HTTP date; None when the response has none.
        now: The time to count a date from, in Unix seconds; the present by default.

    Returns:
        Seconds to stay quiet; 60 when the header is missing or says nothing intelligible.
    """
    if value is None:
        return DEFAULT_RETRY_AFTER
    seconds = _seconds(value.strip())
    if seconds is not None:
        return seconds
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return DEFAULT_RETRY_AFTER
    return max(0.0, date.timestamp() - (time.time() if now is None else now))


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if seconds >= 0 and math.isfinite(seconds) else None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(";") if name.strip())


def _format(limit: RateLimit) -> str:
    seconds = int(limit.seconds) if limit.seconds == int(limit.seconds) else limit.seconds
    further = [limit.scope or "", limit.reason_code or "", ";".join(limit.namespaces)]
    while further and not further[-1]:
        further.pop()
    # Even without categories their colon is written: SDKs take limits with fewer than two components for broken.
    return ":".join([str(seconds), ";".join(limit.categories), *further])
