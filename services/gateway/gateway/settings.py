"""Settings of the gateway, from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.routing import RouteTable, Upstream
from observability.settings import Address, BadSetting, read_address, read_integer, read_url

ANY_LOCALHOST = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
"""Origins that may call the gateway from a browser when CORS_ORIGINS is not set."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment decides.

    Attributes:
        address: where to listen (HOST, PORT).
        routes: the services (PAYMENT_URL, ANALYTICS_URL, GAME_ENGINE_URL).
        frontend: who serves the page, which people then open at the gateway (FRONTEND_URL); None leaves it to others.
        cors_origins: origins allowed in browsers (CORS_ORIGINS, comma-separated); empty allows any localhost.
        upstream_timeout_ms: how long an upstream may stay silent (UPSTREAM_TIMEOUT_MS).
        body_timeout_ms: how long a client may take to send a request's body (BODY_TIMEOUT_MS).
    """

    address: Address
    routes: RouteTable
    frontend: Upstream | None
    cors_origins: tuple[str, ...]
    upstream_timeout_ms: int
    body_timeout_ms: int


def read_settings() -> Settings:
    """Read the environment.

    Raises:
        BadSetting: a variable has a value that cannot be used.
    """
    upstreams = (
        Upstream("game-engine", read_url("GAME_ENGINE_URL", "http://127.0.0.1:8001")),
        Upstream("analytics", read_url("ANALYTICS_URL", "http://127.0.0.1:8002")),
        Upstream("payment", read_url("PAYMENT_URL", "http://127.0.0.1:8003")),
    )
    return Settings(
        address=read_address(default_port=8000),
        routes=RouteTable({upstream.name: upstream for upstream in upstreams}),
        frontend=_read_frontend(),
        cors_origins=_read_origins(),
        upstream_timeout_ms=read_integer("UPSTREAM_TIMEOUT_MS", default=10_000, lowest=100, highest=120_000),
        body_timeout_ms=read_integer("BODY_TIMEOUT_MS", default=10_000, lowest=100, highest=600_000),
    )


def _read_frontend() -> Upstream | None:
    if not os.environ.get("FRONTEND_URL", "").strip():
        return None
    return Upstream("frontend", read_url("FRONTEND_URL", "http://127.0.0.1:8080"))


def _read_origins() -> tuple[str, ...]:
    origins = tuple(word.strip() for word in os.environ.get("CORS_ORIGINS", "").split(",") if word.strip())
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or origin != f"{parts.scheme}://{parts.netloc}" or not parts.netloc:
            raise BadSetting(f"CORS_ORIGINS must list origins such as https://app.example.com, not {origin!r}")
    return origins
