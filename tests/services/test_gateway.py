from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.headers import ClientSide, are_too_large, forwarded_request_headers, has_body, returned_response_headers
from gateway.routing import RouteTable, UnknownService, Upstream
from tests.services.conversation import Conversation, Listener, ServiceProcess, StartService
from tests.services.debug_access import DebugAccess

CLIENT = ClientSide(address="203.0.113.7", scheme="https", host="casino.example", prefix="/api/v1/payment")
TABLE = RouteTable({"payment": Upstream("payment", "http://10.0.0.7:8003")})
TRACE_ID = "0123456789abcdef0123456789abcdef"
SPAN_ID = "1111222233334444"


class TestRequestHeaders:
    def test_what_belongs_to_the_connection_stays(self) -> None:
        incoming = [
            (b"connection", b"close, X-Internal"),
            (b"x-internal", b"1"),
            (b"te", b"trailers"),
            (b"upgrade", b"h2c"),
            (b"transfer-encoding", b"chunked"),
            (b"expect", b"100-continue"),
            (b"accept", b"*/*"),
        ]
        passed = forwarded_request_headers(incoming, CLIENT)
        assert [name for name, _ in passed if not name.startswith(b"x-forwarded")] == [b"accept"]

    def test_the_client_is_appended_to_the_chain(self) -> None:
        incoming = [
            (b"x-forwarded-for", b"198.51.100.1"),
            (b"x-forwarded-for", b"198.51.100.2"),
            (b"host", b"gateway"),
        ]
        passed = forwarded_request_headers(incoming, CLIENT)
        assert passed == [
            (b"x-forwarded-for", b"198.51.100.1, 198.51.100.2, 203.0.113.7"),
            (b"x-forwarded-host", b"casino.example"),
            (b"x-forwarded-proto", b"https"),
            (b"x-forwarded-prefix", b"/api/v1/payment"),
        ]

    def test_repeated_headers_stay_repeated_and_in_order(self) -> None:
        incoming = [(b"x-tag", b"b"), (b"accept", b"*/*"), (b"x-tag", b"a")]
        assert forwarded_request_headers(incoming, CLIENT)[:3] == incoming

    def test_blanks_around_the_host_do_not_pass(self) -> None:
        asked = replace(CLIENT, host="casino.example \t ")
        assert (b"x-forwarded-host", b"casino.example") in forwarded_request_headers([], asked)

    def test_blanks_around_a_value_do_not_pass(self) -> None:
        assert forwarded_request_headers([(b"authorization", b"Bearer \t")], CLIENT)[0] == (
            b"authorization",
            b"Bearer",
        )

    @pytest.mark.parametrize("name", [b"forwarded", b"x-real-ip"])
    def test_an_address_that_the_client_claims_does_not_pass(self, name: bytes) -> None:
        assert name not in dict(forwarded_request_headers([(name, b"203.0.113.7")], CLIENT))

    def test_headers_that_an_upstream_would_not_read_are_too_large(self) -> None:
        assert not are_too_large([(b"a", b"x" * 4096), (b"b", b"x" * 4096)])
        assert are_too_large([(b"a", b"x" * 4096)] * 3)

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ([], False),
            ([(b"content-length", b"0")], False),
            ([(b"content-length", b"12")], True),
            ([(b"transfer-encoding", b"chunked")], True),
        ],
    )
    def test_body_is_announced(self, headers: list[tuple[bytes, bytes]], expected: bool) -> None:
        assert has_body(headers) is expected


def test_response_headers_keep_cookies_apart_and_drop_the_connection() -> None:
    incoming = [(b"Set-Cookie", b"a=1"), (b"Connection", b"close"), (b"Date", b"today"), (b"Set-Cookie", b"b=2")]
    assert returned_response_headers(incoming) == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]


class TestRouting:
    @pytest.mark.parametrize(
        ("raw", "path"),
        [
            (b"/api/v1/payment", b"/"),
            (b"/api/v1/payment/", b"/"),
            (b"/api/v1/payment/debug/crash", b"/debug/crash"),
            (b"/api/v1/payment/a%2Fb/%7e//c", b"/a%2Fb/%7e//c"),
        ],
    )
    def test_rest_of_the_path_is_untouched(self, raw: bytes, path: bytes) -> None:
        assert TABLE.resolve(raw) == (TABLE.upstreams["payment"], path)

    @pytest.mark.parametrize("raw", [b"/api/v1/wallet/x", b"/api/v1/", b"/api%2Fv1/payment/x", b"/api/v1/\xff"])
    def test_unknown_service(self, raw: bytes) -> None:
        with pytest.raises(UnknownService, match="there are payment"):
            TABLE.resolve(raw)

    def test_table_is_read(self) -> None:
        table = RouteTable.parse("payment=http://10.0.0.7:8003/\nanalytics=https://stats.internal", "rev_1")
        assert [upstream.url for upstream in table.upstreams.values()] == [
            "http://10.0.0.7:8003",
            "https://stats.internal",
        ]

    @pytest.mark.parametrize("url", ["http://10.0.0.8:80o2", "http://", "", "http://10.0.0.8:"])
    def test_broken_table_names_route_and_revision(self, url: str) -> None:
        with pytest.raises(ValueError, match="route analytics of table rev_1"):
            RouteTable.parse(f"analytics={url}", "rev_1")


