"""What the SDKs say they dropped: which reasons mean a loss, and what is behind each."""

from __future__ import annotations

from harness.telemetry.records import Discard

_REASONS = {
    "before_send": "before_send dropped it or returned nothing",
    "callback_error": "a callback of the SDK's options, such as before_send, raised",
    "event_processor": "an event processor dropped it; Dedupe of the JavaScript SDKs is one, it drops an error that "
    "looks like the one before",
    "sample_rate": "it was sampled out",
    "network_error": "the request to the DSN failed",
    "queue_overflow": "the SDK's queue was full",
    "cache_overflow": "the SDK's offline cache was full",
    "buffer_overflow": "the SDK's buffer was full",
    "ratelimit_backoff": "Sentry's rate limit was in force",
    "backpressure": "the SDK sampled less because it could not keep up",
    "internal_sdk_error": "the SDK failed on it",
    "send_error": "Sentry refused it",
    "ignored": "an ignore rule of the SDK's options matched",
    "invalid": "it was incomplete, such as a span that was still open when its segment ended",
    "insufficient_data": "it had too little in it, such as a profile with a single sample",
    "no_parent_span": "it happened outside of any request or task that is traced",
}
"""Reasons by their names in https://develop.sentry.dev/sdk/telemetry/client-reports/."""

BY_OUTAGE = frozenset(
    {
        "backpressure",
        "buffer_overflow",
        "cache_overflow",
        "network_error",
        "queue_overflow",
        "ratelimit_backoff",
        "send_error",
    }
)
"""Reasons for which an SDK drops something because Sentry, or the way to it, fails."""

# Nothing is lost by these: a rule or a rate asked for it, or there was nothing worth keeping.
_BY_CHOICE = frozenset({"ignored", "insufficient_data", "no_parent_span", "sample_rate"})


def why(discard: Discard) -> str:
    """The reason in words."""
    return _REASONS.get(discard.reason, "the SDK dropped it")


def had_been_sent(discard: Discard, sdk: str | None) -> bool:
    """Whether only a copy was dropped, so that nothing is missing in Sentry.

    The Python SDK's Dedupe reports every exception that reaches the SDK a second time, which framework integrations
    make happen all the time. Dedupe of the JavaScript SDKs is of another kind: it drops an error that looks like the
    one before, which is another error.

    Args:
        discard: what was dropped.
        sdk: name of the SDK that says so; None when it is not known.
    """
    is_dedupe = discard.reason == "event_processor" and discard.category == "error"
    return is_dedupe and not (sdk or "").startswith("sentry.javascript")


def is_loss(discard: Discard, sdk: str | None) -> bool:
    """Whether something is missing in Sentry that the project did not choose to do without.

    Rates are a choice for everything but errors: of an error that is sampled out nobody hears.

    Args:
        discard: what was dropped.
        sdk: name of the SDK that says so; None when it is not known.
    """
    is_sampled_error = discard.reason == "sample_rate" and discard.category == "error"
    return is_sampled_error or (discard.reason not in _BY_CHOICE and not had_been_sent(discard, sdk))
