"""How the SDK is started."""

from __future__ import annotations

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.threading import ThreadingIntegration

from .changing import Event, Function, change_events, change_options, instead_of, leave_out


def not_initialised() -> None:
    @instead_of(sentry_sdk, "init")
    def init(_original: Function, **_options: Any) -> None:
        return


def before_send_returns_nothing() -> None:
    def change(event: Event) -> None:
        event.setdefault("extra", {})["build"] = "4711"

    change_events(change)


def before_send_raises() -> None:
    def change(event: Event) -> Event:
        return {**event, "fingerprint": [event["exception"]["values"][0]["type"]]}

    change_events(change)


def errors_sampled_out() -> None:
    change_options(lambda _: {"sample_rate": 0.0})


def errors_ignored() -> None:
    change_options(lambda _: {"ignore_errors": [RuntimeError]})


def environment_hard_coded() -> None:
    change_options(lambda _: {"environment": "production"})


def sampled_anew() -> None:
    change_options(lambda _: {"traces_sampler": lambda _context: 0.0})


def tracing_off() -> None:
    change_options(lambda _: {"traces_sample_rate": None})


def foreign_traces_refused() -> None:
    change_options(lambda _: {"strict_trace_continuation": True, "org_id": "4711"})


def propagation_targets_empty() -> None:
    change_options(lambda _: {"trace_propagation_targets": []})


def framework_left_out() -> None:
    leave_out("tornado")


def threads_without_scope() -> None:
    leave_out("threading", ThreadingIntegration(propagate_scope=False))


def own_code_excluded() -> None:
    change_options(lambda _: {"in_app_exclude": ["game_engine", "observability"]})


def source_not_read() -> None:
    change_options(lambda _: {"include_source_context": False})


def personal_data_sent() -> None:
    change_options(lambda _: {"send_default_pii": True, "before_send": None, "before_send_transaction": None})
