"""The Tornado application and its life, from the listening socket to a shutdown that loses nothing."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import time
from contextlib import suppress
from typing import Any

from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.routing import URLSpec
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.web import Application

from game_engine.debug import debug_rules
from game_engine.handlers import Engine, HealthHandler, NotFoundHandler, SpinHandler
from game_engine.in_flight import InFlight
from game_engine.peers import EventFeed, Peer, Wallet
from game_engine.rounds import Table
from game_engine.settings import Settings
from observability.guard import DebugGuard
from observability.sdk import stop_sentry
from observability.structured_log import announce
from observability.trace_headers import BAGGAGE, readable_baggage

DRAIN_SECONDS = 1.0
CLOSE_SECONDS = 0.2
IDLE_SECONDS = 10.0
"""How long a connection may wait for a request, and that request's headers take."""
BODY_SECONDS = 10.0
MOST_OUTGOING_REQUESTS = 200
LARGEST_BODY_BYTES = 64 * 1024


def make_engine(settings: Settings, http: AsyncHTTPClient) -> Engine:
    """Wire the domain together."""
    rng = random.SystemRandom() if settings.seed is None else random.Random(settings.seed)
    table = Table(
        machine=settings.machine,
        rng=rng,
        wallet=Wallet(Peer("payment", settings.payment_url, http)),
        feed=EventFeed(Peer("analytics", settings.analytics_url, http)),
    )
    return Engine(table, InFlight())


def make_application(engine: Engine, guard: DebugGuard | None) -> Application:
    """The routes, without debug endpoints if nothing guards them."""
    shared = {"engine": engine}
    routes = [
        URLSpec("/health", HealthHandler, shared),
        URLSpec("/spin", SpinHandler, shared),
        *(debug_rules(engine, guard) if guard else ()),
    ]
    return _Application(routes, default_handler_class=NotFoundHandler, default_handler_args=shared)


class _Application(Application):
    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Make the headers readable before a handler, and with it the SDK, sees them."""
        values = request.headers.get_list(BAGGAGE)
        if values:
            del request.headers[BAGGAGE]
            baggage = readable_baggage(values)
            if baggage:
                request.headers[BAGGAGE] = baggage
        return super().find_handler(request, **kwargs)


async def serve(settings: Settings, listener: socket.socket, guard: DebugGuard | None) -> None:
    """Serve until SIGTERM or SIGINT, finish what is in flight, send what the SDK still holds."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    # Ten at a time, Tornado's default, would queue the calls of concurrent rounds behind each other.
    http = SimpleAsyncHTTPClient(force_instance=True, max_clients=MOST_OUTGOING_REQUESTS)
    engine = make_engine(settings, http)
    server = HTTPServer(
        make_application(engine, guard),
        max_body_size=LARGEST_BODY_BYTES,
        idle_connection_timeout=IDLE_SECONDS,
        body_timeout=BODY_SECONDS,
    )
    server.add_sockets([listener])
    announce(listener)
    await stopping.wait()
    stopping_since = time.monotonic()
    server.stop()
    await engine.in_flight.drain(DRAIN_SECONDS)
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            # Each waits for its request, whatever that waits for.
            await server.close_all_connections()
    stop_sentry(stopping_since)
