"""HTTP/1.1 on one connection.

A request of an SDK is small and is answered at once, so a web framework's task, scope and queues for each request
would cost more than the request itself. The parser is llhttp, the one of Node.js, in the form of httptools.
"""

from __future__ import annotations

import asyncio
import http
import time
from functools import lru_cache

import httptools

from harness.collector.connections import Connections
from harness.collector.delivery import Outlet, Written, reset
from harness.collector.limits import LARGEST_BODY
from harness.collector.messages import (
    CORS_HEADERS,
    Answer,
    Interrupter,
    Interruption,
    Refused,
    Refuser,
    Request,
    Responder,
)

_LARGEST_HEAD = 64 * 1024
# That of hyper, on which Relay is built.
_MOST_HEADERS = 100
# Read without a head getting complete or a body getting longer: a head, and as much as the event loop reads at once.
_LARGEST_NOTHING = _LARGEST_HEAD + 256 * 1024
# Read of one request, with everything around its body: a body of single bytes may well be sent in chunks.
_LARGEST_REQUEST = 2 * LARGEST_BODY
# What is kept of a body that is too large to be taken.
_EXCERPT = 1024 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_COMMON_VALUE = 256
_TLS_HANDSHAKE = b"\x16\x03"
_PHRASES = {int(status): status.phrase for status in http.HTTPStatus}


