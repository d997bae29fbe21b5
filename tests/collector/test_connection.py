"""HTTP itself, byte by byte."""

from __future__ import annotations

import json
import re

import pytest

from harness.collector.inbox import Inbox
from harness.collector.limits import LARGEST_BODY
from harness.collector.server import Collector
from tests.collector.client import EVENT_ID, Client, event_envelope, read_to_end


def head(
    client: Client, *lines: str, method: str = "POST", path: str = "/api/1/envelope/", version: str = "1.1"
) -> bytes:
    first = f"{method} {path}?sentry_key={client.dsn.public_key} HTTP/{version}"
    return "\r\n".join([first, "Host: collector", *lines, "", ""]).encode()


def exchange(client: Client, *parts: bytes) -> bytes:
    """Send parts one after the other, and give everything that comes back until the connection ends."""
    with client.socket() as connection:
        for part in parts:
            connection.sendall(part)
        return read_to_end(connection)


def statuses(received: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", received)]


def test_body_in_chunks_without_content_type_as_node_sends_it(collector: Collector, client: Client) -> None:
    body = event_envelope()
    response = client.post("/envelope/", iter([body[:7], body[7:30], body[30:]]))
    assert (response.status, response.json()) == (200, {"id": EVENT_ID})
    assert collector.inbox.arrivals()[0].body == body
    assert not [
        name for name, _ in collector.inbox.arrivals()[0].headers if name in ("content-type", "content-length")
    ]


def test_many_requests_on_one_connection(collector: Collector, client: Client) -> None:
    body = event_envelope()
    request = head(client, f"Content-Length: {len(body)}") + body
    last = head(client, f"Content-Length: {len(body)}", "Connection: close") + body
    received = exchange(client, request, request * 3, last)
    assert statuses(received) == [200] * 5
    assert received.count(b"connection: close") == 1
    assert len(collector.inbox) == 5


def test_request_in_single_bytes(collector: Collector, client: Client) -> None:
    body = event_envelope()
    request = head(client, f"Content-Length: {len(body)}", "Connection: close") + body
    received = exchange(client, *[request[index : index + 1] for index in range(len(request))])
    assert statuses(received) == [200]
    assert collector.inbox.arrivals()[0].body == body


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_old_http_is_answered_and_closed(client: Client, connection: str) -> None:
    body = event_envelope()
    request = head(client, f"Content-Length: {len(body)}", f"Connection: {connection}", version="1.0") + body
    received = exchange(client, request)
    assert statuses(received) == [200]
    assert b"connection: close\r\n" in received


def test_request_as_to_a_proxy(client: Client) -> None:
    path = f"http://127.0.0.1:{client.dsn.port}/api/1/envelope/"
    body = event_envelope()
    request = head(client, f"Content-Length: {len(body)}", "Connection: close", path=path) + body
    assert statuses(exchange(client, request)) == [200]


def test_answer_to_head_has_no_body(client: Client) -> None:
    received = exchange(client, b"HEAD /health HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert statuses(received) == [200]
    assert b"content-length: 19\r\n" in received
    assert received.endswith(b"\r\n\r\n")


def test_client_that_asks_before_it_sends(collector: Collector, client: Client) -> None:
    body = event_envelope()
    with client.socket() as connection:
        connection.sendall(head(client, f"Content-Length: {len(body)}", "Expect: 100-continue", "Connection: close"))
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert statuses(read_to_end(connection)) == [200]
    assert len(collector.inbox) == 1


def test_client_that_asks_to_send_too_much(collector: Collector, client: Client) -> None:
    received = exchange(client, head(client, f"Content-Length: {LARGEST_BODY + 1}", "Expect: 100-continue"))
    assert statuses(received) == [413]
    assert [refusal.status for refusal in collector.refusals] == [413]


def test_upgrade_is_not_taken_but_the_request_is(collector: Collector, client: Client) -> None:
    body = event_envelope()
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAA")
    request = head(client, f"Content-Length: {len(body)}", *upgrade) + body
    chunked = head(client, "Transfer-Encoding: chunked", *upgrade)
    last = head(client, f"Content-Length: {len(body)}", "Connection: close") + body
    received = exchange(client, request, chunked + b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n", last)
    assert statuses(received) == [200] * 3
    arrivals = collector.inbox.arrivals()
    assert [arrival.body for arrival in arrivals] == [body] * 3
    assert ("upgrade", "h2c") in arrivals[0].headers


def test_collector_is_not_a_proxy(collector: Collector, client: Client) -> None:
    assert statuses(exchange(client, b"CONNECT sentry.io:443 HTTP/1.1\r\nHost: sentry.io:443\r\n\r\n")) == [405]
    assert collector.refusals[0].method == "CONNECT"


def test_tls_is_recognised(collector: Collector, client: Client) -> None:
    exchange(client, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert "the DSN must begin with http://" in collector.refusals[0].detail


def test_garbage_after_a_request_is_not_mistaken_for_it(collector: Collector, client: Client) -> None:
    body = event_envelope()
    with client.socket() as connection:
        connection.sendall(head(client, f"Content-Length: {len(body)}") + body)
        assert statuses(connection.recv(65536)) == [200]
        connection.sendall(b"}{\r\n")
        assert statuses(read_to_end(connection)) == [400]
    (refusal,) = collector.refusals
    assert (refusal.method, refusal.path, refusal.headers, refusal.body) == ("", "", (), b"}{\r\n")


def test_request_that_the_end_of_the_collector_breaks_off_is_recorded() -> None:
    collector = Collector()
    collector.start()
    client = Client(collector.register("payment"))
    with client.socket() as connection:
        connection.sendall(head(client, "Content-Length: 5000", "Expect: 100-continue"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        collector.stop()
    assert [(refusal.status, refusal.service) for refusal in collector.refusals] == [(400, "payment")]


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"POST / HTTP/9.9\r\n\r\n", b"hello\r\n\r\n"]
)
def test_what_is_not_http_is_refused_and_kept(collector: Collector, client: Client, garbage: bytes) -> None:
    received = exchange(client, garbage)
    assert statuses(received) == [400]
    assert json.loads(received.partition(b"\r\n\r\n")[2])["detail"] == "invalid HTTP request"
    (refusal,) = collector.refusals
    assert refusal.body == garbage
    assert refusal.detail.startswith("invalid HTTP request: ")


def test_broken_chunks_are_refused_with_what_came_before(collector: Collector, client: Client) -> None:
    start = head(client, "Transfer-Encoding: chunked") + b"3\r\n{}\n\r\n"
    with client.socket() as connection:
        connection.sendall(start)
        connection.sendall(b"nonsense\r\n")
        assert statuses(read_to_end(connection)) == [400]
    assert collector.refusals[0].body.startswith(b"{}\n")
    assert collector.refusals[0].service == "payment"


def test_too_long_a_head_is_refused(collector: Collector, client: Client) -> None:
    received = exchange(client, head(client, "Content-Length: 0", f"Baggage: {'x' * 70_000}"))
    assert statuses(received) == [431]
    (refusal,) = collector.refusals
    assert refusal.status == 431
    assert [name for name, _ in refusal.headers] == ["host", "content-length"]


def test_connection_that_breaks_off_is_recorded(collector: Collector, client: Client) -> None:
    refused_before = len(collector.refusals)
    with client.socket() as connection:
        connection.sendall(head(client, "Content-Length: 5000") + b'{"event_id":')
    refusal = collector.inbox.wait_for(lambda: next(iter(collector.refusals[refused_before:]), None), timeout=10)
    assert refusal is not None
    assert (refusal.status, refusal.body, refusal.service) == (400, b'{"event_id":', "payment")
    assert refusal.detail == "the connection was closed before the request was complete: after 12 bytes of its body"
    assert len(collector.inbox) == 0


def test_connection_without_a_request_is_nothing(collector: Collector, client: Client) -> None:
    with client.socket():
        pass
    client.envelope(event_envelope())
    assert collector.refusals == []


def test_too_large_a_body_is_read_to_its_end_but_not_kept(collector: Collector, client: Client) -> None:
    mebibyte = b"x" * 1024 * 1024
    response = client.post("/envelope/", iter([mebibyte] * (LARGEST_BODY // len(mebibyte) + 2)))
    assert (response.status, response.json()["detail"]) == (413, "payload too large")
    (refusal,) = collector.refusals
    assert refusal.body == mebibyte
    assert client.envelope(event_envelope()).status == 200


def test_large_envelope_arrives_byte_for_byte() -> None:
    content = bytes(range(256)) * 4 * 1024 * 20
    body = b'{"event_id":"%b"}\n{"type":"attachment","length":%d}\n%b\n' % (EVENT_ID.encode(), len(content), content)
    inbox = Inbox()
    with Collector(inbox=inbox) as collector:
        assert Client(collector.register("payment")).envelope(body).status == 200
    (arrival,) = inbox.arrivals()
    assert arrival.envelope is not None
    assert arrival.envelope.items[0].payload == content
