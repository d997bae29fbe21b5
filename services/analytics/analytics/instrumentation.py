"""What Sentry gets to know of this service."""

from __future__ import annotations

import fastapi
from sentry_sdk.integrations.fastapi import FastApiIntegration
from sentry_sdk.integrations.sqlalchemy import SqlalchemyIntegration
from sentry_sdk.integrations.starlette import StarletteIntegration

from observability.sdk import start_sentry

SERVICE = "analytics"


def instrument() -> None:
    """Start the SDK. FastAPI's routes are instrumented as they are made, so this comes before the application."""
    start_sentry(
        SERVICE,
        framework=("fastapi", fastapi.__version__),
        integrations=[StarletteIntegration(), FastApiIntegration(), SqlalchemyIntegration()],
    )
