"""The streaming reverse proxy: bodies pass through in both directions as they arrive."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpcore
import httpx
import sentry_sdk
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.clients import IDEMPOTENT, Clients
from gateway.errors import UpstreamBroke, UpstreamTimeout, UpstreamUnreachable
from gateway.headers import ClientSide, forwarded_request_headers, has_body, returned_response_headers
from gateway.routing import Upstream
from observability.edge import body_of
from observability.request_scope import REQUEST_ID_HEADER

CONNECT_SECONDS = 2.0
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


async def forward(clients: Clients, request: Request, target: Target, request_id: str) -> Response:
    """Send a request on and give the upstream's answer, its body still streaming.

    Raises:
        UpstreamUnreachable: no connection, or it broke before the answer.
        UpstreamTimeout: no answer in time.
        HTTPException: the client's body did not come in time, or too many bodies are on their way.
    """
    upstream = target.upstream
    scope = sentry_sdk.get_isolation_scope()
    scope.set_tag("upstream", upstream.name)
    scope.set_tag("upstream.authority", upstream.authority)
    body = _RequestBody(request)
    if not await body.begin():
        return Response(status_code=CLIENT_CLOSED_REQUEST)
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
        answer = await _send(clients, request, target, body, request_id)
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
    response = UpstreamResponse(answer, upstream, request_id)
    if not body.read.is_set():
        # What is left of the body must not be taken for the next request.
        response.headers["Connection"] = "close"
    return response


async def _send(
    clients: Clients, request: Request, target: Target, body: _RequestBody, request_id: str
) -> httpx.Response | None:
    outgoing = _outgoing_request(request, target, body, request_id)
    if not body.has_come:
        with _place_in(clients.room):
            return await _send_unless_abandoned(clients.uploads, request, outgoing, body)
    if body.is_announced or request.method not in IDEMPOTENT:
        return await _send_unless_abandoned(clients.single, request, outgoing, body)
    try:
        return await _send_unless_abandoned(clients.repeatable, request, outgoing, body)
    except (httpx.NetworkError, httpx.RemoteProtocolError):
        if body.has_new_connection:
            raise
    # The upstream may have closed the connection while nobody used it.
    outgoing = _outgoing_request(request, target, body, request_id)
    return await _send_unless_abandoned(clients.single, request, outgoing, body)


@contextmanager
def _place_in(room: anyio.Semaphore) -> Iterator[None]:
    try:
        room.acquire_nowait()
    except anyio.WouldBlock:
        headers = {"Connection": "close", "Retry-After": "1"}
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, headers=headers) from None
    try:
        yield
    finally:
        room.release()


def _note_failure(upstream: Upstream, problem: str) -> None:
    sentry_sdk.add_breadcrumb(
        category="gateway.upstream",
        message=f"{upstream.name} {problem}",
        level="error",
        data={"upstream": upstream.name, "url": upstream.url},
    )


class _RequestBody:
    """The client's body, for as long as the upstream wants it, and the knowledge whether it was read to its end."""

    def __init__(self, request: Request) -> None:
        self._incoming = body_of(request.scope)
        self._chunks = aiter(request.stream())
        self._first = b""
        self._waiting = anyio.CancelScope()
        self._is_answered = False
        self._watched: socket.socket | None = None
        self._connection = asyncio.get_running_loop().create_future()
        self._length = int(request.headers.get("content-length", 0))
        self.is_announced = has_body(request.headers.raw)
        self.has_new_connection = False
        """Whether a connection was made for it, or tried to be."""
        self.read = anyio.Event()
        if not self.is_announced:
            self.read.set()

    @property
    def has_come(self) -> bool:
        """Whether the client has sent all of it."""
        return not self.is_announced or self._incoming.is_complete

    @property
    def content(self) -> bytes | AsyncIterator[bytes] | None:
        """What is to be sent, in one piece if it has come.

        An upstream that answers before it has read the body, and closes the connection, resets it over whatever is
        sent afterwards, and its answer would be lost.
        """
        if not self.is_announced:
            return None
        if not self.has_come or len(self._first) < self._length:
            return aiter(self)
        self.read.set()
        return self._first

    async def begin(self) -> bool:
        """Wait for the first bytes of an announced body; tells whether the client is still there."""
        if self.is_announced:
            try:
                self._first = await anext(self._chunks)
            except ClientDisconnect:
                return False
        return True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunk = self._first
        missing = self._length
        while chunk:
            missing -= len(chunk)
            yield chunk
            chunk = await self._next()
        if missing > 0:
            # So it is after `Upgrade`, where the server takes the body for another protocol.
            raise HTTPException(HTTPStatus.BAD_REQUEST, headers={"Connection": "close"})
        self.read.set()

    async def _next(self) -> bytes:
        chunk = None
        if not self._has_answer():
            with anyio.CancelScope() as self._waiting:
                chunk = await anext(self._chunks)
        # An answer may come together with the chunk; it would be lost if that were sent.
        if chunk is None or self._has_answer():
            # As if the upstream had closed the connection, after which httpcore looks for an answer.
            raise httpcore.WriteError("the upstream has answered before the end of the body")
        return chunk

    def _has_answer(self) -> bool:
        if self._is_answered or self._watched is None:
            return self._is_answered
        look = select.poll()
        look.register(self._watched, select.POLLIN)
        return bool(look.poll(0))

    async def note_connection(self, event: str, known: dict[str, Any]) -> None:
        """Remember where the body goes; a `trace` extension of httpcore."""
        if event == "connection.connect_tcp.started":
            self.has_new_connection = True
        elif event == "connection.connect_tcp.complete" and not self._connection.done():
            self._connection.set_result(known["return_value"])

    async def end_when_answered(self) -> None:
        """Wait until the upstream sends something, and then for no more of the client's body."""
        connection: httpcore.AsyncNetworkStream = await self._connection
        # The event loop refuses to watch the descriptor of a connection for us, but not a copy of it.
        with socket.socket(fileno=os.dup(connection.get_extra_info("socket").fileno())) as self._watched:
            await anyio.wait_readable(self._watched)
        self._watched = None
        self._is_answered = True
        self._waiting.cancel()


