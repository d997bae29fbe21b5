"""The guard as the environment describes it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.errors import ConfigurationError

from observability.guard.decision import DebugGuard
from observability.guard.flags import DebugFlags
from observability.guard.limits import Concurrency, RateLimit
from observability.guard.origin import TrustedProxies
from observability.guard.tokens import TokenCheck
from observability.settings import BadSetting, read_integer

DEFAULT_RATE = "60/minute"

_RATE = re.compile(r"([1-9][0-9]{0,6})/(second|minute|hour)")
_PERIODS = {"second": RateLimitItemPerSecond, "minute": RateLimitItemPerMinute, "hour": RateLimitItemPerHour}


def open_guard(service: str, *, is_entry: bool = False) -> DebugGuard | None:
    """Read the variables that begin with DEBUG_, and TRUSTED_PROXIES.

    Args:
        service: name of the service.
        is_entry: whether clients connect to it themselves, so that no proxy is to be believed.

    Returns:
        The guard; None without DEBUG_FLAGS_FILE: then there are no debug endpoints.

    Raises:
        BadSetting: there are flags and no usable keys, or a limit or a proxy is none. Authentication cannot be
            switched off.
    """
    rate = _read_rate()
    most_at_once = read_integer("DEBUG_CONCURRENCY", default=4, lowest=1, highest=10_000)
    redis_url = _read_redis_url()
    proxies = TrustedProxies() if is_entry else _read_proxies()
    flags, keys = (os.environ.get(name, "").strip() for name in ("DEBUG_FLAGS_FILE", "DEBUG_KEYS_FILE"))
    if not flags:
        return None
    if not keys:
        raise BadSetting(
            "DEBUG_FLAGS_FILE needs DEBUG_KEYS_FILE, a JWKS with the public keys of whoever signs tokens for the "
            "debug endpoints; unset DEBUG_FLAGS_FILE to run without debug endpoints"
        )
    try:
        tokens = TokenCheck(Path(keys))
    except ValueError as problem:
        raise BadSetting(f"DEBUG_KEYS_FILE must be a JWKS with public keys: {problem}") from problem
    try:
        limit = RateLimit(service, rate, redis_url)
    except (ValueError, ConfigurationError):
        raise _no_redis_url() from None
    return DebugGuard(DebugFlags(Path(flags)), tokens, limit, Concurrency(most_at_once), proxies)


def _read_rate() -> RateLimitItem:
    text = os.environ.get("DEBUG_RATE_LIMIT", "").strip() or DEFAULT_RATE
    rate = _RATE.fullmatch(text)
    if rate is None:
        raise BadSetting(
            f"DEBUG_RATE_LIMIT must be a number per second, minute or hour such as {DEFAULT_RATE}, not {text!r}"
        )
    return _PERIODS[rate[2]](int(rate[1]))


def _read_proxies() -> TrustedProxies:
    try:
        return TrustedProxies.parse(os.environ.get("TRUSTED_PROXIES", ""))
    except ValueError as problem:
        raise BadSetting(
            f"TRUSTED_PROXIES must list addresses or networks such as 10.0.0.7,10.1.0.0/16: {problem}"
        ) from problem


def _read_redis_url() -> str | None:
    text = os.environ.get("DEBUG_LIMITS_URL", "").strip()
    # Of another path redis-py would make database 0.
    if text and re.fullmatch(r"rediss?://[^/?#]+(/[0-9]*)?(\?[^#]*)?", text) is None:
        raise _no_redis_url()
    return text or None


def _no_redis_url() -> BadSetting:
    # The URL is not repeated: it may contain a password.
    return BadSetting("DEBUG_LIMITS_URL must be the URL of a Redis such as redis://127.0.0.1:6379/0")
