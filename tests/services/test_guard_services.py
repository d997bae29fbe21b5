"""The guard in real processes of the three services."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.collector.server import Collector
from tests.services.conversation import SECONDS, Conversation, ServiceProcess
from tests.services.debug_access import DebugAccess
from tests.services.redis_server import IS_INSTALLED, RedisServer

SERVICES = ["gateway", "game_engine", "analytics"]
every_service = pytest.mark.parametrize("module", SERVICES)


@pytest.fixture
def access(tmp_path: Path) -> DebugAccess:
    return DebugAccess(tmp_path)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


def read(conversation: Conversation) -> tuple[int, dict[str, str], Any]:
    with conversation:
        first, headers, body = conversation.read_message()
    return int(first.split()[1]), headers, body


def ask(
    service: ServiceProcess, path: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], Any]:
    return read(service.request(method, path, headers))


def sent(collector: Collector, kind: str) -> list[Any]:
    envelopes = [arrival.envelope for arrival in collector.inbox.arrivals()]
    items = [item for envelope in envelopes if envelope is not None for item in envelope.items if item.type == kind]
    return [json.loads(item.payload) for item in items]


def records(collector: Collector, kind: str) -> list[Any]:
    return [record for container in sent(collector, kind) for record in container["items"]]


def without_variable_parts(answer: tuple[int, dict[str, str], Any], path: str) -> Any:
    status, headers, body = answer
    request_id = body["request_id"]
    text = json.dumps([status, {name: value for name, value in headers.items() if name != "date"}, body])
    return text.replace(path, "<path>").replace(request_id, "<id>")


@every_service
class TestSwitchedOff:
    @pytest.mark.parametrize("has_variables", [True, False])
    def test_is_as_if_it_were_not_there(
        self, module: str, access: DebugAccess, collector: Collector, has_variables: bool
    ) -> None:
        access.switch(debug=False, debug__crash=True)
        environment = {**(access.environment if has_variables else {}), "SENTRY_DSN": str(collector.register(module))}
        # Of the same length, because the answers of two services name the path.
        pairs = [("/debug/crash", "/nothing/xyz"), ("/debug", "/nobug")]
        with ServiceProcess(module, environment) as service:
            for pair in pairs:
                for method in ("GET", "POST", "DELETE"):
                    answers = [
                        without_variable_parts(ask(service, path, headers, method), path)
                        for path in pair
                        for headers in ({}, access.headers())
                    ]
                    assert len(set(answers)) == 1, answers
                    assert json.loads(answers[0])[0] == 404
        told = [
            json.dumps(
                [
                    t["transaction_info"],
                    t["transaction"],
                    t["tags"],
                    t.get("breadcrumbs"),
                    t["contexts"]["trace"]["op"],
                ]
            ).replace(t["request"]["url"].partition("service.test")[2], "<path>")
            for t in sent(collector, "transaction")
        ]
        assert len(told) == 24
        assert len(set(told)) == 1
        assert not records(collector, "trace_metric")
        assert not sent(collector, "event")

    def test_group_endpoint_and_whole_count_without_a_restart(self, module: str, access: DebugAccess) -> None:
        name = module.replace("_", "-")
        with ServiceProcess(module, access.environment) as service:
            for flags, status in (
                ({}, 500),
                ({"debug__crash": False}, 404),
                ({f"debug__{name}__crash": False}, 404),
                ({"debug": False}, 404),
                ({"debug__load": False}, 500),
            ):
                access.switch(**flags)
                assert ask(service, "/debug/crash", access.headers())[0] == status, flags
            assert ask(service, "/debug", access.headers())[0] == 200

    def test_is_in_no_document_of_the_service(self, module: str, access: DebugAccess) -> None:
        with ServiceProcess(module, access.environment) as service, service.request("GET", "/openapi.json") as client:
            client.read_until(b"\r\n\r\n")
            assert b"/debug" not in client.read_to_end()


@every_service
class TestDecisions:
    def test_come_in_order_with_their_headers(self, module: str, access: DebugAccess) -> None:
        environment = {**access.environment, "DEBUG_RATE_LIMIT": "2/hour"}
        with ServiceProcess(module, environment) as service:
            status, headers, body = ask(service, "/debug/crash", {"X-Request-Id": "req-1"})
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
            assert body == {"error": "unauthorized", "request_id": "req-1"}
            assert "ratelimit" not in headers
            for _ in range(3):
                status, headers, body = ask(service, "/debug/crash", access.headers(scopes=("debug:read",)))
                assert (status, body["error"]) == (403, "forbidden")
                assert headers["ratelimit"] == '"debug";r=2;t=3600'
            for remaining in (1, 0):
                status, headers, _ = ask(service, "/debug/crash", access.headers())
                assert status == 500
                assert headers["ratelimit-policy"] == '"debug";q=2;w=3600'
                assert headers["ratelimit"].startswith(f'"debug";r={remaining};t=')
            status, headers, body = ask(service, "/debug/crash", access.headers())
            assert (status, body["error"]) == (429, "too many requests")
            assert 3500 < int(headers["retry-after"]) <= 3600
            assert ask(service, "/debug/crash", access.headers(sub="somebody else"))[0] == 500
            assert ask(service, "/debug", access.headers())[0] == 200
            assert ask(service, "/debug", access.headers(scopes=("debug:crash", "debug:load")))[0] == 403
            assert ask(service, "/health")[0] == 200

    def test_repeated_and_huge_headers_are_refused(self, module: str, access: DebugAccess) -> None:
        good = f"Bearer {access.token()}"
        with ServiceProcess(module, access.environment) as service:
            assert ask(service, "/debug", {"Authorization": good, "authorization": good})[0] == 401
            assert ask(service, "/debug", {"Authorization": f"Bearer {'x' * 20_000}"})[0] == 401
            assert ask(service, "/debug", {"Authorization": "Bearer \xe9\xff"})[0] == 401
            assert ask(service, "/debug", {"Authorization": good})[0] == 200

    def test_tricks_with_paths_and_methods_reach_nothing(
        self, module: str, access: DebugAccess, collector: Collector
    ) -> None:
        override = {
            "X-HTTP-Method-Override": "GET",
            "X-Original-URL": "/debug/crash",
            "X-Rewrite-URL": "/debug/crash",
        }
        environment = {**access.environment, "SENTRY_DSN": str(collector.register(module))}
        with ServiceProcess(module, environment) as service:
            for path in (
                "//debug/crash",
                "/%64ebug/crash",
                "/debug%2Fcrash",
                "/DEBUG/CRASH",
                "/debug/crash/",
                "/./debug/crash",
                "/x/../debug/crash",
                "/debug;a=b/crash",
                "/debug/crash?x=/health",
                "/debug/crash%00",
            ):
                for method in ("GET", "POST", "HEAD"):
                    with service.request(method, path, override) as client:
                        status = int(client.read_head()[0].split()[1])
                    assert status in {400, 401, 404, 405}, (method, path)
            assert ask(service, "/health", override)[0] == 200
        assert not sent(collector, "event")

    def test_a_slash_at_the_end_is_another_path(self, module: str, access: DebugAccess) -> None:
        with ServiceProcess(module, access.environment) as service:
            for path, other in (("/debug/crash/", "/nothing/xyz/"), ("/debug/", "/nobug/")):
                answers = [
                    without_variable_parts(ask(service, asked, access.headers()), asked) for asked in (path, other)
                ]
                assert answers[0] == answers[1]
                assert json.loads(answers[0])[0] == 404

    @pytest.mark.parametrize("proxies", [{}, {"TRUSTED_PROXIES": "10.0.0.1"}])
    def test_nobody_is_believed_to_be_somewhere_else(
        self, module: str, access: DebugAccess, proxies: dict[str, str]
    ) -> None:
        claims = dict.fromkeys(("X-Forwarded-For", "X-Real-Ip"), "203.0.113.7")
        with ServiceProcess(module, {**access.environment, **proxies}) as service:
            assert ask(service, "/debug/crash", {**claims, "Forwarded": "for=203.0.113.7"})[0] == 401
            assert [line["from"] for line in service.logged("debug.trigger", 1)] == ["127.0.0.1"]

    def test_a_refusal_does_not_wait_for_the_body(self, module: str, access: DebugAccess) -> None:
        path, method = ("/debug/validation-error", "POST") if module == "analytics" else ("/debug/crash", "GET")
        with ServiceProcess(module, access.environment) as service, service.connect() as client:
            head = f"{method} {path} HTTP/1.1\r\nHost: service.test\r\nContent-Type: application/json\r\n"
            client.send(f"{head}Content-Length: 60000\r\n\r\n".encode())
            assert "401" in client.read_head()[0]


@every_service
class TestTelling:
    def test_who_did_what_is_logged_and_told_to_sentry_without_the_token(
        self, module: str, access: DebugAccess, collector: Collector
    ) -> None:
        trace_id = "0123456789abcdef0123456789abcdef"
        token = access.token(sub="ada", jti="t-7")
        headers = {
            "Authorization": f"Bearer {token}",
            "X-Request-Id": "req-7",
            "X-Forwarded-For": "198.51.100.1, 203.0.113.7",
            "sentry-trace": f"{trace_id}-1111222233334444-1",
        }
        environment = {
            **access.environment,
            "SENTRY_DSN": str(collector.register(module)),
            "TRUSTED_PROXIES": "127.0.0.1",
        }
        with ServiceProcess(module, environment) as service:
            assert ask(service, "/debug/crash", headers)[0] == 500
            assert ask(service, "/debug/crash", {"Authorization": f"Bearer {token}x"})[0] == 401
            lines = service.logged("debug.trigger", 2)
        (event,) = sent(collector, "event")
        known = {
            "sub": "ada",
            "jti": "t-7",
            "method": "GET",
            "endpoint": "/debug/crash",
            "group": "crash",
            # Whoever comes before the gateway may claim to be anybody.
            "from": "127.0.0.1" if module == "gateway" else "203.0.113.7",
            "decision": "allowed",
            "status": 500,
            "event_id": event["event_id"],
            "request_id": "req-7",
        }
        assert {name: lines[0].get(name) for name in known} == known
        assert (lines[1]["decision"], lines[1]["status"], lines[1].keys() & {"sub", "jti", "event_id"}) == (
            "unauthorized",
            401,
            set(),
        )
        triggers = [log for log in records(collector, "log") if log["body"] == "debug.trigger"]
        assert [log["trace_id"] for log in triggers] == [trace_id]
        known["http.request.method"] = known.pop("method")
        told = {name: value["value"] for name, value in triggers[0]["attributes"].items() if name in known}
        assert told == known
        (metric,) = [metric for metric in records(collector, "trace_metric") if metric["name"] == "debug.refused"]
        attributes = {name: value["value"] for name, value in metric["attributes"].items()}
        assert (attributes["reason"], attributes["endpoint"]) == ("unauthorized", "/debug/crash")
        everything = json.dumps(lines).encode() + b"".join(
            item.payload
            for arrival in collector.inbox.arrivals()
            if arrival.envelope is not None
            for item in arrival.envelope.items
        )
        for secret in (token, *token.split(".")[1:]):
            assert secret.encode() not in everything

    def test_a_flood_of_refusals_is_bounded(self, module: str, access: DebugAccess, collector: Collector) -> None:
        environment = {**access.environment, "SENTRY_DSN": str(collector.register(module))}
        with ServiceProcess(module, environment) as service:
            assert {ask(service, "/debug/crash")[0] for _ in range(60)} == {401}
            assert len(service.logged("debug.trigger", 60)) == 60
        assert len(sent(collector, "transaction")) == 20
        assert len(records(collector, "trace_metric")) == 20
        assert not sent(collector, "event")
        assert not records(collector, "log")


def test_no_more_of_a_load_at_a_time_than_allowed(access: DebugAccess) -> None:
    with ServiceProcess("analytics", {**access.environment, "DEBUG_CONCURRENCY": "1"}) as service:
        waiting = [
            service.request("GET", "/debug/memory-spike?size_mb=256", access.headers(sub=f"user-{number}"))
            for number in range(5)
        ]
        answers = [read(conversation) for conversation in waiting]
        busy = [headers for status, headers, _ in answers if status == 429]
        assert len(busy) == 4
        assert {headers["retry-after"] for headers in busy} == {"1"}
        assert ask(service, "/debug/memory-spike?size_mb=1", access.headers())[0] == 200


@pytest.mark.parametrize(
    ("module", "method", "path"),
    [("game_engine", "GET", "/debug/cpu-spike"), ("analytics", "GET", "/debug/memory-spike?size_mb=1")],
)
def test_who_leaves_before_its_body_has_come_takes_no_place_along(
    module: str, method: str, path: str, access: DebugAccess
) -> None:
    head = f"{method} {path} HTTP/1.1\r\nHost: service.test\r\nAuthorization: Bearer {access.token()}\r\n"
    with ServiceProcess(module, {**access.environment, "DEBUG_CONCURRENCY": "1"}) as service:
        for number in (1, 2):
            with service.connect() as client:
                client.send(f"{head}Content-Length: 50\r\n\r\n".encode())
            assert len(service.logged("debug.trigger", number)) == number
        assert {line["decision"] for line in service.logged("debug.trigger", 2)} == {"allowed"}
        assert ask(service, path, access.headers())[0] == 200


@every_service
def test_500_at_once_let_exactly_ten_through(module: str, access: DebugAccess) -> None:
    with ServiceProcess(module, {**access.environment, "DEBUG_RATE_LIMIT": "10/hour"}) as service:
        assert statuses_of_500([service], access) == {200: 10, 429: 490}


def statuses_of_500(services: list[ServiceProcess], access: DebugAccess) -> dict[int, int]:
    headers = access.headers()
    counts: dict[int, int] = {}
    waiting = [services[number % len(services)].request("GET", "/debug", headers) for number in range(500)]
    for conversation in waiting:
        status = read(conversation)[0]
        counts[status] = counts.get(status, 0) + 1
    return counts


@pytest.mark.skipif(not IS_INSTALLED, reason="redis-server is not installed")
class TestSharedLimits:
    @every_service
    def test_two_instances_let_exactly_ten_through(self, module: str, access: DebugAccess, tmp_path: Path) -> None:
        with RedisServer(tmp_path) as redis:
            environment = {**access.environment, "DEBUG_RATE_LIMIT": "10/hour", "DEBUG_LIMITS_URL": redis.url}
            with ServiceProcess(module, environment) as first, ServiceProcess(module, environment) as second:
                assert statuses_of_500([first, second], access) == {200: 10, 429: 490}
            command = ["redis-cli", "-p", str(redis.port), "keys", "*"]
            keys = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert module.replace("_", "-") in keys
        assert "tester" not in keys

    @every_service
    def test_redis_that_is_away_closes_the_endpoints(self, module: str, access: DebugAccess, tmp_path: Path) -> None:
        redis = RedisServer(tmp_path)
        with ServiceProcess(module, {**access.environment, "DEBUG_LIMITS_URL": redis.url}) as service:
            for _ in range(2):
                status, _, body = ask(service, "/debug/crash", access.headers())
                assert (status, body["error"]) == (503, "unavailable")
            assert ask(service, "/debug/crash")[0] == 401
            with redis:
                assert ask(service, "/debug/crash", access.headers())[0] == 500
            assert ask(service, "/debug/crash", access.headers())[0] == 503
            message = "the Redis of DEBUG_LIMITS_URL does not answer, so every debug endpoint is closed"
            assert len(service.logged(message, 2)) == 2
            assert [line["decision"] for line in service.logged("debug.trigger", 5)][:2] == ["unavailable"] * 2


@every_service
@pytest.mark.parametrize(
    ("different", "complaint"),
    [
        ({"DEBUG_KEYS_FILE": ""}, "DEBUG_FLAGS_FILE needs DEBUG_KEYS_FILE"),
        ({"DEBUG_KEYS_FILE": "/nowhere/jwks.json"}, "DEBUG_KEYS_FILE must be a JWKS with public keys: /nowhere"),
        ({"DEBUG_RATE_LIMIT": "0/minute"}, "DEBUG_RATE_LIMIT must be a number per"),
        ({"DEBUG_RATE_LIMIT": "10 per day"}, "DEBUG_RATE_LIMIT must be a number per"),
        ({"DEBUG_CONCURRENCY": "0"}, "DEBUG_CONCURRENCY must be a whole number"),
        ({"DEBUG_LIMITS_URL": "memcached://:secret@db"}, "DEBUG_LIMITS_URL must be the URL of a Redis"),
        ({"DEBUG_LIMITS_URL": "redis://:secret@db:port/0"}, "DEBUG_LIMITS_URL must be the URL of a Redis"),
        ({"DEBUG_LIMITS_URL": "redis://:secret@db/name"}, "DEBUG_LIMITS_URL must be the URL of a Redis"),
    ],
)
def test_a_bad_setting_ends_the_service_with_one_line(
    module: str, access: DebugAccess, different: dict[str, str], complaint: str
) -> None:
    assert_refuses_to_start(module, {**access.environment, **different}, complaint)


@pytest.mark.parametrize("module", SERVICES[1:])
def test_a_proxy_that_is_none_ends_the_service_with_one_line(module: str, access: DebugAccess) -> None:
    complaint = "TRUSTED_PROXIES must list addresses or networks"
    for proxies in ("10.0.0.300", "10.0.0.1/8", "gateway", "10.0.0.1;10.0.0.2"):
        assert_refuses_to_start(module, {**access.environment, "TRUSTED_PROXIES": proxies}, complaint)


def assert_refuses_to_start(module: str, environment: dict[str, str], complaint: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", module],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PORT": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"{module.replace('_', '-')}: {complaint}")
    assert ended.stderr.count("\n") == 1
    assert "secret" not in ended.stderr
