"""The guard around routes of Starlette and FastAPI, and the audit around the whole application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from observability.guard.audit import Trigger, record
from observability.guard.decision import DebugGuard
from observability.guard.target import Guarded

_TRIGGER = "debug_trigger"

Handler = Callable[[Request], Awaitable[Response]] | Callable[[Request], Response]
ErrorAnswer = Callable[[Request, int, str], Response]


class GuardedRoute(Route):
    """A route that is there only while it is switched on, and lets pass only what may.

    The guard stands before the route's application, so that nothing of a refused request's body is read. It is a
    plain route in FastAPI too: those of FastAPI's own are listed in its OpenAPI document, switched off or not.
    """

    def __init__(
        self,
        target: Guarded,
        handler: Handler,
        guard: DebugGuard,
        *,
        method: str,
        request_id_of: Callable[[Request], str],
        answer_error: ErrorAnswer,
    ) -> None:
        """Make the route.

        Args:
            target: what it leads to.
            handler: serves the request.
            guard: decides.
            method: HTTP method.
            request_id_of: gives the request's id.
            answer_error: makes the service's error answer of status and text.
        """
        super().__init__(target.path, handler, methods=[method])
        self._target = target
        self._guard = guard
        self._request_id_of = request_id_of
        self._answer_error = answer_error

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match nothing while switched off."""
        match, child_scope = super().matches(scope)
        if match is Match.NONE or not self._guard.exists(self._target):
            return Match.NONE, {}
        return match, child_scope

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it."""
        request = Request(scope, receive)
        ruling = await self._guard.decide(self._target, request.headers.getlist("authorization"))
        peer = request.client.host if request.client else "unknown"
        scope[_TRIGGER] = Trigger(
            method=request.method,
            target=self._target,
            address=self._guard.address_of(peer, request.headers.getlist("x-forwarded-for")),
            request_id=self._request_id_of(request),
            ruling=ruling,
        )
        if ruling.refusal is not None:
            await self._answer_error(request, *ruling.refusal)(scope, receive, send)
            return
        try:
            await super().handle(scope, receive, send)
        finally:
            self._guard.leave(self._target)


def audited(app: ASGIApp) -> ASGIApp:
    """Wrap an application outside of all that answers or reports errors.

    Every answer of a guarded route gets the headers of its ruling, and is recorded, the answer to an error that
    nobody handled included.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        # The SDK's integrations and Starlette may copy the scope, not what is in it.
        status = 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, _headers_for(scope))
            await send(message)

        try:
            await app(scope, receive, note)
        finally:
            trigger = scope.get(_TRIGGER)
            if isinstance(trigger, Trigger):
                record(trigger, status)

    return serve


def _headers_for(scope: Scope) -> Mapping[str, str]:
    trigger: Any = scope.get(_TRIGGER)
    return trigger.ruling.headers if isinstance(trigger, Trigger) else {}


def _add_headers(message: Message, headers: Mapping[str, str]) -> None:
    answer = MutableHeaders(scope=message)
    for name, value in headers.items():
        answer[name] = value