@pytest.fixture
def gateway(start_service: StartService, upstream: Listener) -> ServiceProcess:
    return start_service("gateway", PAYMENT_URL=f"{upstream.url}/base", UPSTREAM_TIMEOUT_MS="60000")


def answer(conversation: Conversation, head: bytes, body: bytes = b"") -> None:
    conversation.send(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)


class TestProxy:
    def test_path_and_query_arrive_as_they_were_sent(self, gateway: ServiceProcess, upstream: Listener) -> None:
        sent = "/api/v1/payment/a%2Fb/%7e/../%C3%A4/x;y=1?q=%20&q=a+b&empty=&[z]"
        with gateway.request("GET", sent) as client, upstream.accept() as service:
            first, headers = service.read_head()
            answer(service, b"HTTP/1.1 204 No Content\nServer: test")
            assert client.read_head()[0].startswith("HTTP/1.1 204")
        assert first == "GET /base/a%2Fb/%7e/../%C3%A4/x;y=1?q=%20&q=a+b&empty=&[z] HTTP/1.1"
        assert dict(headers)["x-forwarded-host"] == "service.test"

    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "PROPFIND"])
    def test_every_method_passes(self, gateway: ServiceProcess, upstream: Listener, method: str) -> None:
        with gateway.request(method, "/api/v1/payment/x") as client, upstream.accept() as service:
            first, _ = service.read_head()
            answer(service, b"HTTP/1.1 200 OK\nContent-Length: 2", b"" if method == "HEAD" else b"ok")
            head, headers = client.read_head()
            body = client.read_to_end()
        assert first.startswith(f"{method} ")
        assert head == "HTTP/1.1 200 OK"
        assert dict(headers)["content-length"] == "2"
        assert body == (b"" if method == "HEAD" else b"ok")

    def test_gateway_becomes_the_parent_and_foreign_baggage_stays(
        self, gateway: ServiceProcess, upstream: Listener
    ) -> None:
        trace = {
            "sentry-trace": f"{TRACE_ID}-{SPAN_ID}-1",
            "baggage": f"tenant=acme,sentry-trace_id={TRACE_ID},sentry-public_key=front,sentry-sampled=true,shard=7",
        }
        with gateway.request("GET", "/api/v1/payment/x", trace) as client, upstream.accept() as service:
            _, headers = service.read_head()
            answer(service, b"HTTP/1.1 200 OK\nContent-Length: 0")
            client.read_head()
        assert sorted(name for name, _ in headers if name in trace) == ["baggage", "sentry-trace"]
        trace_id, span_id, sampled = dict(headers)["sentry-trace"].split("-")
        assert (trace_id, sampled) == (TRACE_ID, "1")
        assert span_id != SPAN_ID
        members = [member.strip() for member in dict(headers)["baggage"].split(",")]
        assert members[:2] == ["tenant=acme", "shard=7"]
        assert members.count(f"sentry-trace_id={TRACE_ID}") == 1
        assert "sentry-public_key=front" in members

    def test_request_body_streams(self, gateway: ServiceProcess, upstream: Listener) -> None:
        with gateway.connect() as client:
            client.send(
                b"POST /api/v1/payment/upload HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
            )
            with upstream.accept() as service:
                _, headers = service.read_head()
                assert b"first" in service.read_until(b"first\r\n")
                client.send(b"6\r\nsecond\r\n0\r\n\r\n")
                service.read_until(b"second\r\n0\r\n\r\n")
                answer(service, b"HTTP/1.1 201 Created\nContent-Length: 0")
                assert client.read_head()[0] == "HTTP/1.1 201 Created"
        assert ("transfer-encoding", "chunked") in headers

    def test_body_length_is_kept(self, gateway: ServiceProcess, upstream: Listener) -> None:
        with gateway.request("POST", "/api/v1/payment/x", body=b"12345") as client, upstream.accept() as service:
            _, headers = service.read_head()
            assert service.read_exactly(5) == b"12345"
            answer(service, b"HTTP/1.1 200 OK\nContent-Length: 0")
            client.read_head()
        assert dict(headers)["content-length"] == "5"
        assert "transfer-encoding" not in dict(headers)

    def test_response_body_streams_with_its_encoding_untouched(
        self, gateway: ServiceProcess, upstream: Listener
    ) -> None:
        with gateway.request("GET", "/api/v1/payment/x") as client, upstream.accept() as service:
            service.read_head()
            answer(service, b"HTTP/1.1 200 OK\nContent-Encoding: gzip\nTransfer-Encoding: chunked", b"4\r\nno g\r\n")
            _, headers = client.read_head()
            assert b"no g" in client.read_until(b"no g\r\n")
            service.send(b"3\r\nzip\r\n0\r\n\r\n")
            assert b"zip" in client.read_to_end()
        assert dict(headers)["content-encoding"] == "gzip"

    def test_client_that_leaves_while_waiting_closes_the_upstream(
        self, gateway: ServiceProcess, upstream: Listener
    ) -> None:
        client = gateway.request("GET", "/api/v1/payment/slow")
        with upstream.accept() as service:
            service.read_head()
            client.connection.close()
            assert service.read_to_end() == b""

    def test_client_that_leaves_while_reading_closes_the_upstream(
        self, gateway: ServiceProcess, upstream: Listener
    ) -> None:
        client = gateway.request("GET", "/api/v1/payment/endless")
        with upstream.accept() as service:
            service.read_head()
            answer(service, b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"4\r\npart\r\n")
            client.read_until(b"part")
            client.connection.close()
            assert service.read_to_end() == b""

    def test_client_that_leaves_while_uploading_closes_the_upstream(
        self, gateway: ServiceProcess, upstream: Listener
    ) -> None:
        client = gateway.connect()
        client.send(b"POST /api/v1/payment/upload HTTP/1.1\r\nHost: g\r\nContent-Length: 99\r\n\r\nfirst")
        with upstream.accept() as service:
            service.read_head()
            service.read_until(b"first")
            client.connection.close()
            assert service.read_to_end() == b""

    def test_answer_that_breaks_off_breaks_off_for_the_client_too(
        self, gateway: ServiceProcess, upstream: Listener
    ) -> None:
        with gateway.request("GET", "/api/v1/payment/x") as client:
            with upstream.accept() as service:
                service.read_head()
                answer(service, b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"4\r\npart\r\n")
                client.read_until(b"part")
            assert b"0\r\n\r\n" not in client.read_to_end()

    def test_silent_upstream_is_504(self, start_service: StartService, upstream: Listener) -> None:
        gateway = start_service("gateway", PAYMENT_URL=upstream.url, UPSTREAM_TIMEOUT_MS="200")
        with gateway.request("GET", "/api/v1/payment/x", {"X-Request-Id": "abc"}) as client:
            first, headers, body = client.read_message()
        assert first == "HTTP/1.1 504 Gateway Timeout"
        assert body == {"error": "payment did not answer in time", "request_id": "abc"}
        assert len(headers["x-sentry-event-id"]) == 32

    def test_a_kept_connection_that_ends_costs_no_answer(self, gateway: ServiceProcess, upstream: Listener) -> None:
        with gateway.request("GET", "/api/v1/payment/1") as client, upstream.accept() as kept:
            kept.read_head()
            answer(kept, b"HTTP/1.1 200 OK\nContent-Length: 0")
            client.read_to_end()
            with gateway.request("GET", "/api/v1/payment/2") as other:
                assert kept.read_head()[0] == "GET /base/2 HTTP/1.1"
                kept.connection.close()
                with upstream.accept() as service:
                    assert service.read_head()[0] == "GET /base/2 HTTP/1.1"
                    answer(service, b"HTTP/1.1 200 OK\nContent-Length: 0")
                    assert other.read_head()[0] == "HTTP/1.1 200 OK"

    @pytest.mark.parametrize(("method", "body"), [("POST", b""), ("PATCH", b""), ("PROPFIND", b""), ("PUT", b"{}")])
    def test_what_must_not_be_sent_twice_has_a_connection_of_its_own(
        self, gateway: ServiceProcess, upstream: Listener, method: str, body: bytes
    ) -> None:
        with gateway.request("GET", "/api/v1/payment/1") as client, upstream.accept() as kept:
            kept.read_head()
            answer(kept, b"HTTP/1.1 200 OK\nContent-Length: 0")
            client.read_to_end()
            with gateway.request(method, "/api/v1/payment/2", body=body) as other, upstream.accept() as service:
                assert service.read_head()[0] == f"{method} /base/2 HTTP/1.1"
                answer(service, b"HTTP/1.1 200 OK\nContent-Length: 0")
                assert other.read_head()[0] == "HTTP/1.1 200 OK"
                # Nobody else gets it.
                assert service.read_to_end().endswith(body)

    def test_a_new_connection_that_ends_is_502_at_once(self, gateway: ServiceProcess, upstream: Listener) -> None:
        with gateway.request("GET", "/api/v1/payment/x") as client:
            with upstream.accept() as service:
                service.read_head()
            assert client.read_message()[0] == "HTTP/1.1 502 Bad Gateway"

    def test_closed_port_is_502(self, start_service: StartService) -> None:
        gateway = start_service("gateway", PAYMENT_URL="http://127.0.0.1:9")
        with gateway.request("POST", "/api/v1/payment/x", body=b"{}") as client:
            first, headers, body = client.read_message()
        assert first == "HTTP/1.1 502 Bad Gateway"
        assert body["error"] == "payment is not available"
        assert len(headers["x-sentry-event-id"]) == 32


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "sentry-trace, baggage"}


