from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk

from harness.verify import relay
from harness.verify.checks.accepted_by_sentry import accepted_by_sentry
from harness.verify.finding import Finding, Severity
from tests.samples import OTHER_TRACE, child_span, envelope, error, json_item, transaction
from tests.verify.checks.capturing import IDENTITY, changed, codes, findings, of_sdk

if not relay.is_available():
    pytest.skip("sentry-relay is not installed here", allow_module_level=True)

SEGMENT = "00000000000000a2"
SPAN = child_span("00000000000000a3", SEGMENT, "SELECT 1", trace_id="0af7651916cd43dd8448eb211c80319c")


def of_event(**payload: Any) -> list[Finding]:
    return findings(accepted_by_sentry, envelope(error(**{**IDENTITY, **payload})))


def of_transaction(**payload: Any) -> list[Finding]:
    item = changed(transaction(span_id=SEGMENT), **{**IDENTITY, **payload})
    return findings(accepted_by_sentry, envelope(item))


def test_what_relay_merely_rearranges_passes() -> None:
    request = {
        "url": "http://game/spin?bet=5",
        "method": "get",
        "headers": {"b": "2", "A": "1"},
        "cookies": {"session": "1"},
        "env": {"REMOTE_ADDR": "127.0.0.1"},
    }
    assert (
        of_event(tags={"game": "slots", "bet": 5}, request=request, message="spun", user={"id": 5, "plan": "gold"})
        == []
    )
    assert of_event(breadcrumbs=[{"timestamp": 100.0, "level": "info", "message": "bet placed"}], release=None) == []
    assert of_transaction(spans=[SPAN], measurements={"fcp": {"value": 1, "unit": "second"}}) == []


def test_what_the_real_sdk_sends_passes() -> None:
    def act() -> None:
        sentry_sdk.set_user({"id": "1", "email": "a@example.com"})
        sentry_sdk.set_context("round", {"bet": 5, "reels": [1, 2, {"symbol": "cherry"}]})
        sentry_sdk.add_breadcrumb(category="game", message="bet placed", level="info")
        with sentry_sdk.start_transaction(op="task", name="spin"), sentry_sdk.start_span(op="db", name="SELECT 1"):
            sentry_sdk.capture_message("spun")
            try:
                _ = 1 / 0
            except ZeroDivisionError as problem:
                sentry_sdk.capture_exception(problem)

    assert of_sdk(accepted_by_sentry, act, traces_sample_rate=1.0, release="game@1.0") == []


def test_what_an_sdk_shortened_itself_is_not_sentrys_doing() -> None:
    meta = {"extra": {"dump": {"": {"len": 5000, "rem": [["!limit", "x", 10, 20]]}}}}

    assert of_event(extra={"dump": "cut"}, _meta=meta) == []


def test_what_the_sdk_took_out_itself_is_not_missed() -> None:
    assert of_event(request={"url": "http://game/spin", "cookies": "[Filtered]"}) == []
    assert codes(of_event(request={"url": "http://game/spin", "cookies": "anna"})) == ["accepted-by-sentry.removed"]


REMOVED = [
    ({"level": "warn"}, "$.level", "invalid level"),
    ({"release": "latest"}, "$.release", "'latest'"),
    ({"environment": "a/b"}, "$.environment", "'a/b'"),
    ({"dist": "d" * 65}, "$.dist", "value too long"),
    ({"timestamp": "yesterday"}, "$.timestamp", "invalid characters"),
    ({"timestamp": 1795476521290.0}, "$.timestamp", "out of range"),
    ({"foo": 1}, "$.foo", "invalid attribute"),
    ({"tags": {"game": {"name": "slots"}}}, "$.tags.game", "expected a primitive value"),
    ({"tags": {"game": ""}}, "$.tags.game", "expected a non-empty value"),
    ({"tags": {"game": "a\nb"}}, "$.tags.game", "invalid character"),
    ({"tags": {"größe": "1"}}, "$.tags", "größe"),
    ({"tags": [["game", {"name": "slots"}]]}, "$.tags[0][1]", "expected a primitive value"),
    ({"contexts": {"round": "5"}}, "$.contexts.round", "expected an object"),
    ({"user": {"ip_address": "here"}}, "$.user.ip_address", "expected an ip address"),
    ({"user": "bob"}, "$.user", "expected user"),
    ({"fingerprint": "abc"}, "$.fingerprint", "expected an array"),
    ({"message": {"a": 1}}, "$.message", "no message present"),
    ({"request": {"method": "GET IT"}}, "$.request.method", "GET IT"),
    ({"breadcrumbs": [{"level": "silly"}]}, "$.breadcrumbs[0].level", "invalid level"),
    ({"breadcrumbs": {"values": [{"level": "silly"}]}}, "$.breadcrumbs.values[0].level", "invalid level"),
    ({"exception": [{}]}, "$.exception[0]", "type or value"),
    (
        {"exception": {"values": [{"type": "E", "stacktrace": {"frames": [{"function": "f", "lineno": "x"}]}}]}},
        "$.exception.values[0].stacktrace.frames[0].lineno",
        "expected an unsigned integer",
    ),
]


