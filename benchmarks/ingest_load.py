"""The load: a real error event, and connections that post it as fast as a server answers."""

from __future__ import annotations

import asyncio
import gzip
import time
import urllib.request
from dataclasses import dataclass, field

import httptools
import sentry_sdk

from harness.collector.inbox import Inbox
from harness.collector.transport import InProcessTransport

KEY = "0123456789abcdef0123456789abcdef"
WARM_UP = 0.3
"""Seconds of load before counting begins."""


def error_event() -> bytes:
    """Let the SDK make the envelope of a chained error from deep inside the standard library, about 25 kB."""
    inbox = Inbox()
    client = sentry_sdk.Client(
        transport=InProcessTransport(inbox),
        default_integrations=False,
        auto_enabling_integrations=False,
        release="payment@1.0.0",
        environment="benchmark",
        traces_sample_rate=1.0,
    )
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(client)
        scope.set_user({"id": "player-4711", "segment": "vip"})
        scope.set_context("runtime", {f"reading_{number}": number * 104_729 for number in range(24)})
        for number in range(32):
            sentry_sdk.add_breadcrumb(
                category="httplib",
                message=f"POST /api/v1/payment/process attempt {number}",
                data={"status_code": 200 + number, "duration_ms": number * 1.75, "reservation": f"r-{number * 7919}"},
            )
        try:
            _debit({"id": "wallet-4711", "balance": 1250, "currency": "EUR"}, 20)
        except OSError:
            sentry_sdk.capture_exception()
    return inbox.arrivals()[0].body


def _debit(wallet: dict[str, object], amount: int) -> bytes:
    content = f'{{"wallet": "{wallet["id"]}", "amount": {amount}}}'.encode()
    # Nothing listens on port 1: refused at once, through all layers of urllib, http.client and socket.
    request = urllib.request.Request("http://127.0.0.1:1/process", data=content, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=1) as response:
        answer: bytes = response.read()
    return answer


def request_of(event: bytes, port: int) -> bytes:
    """The bytes of one request, as the Python SDK sends it."""
    body = gzip.compress(event, 9, mtime=0)
    head = [
        "POST /api/1/envelope/ HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Accept-Encoding: identity",
        f"Content-Length: {len(body)}",
        "Content-Type: application/x-sentry-envelope",
        "Content-Encoding: gzip",
        f"User-Agent: sentry.python/{sentry_sdk.VERSION}",
        f"X-Sentry-Auth: Sentry sentry_key={KEY}, sentry_version=7, sentry_client=sentry.python/{sentry_sdk.VERSION}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


@dataclass
class Load:
    """Progress of one run against one server.

    Attributes:
        request: What is sent again and again.
        answered: Requests answered with 200, all in all.
        counted: Those of them that count.
        failed: Requests answered with anything else.
        counting: Whether answers count now.
        over: Whether no further request is to be sent.
    """

    request: bytes
    answered: int = 0
    counted: int = 0
    failed: int = 0
    counting: bool = False
    over: bool = False
    rate: float = field(default=0.0, init=False)


class _Connection(asyncio.Protocol):
    """Sends the next request when the previous one is answered."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.closed.set_result(None)

    def on_message_complete(self) -> None:
        load = self._load
        if self._parser.get_status_code() == 200:
            load.answered += 1
            load.counted += load.counting
        else:
            load.failed += 1
        if load.over or not self._parser.should_keep_alive():
            self._transport.close()
        else:
            self._transport.write(load.request)


async def run(event: bytes, port: int, *, connections: int, seconds: float) -> Load:
    """Load a server; every request that was sent is answered when this returns.

    Args:
        event: The decoded envelope to be sent.
        port: Port of the server on 127.0.0.1.
        connections: How many connections send at the same time.
        seconds: How long to count.
    """
    load = Load(request_of(event, port))
    loop = asyncio.get_running_loop()

    async def keep_sending() -> None:
        while not load.over:
            _, connection = await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port)
            await connection.closed

    senders = asyncio.gather(*[keep_sending() for _ in range(connections)])
    await asyncio.sleep(WARM_UP)
    load.counting = True
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    load.counting = False
    load.rate = load.counted / (time.perf_counter() - started)
    load.over = True
    await senders
    return load
