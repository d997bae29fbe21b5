"""The application: routes, error answers and CORS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

import sentry_sdk
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway import SERVICE
from gateway.clients import Clients, open_clients
from gateway.debug import Handler, debug
from gateway.errors import UpstreamError
from gateway.headers import are_too_large
from gateway.proxy import Target, forward
from gateway.request_identity import request_id_of
from gateway.routing import UnknownService, leads_to_debug
from gateway.settings import ANY_LOCALHOST, Settings
from observability.guard import DebugGuard, Guarded
from observability.guard.noise import keep_flood_quiet
from observability.guard.starlette import GuardedRoute
from observability.guard.target import MANIFEST
from observability.parameters import BadParameter
from observability.request_scope import DEBUG_USER_HEADER, EVENT_ID_HEADER, REQUEST_ID_HEADER

TRACE_HEADERS = ("sentry-trace", "baggage", "traceparent")
LIMIT_HEADERS = ("RateLimit", "RateLimit-Policy", "Retry-After")
PAGE = ("/", "/index.html", "/config.json", "/favicon.svg", "/assets/{rest:path}")
"""What the page consists of. Nothing else leads to the front end, so that any other path is a 404 of the gateway."""
NEVER_FORWARDED = frozenset({"CONNECT", "TRACE"})
REFUSALS = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }
)
"""Statuses with which a guard refuses a request."""


def make_app(settings: Settings, guard: DebugGuard | None) -> ASGIApp:
    """Build the application, without debug endpoints if nothing guards them.

    CORS is outside of everything else, so that a browser may read the answer to an error too, and so that a preflight
    is no transaction.
    """
    app = Starlette(
        routes=[
            Route("/health", health),
            *(_debug_routes(guard) if guard else ()),
            _any_method(Route("/api/v1/{service}", proxy)),
            _any_method(Route("/api/v1/{service}/{rest:path}", proxy)),
            *(Route(path, page) for path in (PAGE if settings.frontend else ())),
        ],
        exception_handlers={
            BadParameter: bad_request,
            HTTPException: http_error,
            UnknownService: unknown_service,
            UpstreamError: upstream_error,
            Exception: internal_error,
        },
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.state.settings = settings
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_origin_regex=None if settings.cors_origins else ANY_LOCALHOST,
        allow_methods=["*"],
        allow_headers=[*TRACE_HEADERS, "Content-Type", "Authorization", DEBUG_USER_HEADER, REQUEST_ID_HEADER],
        expose_headers=[EVENT_ID_HEADER, REQUEST_ID_HEADER, *LIMIT_HEADERS, *TRACE_HEADERS],
    )


def _debug_routes(guard: DebugGuard) -> Iterator[Route]:
    def route(target: Guarded, handler: Handler, method: str) -> Route:
        return GuardedRoute(
            target,
            handler,
            guard,
            method=method,
            request_id_of=request_id_of,
            answer_error=_error,
        )

    async def manifest(request: Request) -> Response:
        # Its own endpoints, and the services behind it, which have manifests of their own.
        settings: Settings = request.app.state.settings
        return JSONResponse({**guard.manifest(debug), "services": list(settings.routes.upstreams)})

    yield route(MANIFEST, manifest, "GET")
    for endpoint, handler in debug:
        yield route(Guarded.of(SERVICE, endpoint), handler, endpoint.method)


def _any_method(route: Route) -> Route:
    """Let the upstream decide which methods it knows; a route of a function starts with GET alone."""
    route.methods = None
    return route


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with open_clients() as clients:
        app.state.clients = clients
        yield


async def health(_request: Request) -> Response:
    """`GET /health`."""
    return JSONResponse({"status": "ok", "service": SERVICE})


async def proxy(request: Request) -> Response:
    """`/api/v1/<service>/<rest>` with any method."""
    settings: Settings = request.app.state.settings
    clients: Clients = request.app.state.clients
    request_id = request_id_of(request)
    sentry_sdk.get_isolation_scope().set_tag("request_id", request_id)
    if request.method in NEVER_FORWARDED:
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)
    if are_too_large(request.headers.raw):
        return _error(request, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's headers are too large")
    upstream, path = settings.routes.resolve(request.scope["raw_path"])
    sentry_sdk.add_breadcrumb(
        category="gateway.request",
        message=f"{request.method} for {upstream.name}",
        level="info",
        data={"request_id": request_id, "method": request.method, "path": path.decode("latin-1")},
    )
    target = Target(
        upstream,
        path,
        request.scope["query_string"],
        timeout_ms=settings.upstream_timeout_ms,
        prefix=f"/api/v1/{upstream.name}",
    )
    answer = await forward(clients, request, target, request_id)
    if answer.status_code in REFUSALS and leads_to_debug(path):
        suppressed = keep_flood_quiet()
        if suppressed:
            sentry_sdk.get_isolation_scope().set_tag("debug.suppressed", str(suppressed))
    return answer


async def page(request: Request) -> Response:
    """The page, from the front end behind the gateway."""
    settings: Settings = request.app.state.settings
    if settings.frontend is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if are_too_large(request.headers.raw):
        return _error(request, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's headers are too large")
    target = Target(
        settings.frontend,
        request.scope["raw_path"],
        request.scope["query_string"],
        timeout_ms=settings.upstream_timeout_ms,
    )
    return await forward(request.app.state.clients, request, target, request_id_of(request))


def _error(request: Request, status: int, message: str, more: Mapping[str, str] | None = None) -> Response:
    headers = {**(more or {}), REQUEST_ID_HEADER: request_id_of(request)}
    event_id = sentry_sdk.last_event_id()
    if event_id is not None:
        headers[EVENT_ID_HEADER] = event_id
    return JSONResponse({"error": message, "request_id": request_id_of(request)}, status, headers)


async def bad_request(request: Request, problem: Exception) -> Response:
    """A parameter is out of its bounds."""
    return _error(request, HTTPStatus.BAD_REQUEST, str(problem))


async def http_error(request: Request, problem: Exception) -> Response:
    """Nothing is routed there, or not with this method, or the request did not come in time."""
    if not isinstance(problem, HTTPException):
        return await internal_error(request, problem)
    phrase = HTTPStatus(problem.status_code).phrase.lower()
    return _error(request, problem.status_code, f"{request.method} {request.url.path}: {phrase}", problem.headers)


async def unknown_service(request: Request, problem: Exception) -> Response:
    """The path names no service."""
    return _error(request, HTTPStatus.NOT_FOUND, str(problem))


async def upstream_error(request: Request, problem: Exception) -> Response:
    """An upstream failed; the integration has reported it by now."""
    if not isinstance(problem, UpstreamError):
        return await internal_error(request, problem)
    name, timed_out = problem.upstream.name, problem.status_code == HTTPStatus.GATEWAY_TIMEOUT
    return _error(
        request, problem.status_code, f"{name} did not answer in time" if timed_out else f"{name} is not available"
    )


async def internal_error(request: Request, _problem: Exception) -> Response:
    """Whatever nobody handled; it is reported once this answer is on its way."""
    answer = _error(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal server error")
    # uvicorn closes the connection of a request that raised; a client must not send its next one on it.
    answer.headers["Connection"] = "close"
    return answer