class TestCors:
    def test_localhost_may_send_trace_headers(self, gateway: ServiceProcess) -> None:
        preflight = {"Origin": "http://localhost:5173", **PREFLIGHT}
        with gateway.request("OPTIONS", "/api/v1/payment/process", preflight) as client:
            first, pairs = client.read_head()
        headers = dict(pairs)
        assert first == "HTTP/1.1 200 OK"
        assert headers["access-control-allow-origin"] == "http://localhost:5173"
        allowed = {name.strip().lower() for name in headers["access-control-allow-headers"].split(",")}
        assert {"sentry-trace", "baggage"} <= allowed

    def test_others_may_not(self, gateway: ServiceProcess) -> None:
        with gateway.request("OPTIONS", "/debug/crash", {"Origin": "https://evil.example", **PREFLIGHT}) as client:
            first, headers = client.read_head()
        assert first == "HTTP/1.1 400 Bad Request"
        assert "access-control-allow-origin" not in dict(headers)

    def test_an_error_can_be_read_by_the_page(self, start_service: StartService, tmp_path: Path) -> None:
        access = DebugAccess(tmp_path)
        gateway = start_service("gateway", **access.environment)
        headers = {"Origin": "http://localhost:5173", **access.headers()}
        with gateway.request("GET", "/debug/crash", headers) as client:
            first, headers_of_answer = client.read_head()
        assert first == "HTTP/1.1 500 Internal Server Error"
        assert dict(headers_of_answer)["access-control-allow-origin"] == "http://localhost:5173"
        assert {"X-Sentry-Event-Id", "RateLimit"} <= set(
            dict(headers_of_answer)["access-control-expose-headers"].split(", ")
        )

    def test_configured_origins_replace_localhost(self, start_service: StartService) -> None:
        gateway = start_service("gateway", CORS_ORIGINS="https://casino.example")
        for origin, status in (("https://casino.example", "200 OK"), ("http://localhost:5173", "400 Bad Request")):
            with gateway.request("OPTIONS", "/health", {"Origin": origin, **PREFLIGHT}) as client:
                assert client.read_head()[0] == f"HTTP/1.1 {status}"


