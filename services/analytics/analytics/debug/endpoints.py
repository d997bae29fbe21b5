"""How a debug endpoint of this service is registered and begun."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from analytics.breadcrumbs import leave_breadcrumb
from analytics.instrumentation import SERVICE
from analytics.responses import error_answer, request_id_of
from analytics.routes import engine_of
from observability.guard import DebugGuard, Guarded
from observability.guard.starlette import GuardedRoute, Handler
from observability.guard.target import MANIFEST
from observability.manifest import DebugEndpoint, DebugRegistry
from observability.request_scope import DEBUG_USER_HEADER, begin_debug_request

debug = DebugRegistry[Handler](SERVICE)


def add_debug_routes(app: FastAPI, guard: DebugGuard) -> None:
    """Add the registered debug endpoints and their manifest to the application."""

    def add(target: Guarded, handler: Handler, method: str) -> None:
        app.router.routes.append(
            GuardedRoute(
                target, handler, guard, method=method, request_id_of=request_id_of, answer_error=error_answer
            )
        )

    async def manifest(_request: Request) -> Response:
        return JSONResponse(guard.manifest(debug))

    add(MANIFEST, manifest, "GET")
    for endpoint, handler in debug:
        add(Guarded.of(SERVICE, endpoint), _begun(endpoint, handler), endpoint.method)


def _begun(endpoint: DebugEndpoint, handler: Handler) -> Handler:
    """Give the handler with the request's user, tags and first breadcrumb set before it."""

    async def serve(request: Request) -> Response:
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
        if iscoroutinefunction(handler):
            return cast("Response", await handler(request))
        return cast("Response", await run_in_threadpool(handler, request))

    return serve
