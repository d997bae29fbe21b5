"""What any socket may send to the Python services: nothing of it may break, freeze or fill something."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from harness.collector.server import Collector
from observability.trace_headers import LONGEST_BAGGAGE, readable_baggage
from tests.services.conversation import Conversation, Listener, ServiceProcess
from tests.services.debug_access import DebugAccess

SERVICES = ["gateway", "game_engine", "analytics"]
every_service = pytest.mark.parametrize("module", SERVICES)

TRACE = "0123456789abcdef0123456789abcdef"
SENTRY_TRACE = f"{TRACE}-0123456789abcdef-1"
GOOD = f"sentry-trace_id={TRACE},sentry-sample_rate=0.5,sentry-sample_rand=0.25,sentry-environment=pr%C3%BCfung"
TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJtYWxsb3J5In0.c2lnbmF0dXJlLW9mLXRoaXM"
TOKENS = {
    "plain": TOKEN,
    "encoded dots": TOKEN.replace(".", "%2E"),
    "encoded begin": TOKEN.replace("eyJ", "%65yJ"),
    "encoded throughout": "".join(f"%{ord(character):02x}" for character in TOKEN),
    "encoded twice": "".join(f"%25{ord(character):02X}" for character in TOKEN),
}

UNREADABLE = [
    *(
        f"sentry-sample_rate={value}"
        for value in ("inf", "1e999", "nan", "-1", "1.5", "x", "", "%69nf", "1_0", "\u0663")
    ),
    *(f"sentry-sample_rand={value}" for value in ("1", "inf", "-0.1", "x")),
    *("sentry-sample%5Frate=inf", "%73entry-sample_rate=inf", "sentry-sample_rate-x=inf", "sentry-sample_rate =inf"),
    *("sentry-trace_id=x", "sentry-=inf", "sentry-sample_rate", "sentry-release=%00", f"sentry-release={TOKEN}"),
]


class TestBaggage:
    def test_that_can_be_read_passes(self) -> None:
        assert readable_baggage([f"tenant=acme;ttl=1, {GOOD}", "shard=7"]) == f"tenant=acme;ttl=1,{GOOD},shard=7"
        for value in ("0", "1", "1.0", "1e-7", "0.999999"):
            assert readable_baggage([f"sentry-sample_rate={value}"]) == f"sentry-sample_rate={value}"

    @pytest.mark.parametrize("member", UNREADABLE)
    def test_of_sentry_goes_as_a_whole_when_a_part_cannot_be_read(self, member: str) -> None:
        assert readable_baggage([f"tenant=acme,{GOOD},{member}", "shard=7"]) == "tenant=acme,shard=7"

    @pytest.mark.parametrize("member", ["naked", "name=\xe9", "a=\x7f", *(f"a={token}" for token in TOKENS.values())])
    def test_of_others_goes_alone(self, member: str) -> None:
        assert readable_baggage([f"tenant=acme,{member},{GOOD}"]) == f"tenant=acme,{GOOD}"

    def test_that_is_too_long_goes(self) -> None:
        assert readable_baggage(["a=" + "x" * (LONGEST_BAGGAGE - 2)])
        assert not readable_baggage(["a=" + "x" * (LONGEST_BAGGAGE - 2), "b=1"])


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


def everything(collector: Collector) -> list[tuple[str, str, dict[str, Any]]]:
    """Kind, text and envelope headers of each item."""
    envelopes = [arrival.envelope for arrival in collector.inbox.arrivals()]
    return [
        (item.type, item.payload.decode(errors="replace"), envelope.headers)
        for envelope in envelopes
        if envelope is not None
        for item in envelope.items
    ]


def status(conversation: Conversation) -> int:
    with conversation:
        return int(conversation.read_head()[0].split()[1])


@every_service
class TestRequests:
    def test_trace_headers_that_cannot_be_read_change_nothing(self, module: str, collector: Collector) -> None:
        strange = [[("baggage", f"{GOOD},{member}".encode())] for member in UNREADABLE]
        strange += [[("baggage", b"sentry-sample_rate=0.5"), ("baggage", b"sentry-sample_rate=inf")]]
        strange += [[("baggage", b"sentry-sample_rate=inf,\xff\xfe=\x80")], [("baggage", b"a=b," * 9_000)]]
        traces = [SENTRY_TRACE, "", "-", "x" * 5_000, "0" * 32, f"{SENTRY_TRACE}, {SENTRY_TRACE}", "\u0663" * 32]
        with ServiceProcess(module, {"SENTRY_DSN": str(collector.register(module))}) as service:
            for headers in strange:
                for trace in traces if headers is strange[0] else traces[:1]:
                    with service.connect() as client:
                        lines = [b"GET /health HTTP/1.1", b"Host: service.test", b"Connection: close"]
                        lines += [b"sentry-trace: " + trace.encode()]
                        lines += [name.encode() + b": " + value for name, value in headers]
                        client.send(b"\r\n".join(lines) + b"\r\n\r\n")
                        assert client.read_head()[0] == "HTTP/1.1 200 OK", (headers, trace)
        assert not [kind for kind, _, _ in everything(collector) if kind in {"event", "log"}]
        sent = [headers["trace"] for kind, _, headers in everything(collector) if kind == "transaction"]
        assert all(float(trace.get("sample_rate", 1)) <= 1 for trace in sent)

    def test_methods_that_are_none_of_the_services_make_no_error(self, module: str, collector: Collector) -> None:
        methods = ("CONNECT", "TRACE", "get", "GETT", "PROPFIND", "PRI", "SOURCE", "QUERY", "A" * 300, "G\xcbT", "*")
        nowhere = dict.fromkeys(("GAME_ENGINE_URL", "PAYMENT_URL"), "http://127.0.0.1:9")
        with ServiceProcess(module, {"SENTRY_DSN": str(collector.register(module)), **nowhere}) as service:
            for method in methods:
                for path in ("/health", "/nothing", "*", "service.test:443", "http://service.test/health"):
                    assert status(service.request(method, path)) in {400, 404, 405}, (method, path)
            if module == "gateway":
                assert status(service.request("CONNECT", "/api/v1/payment/x")) == 405
                assert status(service.request("TRACE", "/api/v1/payment/x")) == 405
        assert not [kind for kind, _, _ in everything(collector) if kind in {"event", "log"}]

    def test_requests_that_are_malformed_make_neither_event_nor_log(self, module: str, collector: Collector) -> None:
        with ServiceProcess(module, {"SENTRY_DSN": str(collector.register(module))}) as service:
            for line in (
                b"X\0: 1",
                b"no colon",
                b": empty",
                b"X: \x01",
                b"Content-Length: -1",
                b"Content-Length: 1e3",
            ):
                with service.connect() as client:
                    client.send(b"GET /health HTTP/1.1\r\nHost: service.test\r\n" + line + b"\r\n\r\n")
                    client.connection.shutdown(1)
                    client.read_to_end()
            assert status(service.request("GET", "/health")) == 200
        assert not [kind for kind, _, _ in everything(collector) if kind in {"event", "log"}]

    def test_a_token_is_recognised_however_it_is_written(self, module: str, collector: Collector) -> None:
        with ServiceProcess(module, {"SENTRY_DSN": str(collector.register(module))}) as service:
            for token in TOKENS.values():
                for headers in (
                    {"User-Agent": token, "X-Forwarded-Host": token, "Referer": f"/?t={token}"},
                    {"sentry-trace": SENTRY_TRACE, "baggage": f"a={token},sentry-release={token}"},
                ):
                    for path in (f"/{token}", f"/nothing?t={token}&u=http%3A%2F%2F{token}"):
                        assert status(service.request("GET", path, {**headers, "X-Request-Id": "r"})) == 404
        sent = everything(collector)
        assert len(sent) > 10
        # The middle of the first and of the last part, as they are and encoded.
        pieces = ("hbGciOiJF", "c2lnbmF0d", "%68%62%47", "%2568%2562")
        told = [text for _, payload, headers in sent for text in (payload, json.dumps(headers))]
        assert not [(piece, text) for piece in pieces for text in told if piece.lower() in text.lower()]


@every_service
@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /",
        b"GET /health HTTP/1.1\r\nHost: s\r\nX-Long: ",
        b"GET /health HTTP/1.1\r\nHost: s\r\n\r\nGET /",
        b"POST /nothing HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n0;",
        b"POST /nothing HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ",
    ],
)
def test_headers_that_do_not_end_are_not_kept(module: str, beginning: bytes) -> None:
    with ServiceProcess(module, {}) as service, service.connect() as client:
        client.send(beginning)
        with pytest.raises(ConnectionError):
            send_on(client)


def send_on(client: Conversation) -> None:
    # As fast as it can, so long before it would be hung up on for being slow.
    for _ in range(200):
        client.send(b"a" * 500_000)


@pytest.mark.parametrize("module", ["gateway", "analytics"])
def test_what_comes_after_the_body_is_no_header(module: str, tmp_path: Path) -> None:
    access = DebugAccess(tmp_path)
    ((name, value),) = access.headers().items()
    with ServiceProcess(module, access.environment) as service, service.connect() as client:
        head = b"GET /debug HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.send(head + f"0\r\n{name}: {value}\r\n\r\n".encode())
        assert client.read_message()[0] == "HTTP/1.1 401 Unauthorized"


def test_refusing_a_request_with_a_body_is_no_failure_of_the_upstream(tmp_path: Path, collector: Collector) -> None:
    whole = [b"5\r\nhello\r\n0\r\n\r\n"]
    in_parts = [b"5\r\nhello\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n"]
    head = b"GET /api/v1/game-engine/debug/crash HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"
    with ServiceProcess("game_engine", DebugAccess(tmp_path).environment) as engine:
        environment = {"GAME_ENGINE_URL": f"http://127.0.0.1:{engine.port}"}
        environment["SENTRY_DSN"] = str(collector.register("gateway"))
        with ServiceProcess("gateway", environment) as gateway:
            for parts in [whole] * 60 + [in_parts] * 300:
                # Who sends on after the answer may find the connection closed before it has read that.
                with gateway.connect() as client, suppress(ConnectionError, AssertionError):
                    client.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    for part in [head, *parts]:
                        client.send(part)
                    client.read_head()
    assert "transaction" in {kind for kind, _, _ in everything(collector)}
    assert "event" not in {kind for kind, _, _ in everything(collector)}


class TestSlowClients:
    @pytest.mark.parametrize(
        ("path", "first"),
        [
            ("/api/v1/payment/x", b""),
            ("/api/v1/payment/x", b"{"),
            ("/api/v1/payment/x\r\nContent-Type: application/json", b""),
        ],
    )
    def test_a_body_that_does_not_come_is_answered_408(self, upstream: Listener, path: str, first: bytes) -> None:
        path, _, more = path.partition("\r\n")
        environment = {"PAYMENT_URL": upstream.url, "BODY_TIMEOUT_MS": "300"}
        with ServiceProcess("gateway", environment) as gateway, gateway.connect() as client:
            head = f"POST {path} HTTP/1.1\r\nHost: g\r\nContent-Length: 99\r\n{more}"
            client.send(f"{head.rstrip()}\r\n\r\n".encode() + first)
            line, headers, body = client.read_message()
            assert client.read_to_end() == b""
        assert line == "HTTP/1.1 408 Request Timeout"
        assert headers["connection"] == "close"
        assert body["error"] == "POST /api/v1/payment/x: request timeout"
        assert "x-sentry-event-id" not in headers

    def test_of_a_body_that_does_not_come_the_upstream_hears_nothing(self, upstream: Listener) -> None:
        with ServiceProcess("gateway", {"PAYMENT_URL": upstream.url}) as gateway, gateway.connect() as silent:
            silent.send(b"POST /api/v1/payment/first HTTP/1.1\r\nHost: g\r\nContent-Length: 20000\r\n\r\n")
            with gateway.request("GET", "/api/v1/payment/second") as client, upstream.accept() as service:
                assert service.read_head()[0] == "GET /second HTTP/1.1"
                service.answer_json("200 OK", {})
                assert client.read_json() == {}

    def test_a_body_that_is_taken_for_another_protocol_is_no_error(
        self, upstream: Listener, collector: Collector
    ) -> None:
        environment = {"PAYMENT_URL": upstream.url, "SENTRY_DSN": str(collector.register("gateway"))}
        upgrade = {"Upgrade": "websocket", "Connection": "upgrade"}
        with ServiceProcess("gateway", environment) as gateway:
            assert status(gateway.request("GET", "/api/v1/payment/x", upgrade, b"12345")) == 400
        assert not [kind for kind, _, _ in everything(collector) if kind in {"event", "log"}]

    def test_an_early_answer_ends_the_upload(self, upstream: Listener) -> None:
        with ServiceProcess("gateway", {"PAYMENT_URL": upstream.url}) as gateway, gateway.connect() as client:
            client.send(b"POST /api/v1/payment/x HTTP/1.1\r\nHost: g\r\nContent-Length: 20000\r\n\r\nbegin")
            with upstream.accept() as service:
                service.read_head()
                service.read_exactly(5)
                service.answer_json("401 Unauthorized", {"error": "unauthorized"})
                line, headers, body = client.read_message()
                assert client.read_to_end() == b""
                assert service.read_to_end() == b""
        assert (line, headers["connection"]) == ("HTTP/1.1 401 Unauthorized", "close")
        assert body == {"error": "unauthorized"}

    @pytest.mark.parametrize("first", [b"", b"{"])
    def test_600_bodies_that_do_not_come_are_in_nobodys_way(self, first: bytes) -> None:
        head = b"POST /api/v1/analytics/events HTTP/1.1\r\nHost: g\r\nContent-Length: 20000\r\n\r\n"
        event = json.dumps({"event_type": "bet", "player_id": "p", "amount_cents": 1}).encode()
        with ExitStack() as running:
            analytics = running.enter_context(ServiceProcess("analytics", {}))
            environment = {"ANALYTICS_URL": f"http://127.0.0.1:{analytics.port}", "BODY_TIMEOUT_MS": "60000"}
            gateway = running.enter_context(ServiceProcess("gateway", environment))
            for _ in range(600):
                running.enter_context(gateway.connect()).send(head + first)
            headers = {"Content-Type": "application/json"}
            seconds = []
            for _ in range(20):
                began = time.monotonic()
                client = gateway.request("POST", "/api/v1/analytics/events", headers, event)
                # The first may come while the gateway is still at the 600.
                client.connection.settimeout(30)
                assert status(client) == 201
                seconds.append(time.monotonic() - began)
            assert sorted(seconds)[10] < 2

    def test_requests_that_never_end_are_hung_up_on(self) -> None:
        beginnings = [b"", b"GET /health HTTP/1.1\r\nHost: service.test\r\nX-Slow: ", b"GET"]
        announced = b" HTTP/1.1\r\nHost: s\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
        bodies = {"game_engine": b"POST /spin" + announced, "analytics": b"POST /events" + announced}
        again = b"GET /health HTTP/1.1\r\nHost: s\r\n\r\nGET /hea"
        with ExitStack() as running:
            clients = []
            for module in SERVICES:
                service = running.enter_context(ServiceProcess(module, {}))
                for beginning in [*beginnings, again, *filter(None, [bodies.get(module)])]:
                    client = running.enter_context(service.connect())
                    client.send(beginning)
                    client.connection.settimeout(20)
                    clients.append((module, beginning, client))
            for module, beginning, client in clients:
                said = client.read_to_end()
                if beginning == again:
                    assert said.startswith(b"HTTP/1.1 200 OK"), module
                elif (module, beginning) == ("analytics", bodies["analytics"]):
                    assert said.startswith(b"HTTP/1.1 408"), said
                else:
                    assert said == b"", (module, beginning)

    def test_the_game_engine_ends_while_a_request_hangs(self, upstream: Listener) -> None:
        bet = json.dumps({"player_id": "p", "bet_cents": 100, "currency": "EUR"}).encode()
        with ExitStack() as stack:
            service = ServiceProcess("game_engine", {"PAYMENT_URL": upstream.url})
            with service:
                stack.enter_context(service.request("POST", "/spin", body=bet))
                stack.enter_context(upstream.accept()).read_head()
                began = time.monotonic()
            assert time.monotonic() - began < 4.5


@pytest.mark.parametrize(
    ("module", "method", "path", "body", "expected"),
    [
        ("game_engine", "POST", "/spin", b"[" * 3000, 400),
        ("analytics", "GET", "/daily-stats?day=9999-12-31", b"", 422),
        ("analytics", "POST", "/events", b'"occurred_at": "0001-01-01T00:00:00+23:59"', 422),
        ("analytics", "POST", "/events", b'"occurred_at": "9999-12-31T23:59:59-23:59"', 422),
        ("analytics", "POST", "/events", b'"occurred_at": "2026-01-01T00:00:00+23:59"', 201),
    ],
)
def test_what_cannot_be_computed_is_the_callers_mistake(
    module: str, method: str, path: str, body: bytes, expected: int
) -> None:
    if path == "/events":
        body = b'{"event_type": "bet", "player_id": "p", "amount_cents": 1, ' + body + b"}"
    with ServiceProcess(module, {}) as service:
        assert status(service.request(method, path, {"Content-Type": "application/json"}, body)) == expected


class TestRefusalsThatPass:
    def test_a_flood_of_them_is_bounded_in_the_gateway_too(self, tmp_path: Path, collector: Collector) -> None:
        access = DebugAccess(tmp_path)
        with ServiceProcess("analytics", access.environment) as analytics:
            environment = {
                "ANALYTICS_URL": f"http://127.0.0.1:{analytics.port}",
                "SENTRY_DSN": str(collector.register("gateway")),
            }
            with ServiceProcess("gateway", environment) as gateway:
                for _ in range(40):
                    headers = {"sentry-trace": SENTRY_TRACE}
                    assert status(gateway.request("GET", "/api/v1/analytics/debug/crash", headers)) == 401
        sent = [kind for kind, _, _ in everything(collector)]
        assert sent.count("transaction") == 20
        assert "event" not in sent