def _outgoing_request(request: Request, target: Target, body: _RequestBody, request_id: str) -> httpx.Request:
    client = ClientSide(
        address=request.client.host if request.client else "unknown",
        scheme=request.url.scheme,
        host=request.headers.get("host", ""),
        prefix=target.prefix,
    )
    headers = forwarded_request_headers(request.headers.raw, client)
    identifier = REQUEST_ID_HEADER.lower().encode("ascii")
    headers = [*((name, value) for name, value in headers if name != identifier), (identifier, request_id.encode())]
    seconds = target.timeout_ms / 1000
    timeout = httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
    return httpx.Request(
        request.method,
        # The span shows this URL; the bytes that are sent are those of the extension, which httpx does not rewrite.
        httpx.URL(target.upstream.url).copy_with(raw_path=target.on_the_wire),
        headers=headers,
        content=body.content,
        extensions={
            "timeout": timeout.as_dict(),
            "target": target.on_the_wire,
            "trace": body.note_connection,
        },
    )


async def _send_unless_abandoned(
    client: httpx.AsyncClient, request: Request, outgoing: httpx.Request, body: _RequestBody
) -> httpx.Response | None:
    """Wait for the head of the answer; None, with the upstream's connection closed, when the client goes away."""
    answer: httpx.Response | None = None
    failure: httpx.TransportError | HTTPException | None = None
    async with anyio.create_task_group() as group:

        async def watch_client() -> None:
            await body.read.wait()
            while (await request.receive())["type"] != "http.disconnect":
                continue
            group.cancel_scope.cancel()

        group.start_soon(watch_client)
        # On an encrypted connection something to read may be anything.
        if not body.has_come and outgoing.url.scheme == "http":
            group.start_soon(body.end_when_answered)
        try:
            answer = await client.send(outgoing, stream=True)
        except (httpx.TransportError, HTTPException) as problem:
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
