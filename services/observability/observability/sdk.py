"""Starting and ending the Sentry SDK the same way in every Python service."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import sentry_sdk
from sentry_sdk.integrations import Integration
from sentry_sdk.scope import add_global_event_processor
from sentry_sdk.transport import HttpTransport
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import BadDsn

from observability.runtime import runtime_contexts
from observability.scrubbing import scrub_event, scrub_log, scrub_metric
from observability.settings import BadSetting

STOP_SECONDS = 1.9
"""From the signal to the end of the process, what is in flight and the flush included."""
SHORTEST_FLUSH_SECONDS = 0.5

Sampler = Callable[[dict[str, Any]], float]


class _ImpatientTransport(HttpTransport):
    """The SDK's transport, which sends one envelope after the other, but with less time for each.

    With its own 30 s, a Sentry that takes requests and answers none would have the queue of 100 run over for half
    a minute more after it is back.
    """

    TIMEOUT = 5


def start_sentry(
    service: str,
    *,
    framework: tuple[str, str],
    integrations: Sequence[Integration],
    profiles_sampler: Sampler | None = None,
) -> None:
    """Start the SDK from SENTRY_DSN, SENTRY_RELEASE and SENTRY_ENVIRONMENT; without a DSN nothing is sent.

    Every event and transaction of the process gets the tag `service` and the `runtime_*` contexts of the moment.

    Args:
        service: the service's name in tags.
        framework: name and version of the web framework, for `runtime_versions`.
        integrations: what to instrument besides the SDK's defaults. Nothing is enabled by guessing, because one
            environment may hold the packages of several services.
        profiles_sampler: which transactions are profiled; none by default.

    Raises:
        BadSetting: SENTRY_DSN is not a DSN.
    """
    try:
        sentry_sdk.init(
            integrations=list(integrations),
            auto_enabling_integrations=False,
            transport=_ImpatientTransport,
            traces_sample_rate=1.0,
            profiles_sampler=profiles_sampler,
            send_default_pii=False,
            # What the guard calls is at fault, not the guard: it must not be what issues are grouped by.
            in_app_exclude=["observability.guard"],
            enable_logs=True,
            before_send=scrub_event,
            before_send_transaction=scrub_event,
            before_send_log=scrub_log,
            before_send_metric=scrub_metric,
        )
    except BadDsn as problem:
        raise BadSetting(f"SENTRY_DSN is not a DSN such as https://key@sentry.example.com/1: {problem}") from problem
    sentry_sdk.get_global_scope().set_tag("service", service)

    @add_global_event_processor
    def attach_runtime(event: Event, _hint: Hint) -> Event:
        event.setdefault("contexts", {}).update(runtime_contexts(framework))
        return event


def stop_sentry(stopping_since: float) -> None:
    """Send what is still queued. A process that ends by a signal without this loses it.

    Args:
        stopping_since: when the process was asked to stop, in `time.monotonic()` seconds; the flush takes what is
            left of `STOP_SECONDS`, and no longer than it needs.
    """
    left = STOP_SECONDS - (time.monotonic() - stopping_since)
    sentry_sdk.get_client().close(timeout=max(left, SHORTEST_FLUSH_SECONDS))
