from __future__ import annotations

from typing import Any

import pytest
import sentry_sdk
from sentry_sdk import logger

from harness.verify.checks.identity import identity, identity_of_run
from harness.verify.evidence import ServiceFacts
from harness.verify.finding import Finding
from harness.wire.envelope import Item
from tests.samples import (
    LOG_CONTENT,
    METRIC_CONTENT,
    OTHER_TRACE,
    SPAN_CONTENT,
    TRACE,
    container,
    envelope,
    error,
    json_item,
    streamed_span,
    transaction,
)
from tests.verify.checks.capturing import IDENTITY, changed, codes, findings, of_sdk, run_findings

HELD = {
    "sentry.release": "game@verification",
    "sentry.environment": "verification",
    "sentry.sdk.name": "sentry.python.tornado",
    "sentry.sdk.version": "2.75.0",
}


def held(**changes: Any) -> dict[str, Any]:
    named = {**HELD, **{name.replace("_", ".", 1).replace("sdk_", "sdk."): value for name, value in changes.items()}}
    return {name: {"value": value, "type": "string"} for name, value in named.items() if value is not None}


def event(**changes: Any) -> Item:
    return changed(error(), **{**IDENTITY, **changes})


def span(**changes: Any) -> Item:
    entry = {**streamed_span("spin", span_id="a1", parent=None), "attributes": held(**changes)}
    return container("span", SPAN_CONTENT, entry)


def log(trace_id: str = TRACE, **changes: Any) -> Item:
    return container("log", LOG_CONTENT, {"trace_id": trace_id, "attributes": held(**changes)})


def metric(**changes: Any) -> Item:
    return container("trace_metric", METRIC_CONTENT, {"trace_id": TRACE, "name": "m", "attributes": held(**changes)})


def found_in(item: Item, **evidence: Any) -> list[Finding]:
    return findings(identity, envelope(item), **evidence)


HEALTHY = [
    event(),
    event(sdk={"name": "sentry.python.fastapi", "version": "2.75.0"}),
    changed(event(), exception={"values": [{"type": "E", "mechanism": {"type": "ANR"}}]}, server_name=None),
    event(platform="javascript", server_name=None),
    changed(transaction(span_id="a2"), **{**IDENTITY, "server_name": None}),
    json_item("profile", {**IDENTITY, "transactions": [{"trace_id": TRACE}]}),
    span(),
    log(),
    metric(),
    log(trace_id=OTHER_TRACE, sentry_release=None),
]


@pytest.mark.parametrize("item", HEALTHY, ids=lambda item: item.type)
def test_healthy_items_pass(item: Item) -> None:
    assert found_in(item) == []


BROKEN = [
    ("release", "$.release", event(release=None), "has no release"),
    ("release", "$.release", event(release="game@1"), "'game@1', the service was started with 'game@verification'"),
    ("environment", "$.environment", event(environment="production"), "'production'"),
    ("server-name", "$.server_name", event(server_name=None), "which host"),
    ("platform", "$.platform", event(platform=None), "no platform"),
    ("sdk", "$.sdk", event(sdk=None), "no sdk"),
    ("sdk", "$.sdk", event(sdk={"name": "sentry.python.tornado"}), "no sdk"),
    ("sdk", "$.sdk", event(sdk={"name": "sentry.python", "version": "1.0"}), "in the service runs"),
    ("release", "$.release", changed(transaction(span_id="a2"), **{**IDENTITY, "release": None}), "has no release"),
    ("release", "$.release", json_item("profile", {**IDENTITY, "release": "x"}), "'x'"),
    ("release", "$.items[0].attributes['sentry.release']", span(sentry_release=None), "has no release"),
    ("environment", "$.items[0].attributes['sentry.environment']", log(sentry_environment="e"), "'e'"),
    ("sdk", "$.items[0].attributes['sentry.sdk.name']", metric(sentry_sdk_version=None), "no sdk"),
]


@pytest.mark.parametrize(("aspect", "path", "item", "said"), BROKEN)
def test_what_is_missing_or_differs_is_the_one_finding(aspect: str, path: str, item: Item, said: str) -> None:
    (found,) = found_in(item)

    assert (found.code, found.path, found.service) == (f"identity.{aspect}", path, "game")
    assert said in found.message


def test_the_release_in_the_sampling_context_is_the_triggers() -> None:
    item = envelope(event())
    item.headers["trace"]["release"] = "trigger@verification"

    assert findings(identity, item) == []


def test_the_same_fault_in_many_items_is_said_once() -> None:
    (found,) = findings(identity, envelope(event(release="x")), envelope(span(sentry_release="x")))

    assert "(1 more items alike)" in found.message


def test_each_service_has_its_own_release() -> None:
    assert codes(findings(identity, envelope(event()), project="2")) == ["identity.release"]
    assert findings(identity, envelope(event(release="payment@verification")), project="2") == []


def test_what_the_fleet_did_not_configure_is_not_demanded() -> None:
    assert found_in(event(release=None, environment=None), services={"game": ServiceFacts("game")}) == []
    assert codes(found_in(event(sdk=None), services={})) == ["identity.sdk"]


def test_what_the_real_sdk_sends_is_complete() -> None:
    def act() -> None:
        with sentry_sdk.start_transaction(op="task", name="spin"):
            logger.info("spun")
            sentry_sdk.capture_exception(ValueError("boom"))

    assert of_sdk(identity, act, traces_sample_rate=1.0, enable_logs=True) == []


def session(release: str | None = "game@verification") -> Item:
    return json_item("session", {"sid": "1", "status": "ok", "attrs": {"release": release}})


def aggregate(release: str) -> Item:
    return json_item("sessions", {"aggregates": [{"started": "now", "exited": 1}], "attrs": {"release": release}})


def test_a_run_is_of_one_release() -> None:
    run = [envelope(event()), envelope(span()), envelope(session()), envelope(aggregate("game@verification"))]

    assert run_findings(identity_of_run, *run) == []

    for other in (aggregate("game@2"), event(release="game@2"), span(sentry_release="game@2")):
        (found,) = run_findings(identity_of_run, *run, envelope(other))
        assert (found.code, found.service) == ("identity.several-releases", "game")
        assert "'game@2' and 'game@verification'" in found.message


def test_a_run_is_of_one_environment() -> None:
    run = [envelope(event()), envelope(event(environment="production"))]

    assert codes(run_findings(identity_of_run, *run)) == ["identity.several-environments"]


def test_a_session_needs_a_release() -> None:
    assert codes(run_findings(identity_of_run, envelope(session(None)))) == ["identity.release"]
