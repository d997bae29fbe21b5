"""Serving an ASGI application with uvicorn so that SIGTERM loses no telemetry."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from types import FrameType

import uvicorn
from sentry_sdk.integrations.logging import ignore_logger, ignore_logger_for_sentry_logs
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from observability.edge import at_the_edge
from observability.guard.starlette import audited
from observability.sdk import stop_sentry
from observability.structured_log import announce

GRACE_SECONDS = 1
HEADERS_SECONDS = 10.0
BODY_SECONDS = 10.0
LARGEST_HEADERS_BYTES = 64 * 1024


class _Server(uvicorn.Server):
    """Knows since when it is stopping."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping_since = time.monotonic()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.stopping_since = time.monotonic()
        super().handle_exit(sig, frame)


class _Impatient(HttpToolsProtocol):
    """Hangs up on a client whose request's headers do not come in time or do not end.

    uvicorn itself waits for ever, keeps whatever comes meanwhile, and takes trailers, which no other server of the
    platform reads, for headers.
    """

    _given_up: asyncio.TimerHandle | None = None
    _has_headers = False
    _unread_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._unread_bytes > LARGEST_HEADERS_BYTES:
            self.transport.close()
        # A cycle begins when headers are complete.
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_headers()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._has_headers = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._has_headers = True
        self._unread_bytes = 0

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._unread_bytes = 0

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._unread_bytes = 0

    def _wait_for_headers(self) -> None:
        if self._given_up is None:
            self._given_up = self.loop.call_later(HEADERS_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._given_up is not None:
            self._given_up.cancel()
            self._given_up = None


def serve(app: ASGIApp, listener: socket.socket, body_seconds: float = BODY_SECONDS) -> None:
    """Serve until SIGTERM or SIGINT, finish what is in flight, send what the SDK still holds, return.

    Args:
        app: the application.
        listener: a socket that is already listening (`settings.bind`).
        body_seconds: how long a request's body may take.
    """
    # What the server logs about a request is for people at the terminal; Sentry has it as transaction and event.
    ignore_logger("uvicorn.access")
    for name in ("uvicorn.access", "uvicorn.error"):
        ignore_logger_for_sentry_logs(name)
    server = _Server(
        uvicorn.Config(
            audited(at_the_edge(app, body_seconds)),
            http=_Impatient,
            ws="none",
            log_config=None,
            server_header=False,
            # uvicorn would believe what any client on this machine says of itself; the audit must not.
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            lifespan="on",
        )
    )

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn shuts down on these signals and then raises them again under the handlers it found; with Python's own
    # handler SIGTERM would kill the process there, before the SDK has sent its queue. A signal that comes before
    # uvicorn listens to it must stop the server as well.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    announce(listener)
    try:
        server.run(sockets=[listener])
    finally:
        stop_sentry(server.stopping_since)