class Connection(asyncio.Protocol):
    """Reads requests from a connection, one after the other, and writes the answers.

    Args:
        respond: Answers a complete request.
        refuse: Records a request that is not complete or not HTTP, and answers it.
        interrupt: Decides whether a request is cut off while it comes.
        connections: All open connections of the collector; this one is a member while it is open.
    """

    # The request that is being read.
    _reading: bool
    _url: bytes
    _head_size: int
    _headers: list[tuple[str, str]]
    _body: bytes | bytearray
    _body_size: int
    _read: int
    _interruption: Interruption | None

    def __init__(self, respond: Responder, refuse: Refuser, interrupt: Interrupter, connections: Connections) -> None:
        self._respond = respond
        self._refuse = refuse
        self._interrupt = interrupt
        self._connections = connections
        self._transport: asyncio.Transport
        self._client: str
        self._outlet: Outlet | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closing = False
        # Since when the connection is as it is: idle, reading a request, or closing.
        self.since = time.monotonic()
        self._progressed = True
        self._fruitless = 0
        self._held = 0
        self._forget()

    async def close(self) -> None:
        """Close the connection, whatever it is doing, and wait until it is closed."""
        if self._transport.get_write_buffer_size():
            # The client does not read; waiting for it might never end.
            self._transport.abort()
        self._close()
        await self._closed

    def hurry(self, now: float) -> None:
        """End what takes longer than it may.

        Args:
            now: The present, as `time.monotonic` gives it.
        """
        patience = self._connections.patience
        waited = now - self.since
        if self._closing:
            if waited > patience.request:
                self._transport.abort()
        elif self._reading:
            if waited > patience.request + self._read / patience.slowest:
                self._fail(Refused(408, "request timeout", f"not complete after {waited:.0f} seconds"))
        elif self._transport.get_write_buffer_size():
            if waited > patience.request:
                self._transport.abort()
        elif waited > patience.idle:
            self._close()

    def give_way(self) -> None:
        """Close for the sake of others, because there are too many connections."""
        if self._reading:
            self._fail(Refused(503, "service unavailable", "too many connections; this one was the slowest"))
        else:
            self._transport.abort()

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a TCP server gives
        self._transport = transport
        # A client that is gone already has no address any more.
        peer = transport.get_extra_info("peername")
        self._client = str(peer[0]) if peer else ""
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Record what was being sent when the connection broke."""
        self._connections.discard(self)
        if self._outlet is not None:
            self._outlet.give_up()
        if self._reading:
            cause = f"after {self._body_size} bytes of its body" + (f": {exc}" if exc else "")
            self._refuse(
                self._request(), Refused(400, "the connection was closed before the request was complete", cause)
            )
            self._forget()
        self._closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the methods below."""
        self._progressed = False
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            if not self._closing:
                self._extend(data)
                is_tls = data.startswith(_TLS_HANDSHAKE)
                cause = "this is a TLS handshake; the DSN must begin with http://" if is_tls else str(error)
                self._fail(Refused(400, "invalid HTTP request", cause))
        if self._reading:
            self._weigh(len(data))

    def pause_writing(self) -> None:
        """Take no more requests from a client that does not read its answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._transport.resume_reading()

    # Called by the parser

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._forget()
        self._progressed = True
        self._reading = not self._closing
        self.since = time.monotonic()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._head_size += len(url)
        if self._head_size <= _LARGEST_HEAD:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        self._head_size += len(name) + len(value)
        if self._head_size <= _LARGEST_HEAD:
            known = len(value) <= _COMMON_VALUE
            self._headers.append(_common_header(name, value) if known else _read_header(name, value))

    def on_headers_complete(self) -> None:
        """Refuse at once what is not worth being read; let a client go on that asks before it sends."""
        self._progressed = True
        if self._closing:
            return
        if self._parser.get_method() == b"CONNECT":
            self._fail(Refused(405, "method not allowed", "the collector is not a proxy"))
        elif self._head_size > _LARGEST_HEAD:
            self._fail(_head_too_large())
        elif len(self._headers) > _MOST_HEADERS:
            self._fail(Refused(431, "request header fields too large", f"at most {_MOST_HEADERS} headers are read"))
        elif not self._parser.should_upgrade():
            self._interruption = self._interrupt(self._request)
            if ("expect", "100-continue") in self._headers:
                self._let_go_on()

    def _let_go_on(self) -> None:
        declared = next((value for name, value in self._headers if name == "content-length"), "0")
        if int(declared) > LARGEST_BODY:
            self._fail(_too_large())
        else:
            self._transport.write(_CONTINUE)

    def on_body(self, chunk: bytes) -> None:
        """Take a piece of the body.

        Of a body that is too large an excerpt is kept, but all of it is read: a client that is cut off while it sends
        does not see the answer.
        """
        self._progressed = True
        self._body_size += len(chunk)
        if self._closing:
            return
        if self._body_size <= LARGEST_BODY:
            if self._connections.hold(len(chunk)):
                self._held += len(chunk)
                self._extend(chunk)
            else:
                self._fail(Refused(503, "failed to queue envelope", "too many large requests are read at a time"))
        elif len(self._body) > _EXCERPT:
            self._body = bytes(self._body[:_EXCERPT])
        if self._interruption is not None and self._body_size >= self._interruption[0]:
            self._cut_off(self._interruption)

    def on_message_complete(self) -> None:
        """Answer the request."""
        if self._closing or self._parser.should_upgrade():
            return
        if self._interruption is not None:
            self._cut_off(self._interruption)
            return
        request = self._request()
        too_large = self._body_size > LARGEST_BODY
        answer = self._refuse(request, _too_large()) if too_large else self._respond(request)
        self._forget()
        self.since = time.monotonic()
        keep_alive = self._parser.should_keep_alive() and self._parser.get_http_version() != "1.0"
        if answer.delivery is None and (self._outlet is None or not self._outlet.is_busy):
            self._transport.write(_encode(answer, with_body=request.method != "HEAD", keep_alive=keep_alive))
            if not keep_alive:
                self._close()
        else:
            self._send_deliberately(answer, with_body=request.method != "HEAD", keep_alive=keep_alive)

    def _send_deliberately(self, answer: Answer, *, with_body: bool, keep_alive: bool) -> None:
        if self._outlet is None:
            self._outlet = Outlet(self._transport, self._close)
        head = _encode(answer, with_body=False, keep_alive=keep_alive)
        self._outlet.send(Written(head, answer.body if with_body else b"", answer.delivery, keep_alive))

    def _cut_off(self, interruption: Interruption) -> None:
        _, record = interruption
        request = self._request()
        self._forget()
        self._closing = True
        record(request)
        reset(self._transport)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._closing:
                self._read_without_upgrade(data[upgrade.args[0] :])

    def _read_without_upgrade(self, rest: bytes) -> None:
        """Read a request again that offers another protocol, as Java's HTTP client does with its first one.

        The parser stops behind the head of such a request; a server that does not switch has to read it as any other.
        """
        lines = [self._parser.get_method() + b" " + self._url + b" HTTP/1.1"]
        lines += [f"{name}: {value}".encode("latin-1") for name, value in self._headers if name != "connection"]
        self._parser = httptools.HttpRequestParser(self)
        self._feed(b"\r\n".join([*lines, b"", rest]))

    def _forget(self) -> None:
        """Be ready for the next request."""
        self._reading = False
        self._url = b""
        self._head_size = 0
        self._headers = []
        if self._held:
            self._connections.let_go(self._held)
            self._held = 0
        self._body = b""
        self._body_size = 0
        self._read = 0
        self._interruption = None

    def _request(self) -> Request:
        """Put together what was read."""
        target = self._url
        if target and not target.startswith(b"/"):
            # Sent as if to a proxy: http://host/path.
            target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
        path, _, query = target.decode("latin-1").partition("?")
        method = self._parser.get_method().decode("ascii") if self._url else ""
        return Request(time.time(), method, path, query, tuple(self._headers), bytes(self._body), self._client)

    def _extend(self, piece: bytes) -> None:
        """Add to the body; one that comes in one piece, as nearly all do, is not copied."""
        if not self._body:
            self._body = piece
            return
        if isinstance(self._body, bytes):
            self._body = bytearray(self._body)
        self._body += piece

    def _weigh(self, size: int) -> None:
        """Take account of what was read, and refuse a request that goes on and on."""
        self._read += size
        self._fruitless = 0 if self._progressed else self._fruitless + size
        if self._fruitless > _LARGEST_NOTHING:
            self._fail(_head_too_large())
        elif self._read > _LARGEST_REQUEST:
            self._fail(_too_large())

    def _fail(self, refused: Refused) -> None:
        answer = self._refuse(self._request(), refused)
        self._forget()
        self._transport.write(_encode(answer, with_body=True, keep_alive=False))
        self._close()

    def _close(self) -> None:
        if not self._closing:
            self._closing = True
            self.since = time.monotonic()
        self._transport.close()


def _read_header(name: bytes, value: bytes) -> tuple[str, str]:
    return name.decode("latin-1").lower(), value.decode("latin-1")


# An SDK sends mostly the same headers each time: read once, and once in memory however many requests are kept.
_common_header = lru_cache(maxsize=1024)(_read_header)


def _head_too_large() -> Refused:
    return Refused(431, "request header fields too large", f"at most {_LARGEST_HEAD} bytes are read")


def _too_large() -> Refused:
    return Refused(413, "payload too large", f"at most {LARGEST_BODY} bytes are taken")


def _encode(answer: Answer, *, with_body: bool, keep_alive: bool) -> bytes:
    head = _encode_head(answer.status, answer.content_type, answer.headers, keep_alive)
    return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(answer.body), answer.body if with_body else b"")


@lru_cache(maxsize=64)
def _encode_head(
    status: int, content_type: str | None, headers: tuple[tuple[str, str], ...], keep_alive: bool
) -> bytes:
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, '')}"]
    if content_type is not None:
        lines.append(f"content-type: {content_type}")
    lines += [f"{name}: {value}" for name, value in CORS_HEADERS + headers]
    if not keep_alive:
        lines.append("connection: close")
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")
