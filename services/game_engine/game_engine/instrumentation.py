"""Sentry in the game engine: Tornado, worker threads, and a profile of the one endpoint that burns CPU."""

from __future__ import annotations

from typing import Any

import tornado
from sentry_sdk.integrations.logging import ignore_logger_for_sentry_logs
from sentry_sdk.integrations.threading import ThreadingIntegration
from sentry_sdk.integrations.tornado import TornadoIntegration

from game_engine import SERVICE
from observability.sdk import start_sentry

PROFILED_PATH = "/debug/cpu-spike"


def start_instrumentation() -> None:
    """Start the SDK.

    AsyncioIntegration stays out on purpose: it reports the exception of every task, and Tornado's handler, which
    awaits that task, reports it a second time. Gathered coroutines get scopes of their own instead (`jackpot.py`).

    Raises:
        BadSetting: SENTRY_DSN is not a DSN.
    """
    # What Tornado logs about a request is for people at the terminal; Sentry has it as transaction and event.
    for name in ("tornado.access", "tornado.application", "tornado.general"):
        ignore_logger_for_sentry_logs(name)
    start_sentry(
        SERVICE,
        framework=("tornado", tornado.version),
        integrations=[TornadoIntegration(), ThreadingIntegration(propagate_scope=True)],
        profiles_sampler=_profile_rate,
    )


def _profile_rate(sampling_context: dict[str, Any]) -> float:
    request = sampling_context.get("tornado_request")
    return 1.0 if request is not None and request.path == PROFILED_PATH else 0.0
