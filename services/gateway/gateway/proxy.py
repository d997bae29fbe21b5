"""The streaming reverse proxy: bodies pass through in both directions as they arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import anyio
import httpx
import sentry_sdk
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.errors import UpstreamBroke, UpstreamTimeout, UpstreamUnreachable
from gateway.headers import ClientSide, forwarded_request_headers, has_body, returned_response_headers
from gateway.routing import Upstream
from observability.request_scope import REQUEST_ID_HEADER

CONNECT_SECONDS = 2.0
IDLE_CONNECTION_SECONDS = 2.0
CLIENT_CLOSED_REQUEST = 499


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the upstream, the path and query as bytes, and how long it may stay silent."""

    upstream: Upstream
    path: bytes
    query: bytes
    timeout_ms: int
    prefix: str = ""

    @property
    def on_the_wire(self) -> bytes:
        """The request target, percent-encoding untouched."""
        base = urlsplit(self.upstream.url).path.encode("ascii")
        return base + self.path + (b"?" + self.query if self.query else b"")


def make_client() -> httpx.AsyncClient:
    """The client of all upstreams: no proxies from the environment, no cookies of its own, no redirects followed."""
    return httpx.AsyncClient(
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        # Node and uvicorn close an idle connection after 5 s; a request must not be sent on one just then.
        limits=httpx.Limits(max_connections=500, keepalive_expiry=IDLE_CONNECTION_SECONDS),
    )


async def forward(client: httpx.AsyncClient, request: Request, target: Target, request_id: str) -> Response:
    """Send a request on and give the upstream's answer, its body still streaming.

    Raises:
        UpstreamUnreachable: no connection, or it broke before the answer.
        UpstreamTimeout: no answer in time.
    """
    upstream = target.upstream
    scope = sentry_sdk.get_isolation_scope()
    scope.set_tag("upstream", upstream.name)
    scope.set_tag("upstream.authority", upstream.authority)
    body = _RequestBody(request)
    outgoing = _outgoing_request(request, target, body, request_id)
    sentry_sdk.add_breadcrumb(
        category="gateway.forward",
        message=f"Forwarding to {upstream.name}",
        level="info",
        data={
            "upstream": upstream.name,
            "url": upstream.url,
            "method": request.method,
            "timeout_ms": target.timeout_ms,
        },
    )
    try:
        answer = await _send_unless_abandoned(client, request, outgoing, body)
    except httpx.TimeoutException as problem:
        _note_failure(upstream, "gave no answer in time")
        raise UpstreamTimeout(
            upstream, f"gave request {request_id} no answer within {target.timeout_ms} ms"
        ) from problem
    except httpx.TransportError as problem:
        _note_failure(upstream, "could not be reached")
        raise UpstreamUnreachable(upstream, f"could not be reached for request {request_id}") from problem
    if answer is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return UpstreamResponse(answer, upstream, request_id)


def _note_failure(upstream: Upstream, problem: str) -> None:
    sentry_sdk.add_breadcrumb(
        category="gateway.upstream",
        message=f"{upstream.name} {problem}",
        level="error",
        data={"upstream": upstream.name, "url": upstream.url},
    )


class _RequestBody:
    """The client's body, and the knowledge whether it was read to its end."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.read = anyio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._request.stream():
            if chunk:
                yield chunk
        self.read.set()


def _outgoing_request(request: Request, target: Target, body: _RequestBody, request_id: str) -> httpx.Request:
    client = ClientSide(
        address=request.client.host if request.client else "unknown",
        scheme=request.url.scheme,
        host=request.headers.get("host", ""),
        prefix=target.prefix,
    )
    incoming = request.headers.raw
    headers = forwarded_request_headers(incoming, client)
    identifier = REQUEST_ID_HEADER.lower().encode("ascii")
    headers = [*((name, value) for name, value in headers if name != identifier), (identifier, request_id.encode())]
    seconds = target.timeout_ms / 1000
    timeout = httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
    if not has_body(incoming):
        body.read.set()
    return httpx.Request(
        request.method,
        # The span shows this URL; the bytes that are sent are those of the extension, which httpx does not rewrite.
        httpx.URL(target.upstream.url).copy_with(raw_path=target.on_the_wire),
        headers=headers,
        content=aiter(body) if has_body(incoming) else None,
        extensions={"timeout": timeout.as_dict(), "target": target.on_the_wire},
    )


async def _send_unless_abandoned(
    client: httpx.AsyncClient, request: Request, outgoing: httpx.Request, body: _RequestBody
) -> httpx.Response | None:
    """Wait for the head of the answer; None, with the upstream's connection closed, when the client goes away."""
    answer: httpx.Response | None = None
    failure: httpx.TransportError | None = None
    async with anyio.create_task_group() as group:

        async def watch_client() -> None:
            await body.read.wait()
            while (await request.receive())["type"] != "http.disconnect":
                continue
            group.cancel_scope.cancel()

        group.start_soon(watch_client)
        try:
            answer = await client.send(outgoing, stream=True)
        except httpx.TransportError as problem:
            # Raised outside: a task group would wrap it in an exception group.
            failure = problem
        except ClientDisconnect:
            answer = None
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return answer


class UpstreamResponse(StreamingResponse):
    """The upstream's answer; its connection is given back whatever becomes of the client."""

    def __init__(self, answer: httpx.Response, upstream: Upstream, request_id: str) -> None:
        super().__init__(self._chunks(), status_code=answer.status_code)
        self.raw_headers = returned_response_headers(answer.headers.raw)
        if REQUEST_ID_HEADER not in answer.headers:
            self.headers[REQUEST_ID_HEADER] = request_id
        self._answer = answer
        self._upstream = upstream
        self._request_id = request_id

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.aiter_raw():
                yield chunk
        except httpx.TransportError as problem:
            raise UpstreamBroke(self._upstream, f"broke off its answer to request {self._request_id}") from problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream, and close the upstream's side at the end, an end by cancellation included."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._answer.aclose()
