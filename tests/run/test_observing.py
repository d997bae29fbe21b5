from __future__ import annotations

from pathlib import Path

import pytest

from harness.fleet.spec import FleetSpec, load_fleet_spec
from harness.run.observing import Exchange, Moment, Observation, covered_endpoints, endpoint_of
from harness.verify.evidence import PageView
from harness.wire.trace import SentryTrace
from tests.samples import OTHER_TRACE, TRACE

ADDRESSES = {"127.0.0.1:1": "gateway", "127.0.0.1:2": "shop", "127.0.0.1:3": "frontend"}


@pytest.fixture
def spec(tmp_path: Path) -> FleetSpec:
    path = tmp_path / "harness.toml"
    path.write_text(
        """
[fleet]
entry = "gateway"
[service.gateway]
command = ["gateway"]
[service.shop]
command = ["shop"]
route = "/api/shop"
[service.frontend]
command = ["frontend"]
"""
    )
    return load_fleet_spec(path)


def asked(url: str, method: str = "GET", trace_id: str | None = None) -> Exchange:
    trace = None if trace_id is None else SentryTrace(trace_id, "a" * 16)
    return Exchange(method, url, trace, None)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://127.0.0.1:1/api/shop/debug/crash?x=1", ("shop", "/debug/crash")),
        ("http://127.0.0.1:1/api/shopping", ("gateway", "/api/shopping")),
        ("http://127.0.0.1:1", ("gateway", "/")),
        ("http://127.0.0.1:2/api/shop/debug", ("shop", "/api/shop/debug")),
        ("http://127.0.0.1:9/debug/crash", None),
    ],
)
def test_a_request_is_for_the_service_behind_the_route(spec: FleetSpec, url: str, endpoint: object) -> None:
    assert endpoint_of(asked(url), ADDRESSES, spec) == endpoint


def test_endpoints_that_the_page_calls_are_covered_by_method_and_pattern(spec: FleetSpec) -> None:
    manifests = {"shop": (("GET", "/debug/crash"), ("POST", "/debug/crash"), ("GET", "/orders/{card}.pdf"))}
    exchanges = [
        asked("http://127.0.0.1:1/api/shop/debug/crash?x=1"),
        asked("http://127.0.0.1:2/orders/13.pdf"),
        asked("http://127.0.0.1:2/orders/13xpdf"),
        asked("http://127.0.0.1:2/orders/13/4.pdf"),
        asked("http://127.0.0.1:1/debug/crash", "POST"),
    ]
    covered = list(covered_endpoints(exchanges, manifests, ADDRESSES, spec))
    assert covered == [("shop", "GET", "/debug/crash"), ("shop", "GET", "/orders/{card}.pdf")]


def test_what_an_action_is_answered_is_the_answer_to_the_first_request_of_its_trace() -> None:
    beside, own, later = (
        asked("http://127.0.0.1:2/beside", trace_id=OTHER_TRACE),
        asked("http://127.0.0.1:2/own", trace_id=TRACE),
        asked("http://127.0.0.1:2/later", trace_id=TRACE),
    )
    exchanges = (asked("http://127.0.0.1:3/logo.png"), beside, own, later)
    page = PageView("http://127.0.0.1:3/")

    def observed(action: str | None) -> Observation:
        return Observation("visit", "frontend", "/", action, TRACE, Moment(0, 0.0), exchanges, page)

    assert observed("press").first is own
    assert observed(None).first is exchanges[0]
