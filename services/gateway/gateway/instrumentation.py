"""Sentry in the gateway: Starlette on the way in, httpx on the way out."""

from __future__ import annotations

import starlette
from sentry_sdk.integrations.httpx import HttpxIntegration
from sentry_sdk.integrations.starlette import StarletteIntegration

from gateway import SERVICE
from observability.sdk import start_sentry

CAPTURED_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT")
"""All of them: by default the SDK skips HEAD and OPTIONS, and a proxied request would lose its trace there."""


def start_instrumentation() -> None:
    """Start the SDK.

    Raises:
        BadSetting: SENTRY_DSN is not a DSN.
    """
    start_sentry(
        SERVICE,
        framework=("starlette", starlette.__version__),
        integrations=[
            StarletteIntegration(transaction_style="url", http_methods_to_capture=CAPTURED_METHODS),
            HttpxIntegration(),
        ],
    )
