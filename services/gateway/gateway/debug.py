"""Debug endpoints of the gateway: a crash of its own, and upstreams that fail, through the very code of the proxy."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import sentry_sdk
from starlette.requests import Request
from starlette.responses import Response

from gateway import SERVICE
from gateway.clients import Clients
from gateway.proxy import Target, forward
from gateway.request_identity import request_id_of
from gateway.routing import RouteTable, Upstream
from observability.manifest import DebugRegistry
from observability.parameters import HOLD, IntParameter
from observability.request_scope import DEBUG_USER_HEADER, begin_debug_request, new_identifier

Handler = Callable[[Request], Awaitable[Response]]

UPSTREAM_TIMEOUT = IntParameter("timeout_ms", default=300, ceiling=2000, floor=50)
DOWN_TIMEOUT_MS = 2000

debug = DebugRegistry[Handler](SERVICE)


def _begin(request: Request) -> None:
    scenario, request_id = debug.find(request.url.path).scenario, request_id_of(request)
    debug_user = request.headers.get(DEBUG_USER_HEADER)
    user_id = begin_debug_request(SERVICE, scenario, request_id=request_id, debug_user=debug_user)
    sentry_sdk.add_breadcrumb(
        category="gateway.request",
        message=f"{request.method} {request.url.path}",
        level="info",
        data={
            "user_id": user_id,
            "request_id": request_id,
            "method": request.method,
            "path": request.url.path,
        },
    )


@debug.endpoint(
    "/debug/crash",
    demonstrates="an unhandled error: a new route table has an address without a valid port",
    status=500,
    group="crash",
)
async def crash(request: Request) -> Response:
    """Load a broken route table."""
    hold_ms = HOLD.read(request.query_params)
    _begin(request)
    revision = new_identifier("rev")
    text = "payment=http://10.0.0.7:8003\nanalytics=http://10.0.0.8:80o2"
    sentry_sdk.add_breadcrumb(
        category="routes.fetch", message=f"Fetched route table {revision}", level="info", data={"revision": revision}
    )
    sentry_sdk.add_breadcrumb(
        category="routes.parse",
        message=f"Parsing {len(text.splitlines())} routes",
        level="info",
        data={"revision": revision, "routes": len(text.splitlines())},
    )
    await asyncio.sleep(hold_ms / 1000)
    RouteTable.parse(text, revision)
    return Response(status_code=204)


async def _forward_to(request: Request, name: str, port: int, timeout_ms: int) -> Response:
    clients: Clients = request.app.state.clients
    upstream = Upstream(name, f"http://127.0.0.1:{port}")
    return await forward(clients, request, Target(upstream, b"/", b"", timeout_ms), request_id_of(request))


@debug.endpoint(
    "/debug/upstream-down",
    demonstrates="an upstream that refuses connections: 502 and a handled error",
    status=502,
    group="specific",
)
async def upstream_down(request: Request) -> Response:
    """Forward to a port that is ours for the time being and that nobody listens on."""
    _begin(request)
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        return await _forward_to(request, "refusing-upstream", reserved.getsockname()[1], DOWN_TIMEOUT_MS)


@debug.endpoint(
    "/debug/upstream-timeout",
    demonstrates="an upstream that never answers within ?timeout_ms= (default 300): 504 and a handled error",
    status=504,
    group="specific",
)
async def upstream_timeout(request: Request) -> Response:
    """Forward to a socket whose connections nobody ever picks up."""
    timeout_ms = UPSTREAM_TIMEOUT.read(request.query_params)
    _begin(request)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        return await _forward_to(request, "silent-upstream", silent.getsockname()[1], timeout_ms)