@pytest.mark.parametrize(("payload", "path", "said"), REMOVED)
def test_what_relay_removes_is_found_with_its_reason(payload: dict[str, Any], path: str, said: str) -> None:
    (found,) = of_event(**payload)

    assert (found.code, found.path, found.severity) == ("accepted-by-sentry.removed", path, Severity.ERROR)
    assert said in found.message
    assert found.item is not None
    assert "ValueError: boom" in found.item or "exception" in payload or "message" in payload


@pytest.mark.parametrize(
    ("payload", "path", "size"),
    [
        ({"tags": {"game": "x" * 300}}, "$.tags.game", 300),
        ({"tags": {"x" * 300: "slots"}}, "$.tags", 300),
        ({"contexts": {"dump": {"all": "x" * 20000}}}, "$.contexts.dump.all", 20000),
        ({"extra": {"dump": "x" * 20000}}, "$.extra.dump", 20000),
        ({"message": "x" * 20000}, "$.message", 20000),
        ({"transaction": "x" * 300}, "$.transaction", 300),
        ({"server_name": "x" * 300}, "$.server_name", 300),
    ],
)
def test_what_relay_shortens_is_found_with_its_size(payload: dict[str, Any], path: str, size: int) -> None:
    (found,) = of_event(**payload)

    assert (found.code, found.path, found.severity) == ("accepted-by-sentry.shortened", path, Severity.ERROR)
    assert f"{size} characters" in found.message


def stack(*frames: dict[str, Any]) -> dict[str, Any]:
    return {"values": [{"type": "E", "value": "v", "stacktrace": {"frames": list(frames)}}]}


def test_a_deep_stack_is_cut_by_design_which_is_a_warning() -> None:
    (found,) = of_event(exception=stack(*[{"function": "f", "lineno": 1, "filename": "a.py"}] * 400))

    assert (found.code, found.severity) == ("accepted-by-sentry.shortened-stack", Severity.WARNING)
    assert found.path == "$.exception.values[0].stacktrace.frames"


def test_a_long_request_is_a_warning() -> None:
    (found,) = of_event(request={"data": {f"field{number}": "x" * 100 for number in range(1000)}})

    assert (found.code, found.severity) == ("accepted-by-sentry.shortened-request", Severity.WARNING)


def test_long_local_variables_and_many_packages_are_everyday() -> None:
    board = {"row": ["x" * 5000, {"cell": list(range(500))}]}
    packages = {f"package-{number}": "1.0.0" for number in range(1000)}

    assert of_event(exception=stack({"function": "f", "vars": {"board": board}}), modules=packages) == []


def test_what_is_cut_inside_of_what_is_cut_is_one_finding() -> None:
    (found,) = of_event(contexts={"dump": {"rows": [{"row": "x" * 1000}] * 100}})

    assert found.code == "accepted-by-sentry.shortened"
    assert found.path == "$.contexts.dump.rows"
    assert "1 more like it" in found.message


def test_an_unknown_platform_is_replaced() -> None:
    (found,) = of_event(platform="klingon")

    assert (found.code, found.path) == ("accepted-by-sentry.replaced", "$.platform")
    assert "klingon" in found.message


def test_many_alike_are_one_finding() -> None:
    (found,) = of_event(breadcrumbs=[{"level": "silly"}] * 30)

    assert found.path == "$.breadcrumbs[0].level"
    assert "29 more like it" in found.message


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"start_timestamp": None}, "start_timestamp hard-required"),
        ({"contexts": {}}, "missing valid trace context"),
        ({"spans": [{**SPAN, "span_id": None}]}, "span is missing span_id"),
        ({"timestamp": -5.0, "start_timestamp": -6.0}, "too stale"),
    ],
)
def test_a_transaction_that_relay_drops_is_found_with_its_reason(payload: dict[str, Any], said: str) -> None:
    (found,) = of_transaction(**payload)

    assert found.code == "accepted-by-sentry.rejected"
    assert said in found.message
    assert "\n" not in found.message


def test_a_transaction_is_also_looked_into() -> None:
    assert [(found.code, found.path) for found in of_transaction(spans=[{**SPAN, "status": "weird"}])] == [
        ("accepted-by-sentry.removed", "$.spans[0].status")
    ]


def test_identifiers_in_a_name_made_of_a_url_are_grouped_and_not_lost() -> None:
    named = {"transaction": "http://127.0.0.1:34927/no-such-page", "transaction_info": {"source": "url"}}
    assert of_transaction(**named) == []
    long = {"transaction": "x" * 300, "transaction_info": {"source": "url"}}
    assert [found.code for found in of_transaction(**long)] == ["accepted-by-sentry.shortened"]


def test_that_a_span_ends_before_it_begins_is_left_to_the_check_that_names_it() -> None:
    assert of_transaction(spans=[{**SPAN, "timestamp": 100.0}]) == []


def test_events_of_other_traces_and_broken_ones_are_not_looked_at() -> None:
    broken = json_item("event", [1])

    assert findings(accepted_by_sentry, envelope(error(level="warn", trace_id=OTHER_TRACE)), envelope(broken)) == []
    assert codes(findings(accepted_by_sentry, envelope(error(level="warn")))) == ["accepted-by-sentry.removed"]


@pytest.fixture
def without_relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "sentry_relay.processing", None)
    relay._normalizer.cache_clear()
    yield
    relay._normalizer.cache_clear()


@pytest.mark.usefixtures("without_relay")
def test_without_the_package_nothing_is_found_and_nothing_fails() -> None:
    assert not relay.is_available()
    assert of_event(level="warn") == []
