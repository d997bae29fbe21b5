"""How a debug endpoint of this service is registered and begun."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Depends, FastAPI, Request, Response

from analytics.breadcrumbs import leave_breadcrumb
from analytics.instrumentation import SERVICE
from analytics.responses import request_id_of
from analytics.routes import engine_of
from observability.manifest import DebugEndpoint, DebugRegistry
from observability.request_scope import DEBUG_USER_HEADER, begin_debug_request

Handler = Callable[[Request], Awaitable[Response]] | Callable[[Request], Response]

debug = DebugRegistry[Handler](SERVICE)


def add_debug_routes(app: FastAPI) -> None:
    """Add the registered debug endpoints and their manifest to the application."""
    for endpoint, handler in debug:
        app.add_api_route(
            endpoint.path,
            handler,
            methods=[endpoint.method],
            description=endpoint.demonstrates,
            dependencies=[Depends(_begin(endpoint))],
        )

    async def manifest() -> dict[str, Any]:
        return debug.manifest()

    app.add_api_route("/debug", manifest)


def _begin(endpoint: DebugEndpoint) -> Callable[[Request], Awaitable[None]]:
    async def begin(request: Request) -> None:
        request_id = request_id_of(request)
        user_id = begin_debug_request(
            debug.service,
            endpoint.scenario,
            request_id=request_id,
            debug_user=request.headers.get(DEBUG_USER_HEADER),
            tags={"database": engine_of(request).dialect.name},
        )
        leave_breadcrumb(
            "request.accepted", f"{endpoint.scenario} called by {user_id}", user_id=user_id, request_id=request_id
        )

    return begin