class TestPage:
    @pytest.fixture
    def gateway(self, start_service: StartService, upstream: Listener) -> ServiceProcess:
        return start_service("gateway", FRONTEND_URL=upstream.url)

    @pytest.mark.parametrize("path", ["/", "/config.json", "/favicon.svg", "/assets/frontend.js?v=1"])
    def test_the_front_end_serves_it(self, gateway: ServiceProcess, upstream: Listener, path: str) -> None:
        with gateway.request("GET", path) as client, upstream.accept() as frontend:
            first, _ = frontend.read_head()
            answer(
                frontend, b"HTTP/1.1 200 OK\nContent-Security-Policy: default-src 'none'\nContent-Length: 4", b"page"
            )
            head, headers = client.read_head()
            assert client.read_exactly(4) == b"page"
        assert first == f"GET {path} HTTP/1.1"
        assert head == "HTTP/1.1 200 OK"
        assert dict(headers)["content-security-policy"] == "default-src 'none'"

    @pytest.mark.parametrize("path", ["/nothing", "/debug", "/debug-token", "/broken-connection"])
    def test_nothing_else_leads_there(self, gateway: ServiceProcess, path: str) -> None:
        with gateway.request("GET", path) as client:
            assert client.read_head()[0].startswith("HTTP/1.1 404")

    def test_nothing_is_sent_to_it(self, gateway: ServiceProcess) -> None:
        with gateway.request("POST", "/", body=b"12345") as client:
            assert client.read_head()[0].startswith("HTTP/1.1 405")

    def test_headers_that_it_would_not_read_are_refused(self, gateway: ServiceProcess) -> None:
        with gateway.request("GET", "/", {f"x-{number}": "x" * 4096 for number in range(3)}) as client:
            assert client.read_head()[0].startswith("HTTP/1.1 431")

    def test_without_a_front_end_there_is_no_page(self, start_service: StartService) -> None:
        with start_service("gateway").request("GET", "/") as client:
            assert client.read_head()[0].startswith("HTTP/1.1 404")
