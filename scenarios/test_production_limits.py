"""Debug endpoints are safe to ship: whoever may use one cannot use it up, and whoever may not cannot make noise.

See docs/production-safety.md for what each rule protects against.
"""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from dirty_equals import IsStr

from harness.fixtures.fleet import RunningFleet
from scenarios.guarded import LOADS, SERVICES, Guarded, guarded_fleet
from scenarios.raw_http import Answer, Header, ask

AT_ONCE = 50
# A window that a slow machine does not leave while it is at it.
# Its address on whatever network it shares with the services.
THIS_MACHINE = IsStr(regex=r"\d+\.\d+\.\d+\.1")
LIMIT = {"DEBUG_RATE_LIMIT": "10/hour"}

on_every_service = pytest.mark.parametrize("service", SERVICES)


def together(requests: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Send all requests, many at the same time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda request: request(), requests))


def statuses(answers: Sequence[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


@on_every_service
def test_of_500_requests_at_once_exactly_as_many_as_the_limit_come_through(fleet: RunningFleet, service: str) -> None:
    with guarded_fleet(fleet, {service: LIMIT}) as own:
        headers: list[Header] = [("Authorization", f"Bearer {fleet.token(sub='alice')}")]
        answers = together([partial(ask, own.base(service), "/debug", headers)] * 500)
        assert statuses(answers) == {200: 10, 429: 490}
        refused = next(answer for answer in answers if answer.status == 429)
        assert refused.json() == {"error": "too many requests", "request_id": IsStr()}
        assert 1 <= int(refused.headers["retry-after"]) <= 3600
        for answer in answers:
            assert answer.headers["ratelimit-policy"] == '"debug";q=10;w=3600'
            assert answer.headers["ratelimit"] == IsStr(regex=r'"debug";r=\d;t=[1-9]\d*')
        left = sorted(
            int(answer.headers["ratelimit"].split(";")[1][2:]) for answer in answers if answer.status == 200
        )
        assert left == list(range(10))
        assert own.call(service, "/debug", sub="bob").status == 200
        assert own.call(service, "/debug/crash", sub="alice").status == 500


@on_every_service
def test_a_refused_request_is_not_counted(fleet: RunningFleet, service: str) -> None:
    with guarded_fleet(fleet, {service: LIMIT}) as own:
        answers = [own.ask(service, "/debug") for _ in range(12)]
        answers += [own.call(service, "/debug", sub="alice", scope="other") for _ in range(12)]
        assert statuses(answers) == {401: 12, 403: 12}
        assert own.call(service, "/debug", sub="alice").headers["ratelimit"].startswith('"debug";r=9;')


@on_every_service
def test_two_instances_on_one_redis_share_the_limit(fleet: RunningFleet, service: str, redis_url: str) -> None:
    shared = {service: {**LIMIT, "DEBUG_LIMITS_URL": redis_url}}
    with guarded_fleet(fleet, shared) as first, guarded_fleet(fleet, shared) as second:
        headers: list[Header] = [("Authorization", f"Bearer {fleet.token(sub='alice')}")]
        one, other = ([partial(ask, own.base(service), "/debug", headers)] * 250 for own in (first, second))
        answers = together([request for pair in zip(one, other, strict=True) for request in pair])
        assert statuses(answers) == {200: 10, 429: 490}
        assert second.call(service, "/debug", sub="bob").headers["ratelimit"].startswith('"debug";r=9;')


@on_every_service
def test_without_its_redis_nobody_is_let_in(fleet: RunningFleet, service: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{nobody.getsockname()[1]}"
        with guarded_fleet(fleet, {service: {**LIMIT, "DEBUG_LIMITS_URL": url}}) as own:
            assert statuses([own.call(service) for _ in range(3)]) == {503: 3}
            assert own.ask(service, "/debug/crash").status == 401
            assert own.ask(service, "/health").status == 200
            assert "event" not in {kind for kind, _ in own.items()}


@pytest.mark.parametrize("service", LOADS)
def test_heavy_endpoints_run_one_at_a_time_where_that_is_said(fleet: RunningFleet, service: str) -> None:
    with guarded_fleet(fleet, {service: {"DEBUG_CONCURRENCY": "1"}}) as own:
        answers = together([partial(own.call, service, LOADS[service])] * 20)
        busy = [answer for answer in answers if answer.status == 429]
        assert statuses(answers)[200] == 20 - len(busy) >= 1
        assert {answer.headers["retry-after"] for answer in busy} <= {"1"}
        # Those that are done have made room.
        assert own.call(service, LOADS[service]).status == 200
        decisions = Counter(line["decision"] for line in own.audit(service))
        assert decisions == {"allowed": 21 - len(busy), **({"busy": len(busy)} if busy else {})}


@on_every_service
def test_a_flood_of_refusals_makes_little_noise(fleet: RunningFleet, service: str) -> None:
    with guarded_fleet(fleet, {service: LIMIT}) as own:
        own.mark()
        sampled = ("sentry-trace", "0123456789abcdef0123456789abcdef-0123456789abcdef-1")
        good = ("Authorization", f"Bearer {fleet.token(scope='other')}")
        kinds: list[tuple[Header, ...]] = [(), (sampled,), (good,), (sampled, good)]
        kinds.append((("Authorization", "Bearer x"), sampled))
        answers = together([partial(ask, own.base(service), "/debug/crash", kind) for kind in kinds * 40])
        assert statuses(answers) == {401: 120, 403: 80}
        told = _told(own)
        assert told["event"] == 0
        # Each of the 20 refusals that a minute has room for: its transaction or segment, and its metric.
        assert 1 <= told["transaction"] + told["segment"] <= 20
        assert 1 <= told["debug.refused"] <= 20
        assert told["log"] <= 20
        lines = own.audit(service)
        assert Counter(line["decision"] for line in lines) == {"unauthorized": 120, "forbidden": 80}


def _told(own: Guarded) -> Counter[str]:
    """How many of each kind were sent about debug endpoints."""
    told: Counter[str] = Counter()
    for kind, payload in own.items():
        held = json.loads(payload) if kind != "session" else {}
        match kind:
            case "event" | "transaction":
                told[kind] += 1
            case "log":
                told["log"] += len(held["items"])
            case "span":
                told["segment"] += sum(bool(span.get("is_segment")) for span in held["items"])
            case "trace_metric":
                told.update(metric["name"] for metric in held["items"])
    return told


@on_every_service
def test_a_refusal_is_audited_with_what_is_known_of_it(guarded: Guarded, service: str) -> None:
    wanted = ("X-Request-Id", f"asked-{service}")
    guarded.ask(service, "/debug/crash", ("Authorization", "Bearer nonsense"), wanted)
    (line,) = [line for line in guarded.audit(service) if line["request_id"] == wanted[1]]
    assert {name: line[name] for name in ("method", "endpoint", "group", "decision", "status")} == {
        "method": "GET",
        "endpoint": "/debug/crash",
        "group": "crash",
        "decision": "unauthorized",
        "status": 401,
    }
    assert line["from"] == THIS_MACHINE
    assert "nonsense" not in str(line)


@pytest.mark.parametrize("service", SERVICES[1:])
def test_the_audit_knows_who_was_before_the_gateway(guarded: Guarded, service: str) -> None:
    claimed = [(name, "203.0.113.7") for name in ("X-Forwarded-For", "X-Real-Ip", "Client-Ip")]
    claimed += [("Forwarded", "for=203.0.113.7")]
    wanted = ("X-Request-Id", f"forwarded-{service}")
    guarded.ask(f"{service} through the gateway", "/debug/crash", *claimed, wanted)
    guarded.ask("gateway", "/debug/crash", *claimed, wanted)
    (line,) = [line for line in guarded.audit(service) if line["request_id"] == wanted[1]]
    (own,) = [line for line in guarded.audit("gateway") if line["request_id"] == wanted[1]]
    assert own["from"] == THIS_MACHINE
    # What the client claims of itself does not count; what the gateway saw does.
    assert line["from"] == own["from"]
