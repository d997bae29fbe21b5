"""What every request to an ASGI application passes first: headers that can be read, and a body that comes in time."""

from __future__ import annotations

from http import HTTPStatus

import anyio
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from observability.trace_headers import BAGGAGE, readable_baggage

_BODY = "incoming_body"


class IncomingBody:
    """How far a request's body has come, and how much longer it may take."""

    def __init__(self, scope: Scope, receive: Receive, seconds: float) -> None:
        self._receive = receive
        self._seconds = seconds
        self._is_answered = False
        self.is_complete = False
        scope[_BODY] = self

    def note(self, message: Message) -> None:
        """From its answer on, a request is no longer waited for."""
        self._is_answered = self._is_answered or message["type"] == "http.response.start"

    async def receive(self) -> Message:
        """Wait for the client.

        Raises:
            HTTPException: 408, all that it was given has been used up, however it was divided.
        """
        if self.is_complete or self._is_answered:
            return await self._receive()
        began = anyio.current_time()
        try:
            with anyio.fail_after(self._seconds):
                message = await self._receive()
        except TimeoutError:
            self._seconds = 0
            # What is left of the body must not be taken for the next request.
            raise HTTPException(
                HTTPStatus.REQUEST_TIMEOUT, "the request's body did not come in time", {"Connection": "close"}
            ) from None
        self._seconds -= anyio.current_time() - began
        self.is_complete = not message.get("more_body", False)
        return message


def body_of(scope: Scope) -> IncomingBody:
    """The body of a request whose application is `at_the_edge`."""
    body: IncomingBody = scope[_BODY]
    return body


def at_the_edge(app: ASGIApp, body_seconds: float) -> ASGIApp:
    """Wrap an application outside of all that reads headers, the SDK included.

    Args:
        app: the application.
        body_seconds: how long it may wait for a request's body altogether.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        scope["headers"] = _with_readable_baggage(scope["headers"])
        body = IncomingBody(scope, receive, body_seconds)

        async def note(message: Message) -> None:
            body.note(message)
            await send(message)

        await app(scope, body.receive, note)

    return serve


def _with_readable_baggage(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    name = BAGGAGE.encode()
    values = [value.decode("latin-1") for key, value in headers if key == name]
    if not values:
        return headers
    baggage = readable_baggage(values)
    others = [(key, value) for key, value in headers if key != name]
    return [*others, (name, baggage.encode())] if baggage else others
