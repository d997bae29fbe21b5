from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import sentry_sdk

from harness.collector.ingest import Refusal
from harness.verify.checks.nothing_dropped import nothing_dropped, nothing_dropped_in_run
from harness.verify.finding import Finding, Severity
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings, InvalidCheckSettings
from harness.wire.envelope import Envelope
from tests.samples import TRACE, arrival, child_span, envelope, json_item, transaction
from tests.verify.checks.capturing import codes, findings, of_sdk

NODE = "sentry_version=7&sentry_key=k&sentry_client=sentry.javascript.node%2F11.12.0"
PYTHON = "sentry_version=7&sentry_key=k&sentry_client=sentry.python%2F2.75.0"

Dropped = tuple[str, str, int]


def in_run(
    *reports: tuple[Dropped, ...],
    client: str = PYTHON,
    refusals: tuple[Refusal, ...] = (),
    expected: Any = None,
    project: str = "2",
    others: Sequence[Envelope] = (),
) -> list[Finding]:
    arrivals = []
    for number, dropped in enumerate(reports):
        events = [
            {"reason": reason, "category": category, "quantity": quantity} for reason, category, quantity in dropped
        ]
        held = envelope(json_item("client_report", {"timestamp": 1000.0, "discarded_events": events}), trace_id=None)
        arrivals.append(replace(arrival(number, held, project), query=client))
    arrivals += [arrival(len(arrivals) + number, held, project) for number, held in enumerate(others)]
    options = {} if expected is None else {"nothing-dropped": {"expected": expected}}
    subject = RunSubject(
        tuple(arrivals),
        CheckSettings(options=options),
        refusals=refusals,
        services_by_project={"1": "game", "2": "payment"},
        traces=frozenset({TRACE}),
    )
    return list(nothing_dropped_in_run.run(subject))


@pytest.mark.parametrize(
    "reason",
    [
        "before_send",
        "callback_error",
        "queue_overflow",
        "cache_overflow",
        "buffer_overflow",
        "ratelimit_backoff",
        "network_error",
        "send_error",
        "internal_sdk_error",
        "backpressure",
        "sample_rate",
        "something_new",
    ],
)
def test_an_error_that_was_dropped(reason: str) -> None:
    (finding,) = in_run(((reason, "error", 3),))
    assert finding.code == "nothing-dropped." + reason.replace("_", "-")
    assert (finding.service, finding.severity) == ("payment", Severity.ERROR)
    assert f"its SDK dropped 3 x error, reason '{reason}'" in finding.message
    assert finding.path == "$.discarded_events[0]"


def test_the_finding_says_that_the_scenario_is_not_known_but_the_time() -> None:
    (finding,) = in_run((("queue_overflow", "error", 1),))
    assert "not for which of them" in finding.message
    assert finding.item == "client report of 00:16:40 UTC"


@pytest.mark.parametrize(
    ("reason", "category"),
    [
        ("sample_rate", "transaction"),
        ("sample_rate", "span"),
        ("sample_rate", "profile"),
        ("ignored", "span"),
        ("no_parent_span", "span"),
        ("insufficient_data", "profile"),
    ],
)
def test_what_a_project_chose_not_to_send(reason: str, category: str) -> None:
    assert in_run(((reason, category, 3),), client=NODE) == []


def test_dedupe_of_the_python_sdk_is_healthy_and_that_of_javascript_loses_an_error() -> None:
    dropped: Dropped = ("event_processor", "error", 1)
    assert in_run((dropped,), client=PYTHON) == []
    assert in_run((dropped,), client="") == []
    assert codes(in_run((dropped,), client=NODE)) == ["nothing-dropped.event-processor"]


def test_an_event_processor_that_drops_something_else() -> None:
    assert codes(in_run((("event_processor", "transaction", 1),))) == ["nothing-dropped.event-processor"]


def test_an_unfinished_span_is_a_warning() -> None:
    (finding,) = in_run((("invalid", "span", 2),), client=NODE)
    assert (finding.code, finding.severity) == ("nothing-dropped.invalid", Severity.WARNING)


def test_one_reason_of_one_service_is_one_finding_over_the_whole_run() -> None:
    (finding,) = in_run(
        (("before_send", "transaction", 1), ("before_send", "span", 4)), (("before_send", "transaction", 2),)
    )
    assert "4 x span, 3 x transaction" in finding.message


def test_what_a_project_expects() -> None:
    dropped = (("before_send", "transaction", 1), ("before_send", "error", 1))
    (finding,) = in_run(dropped, expected=["before_send/transaction"])
    assert "1 x error" in finding.message
    assert "transaction" not in finding.message


@pytest.mark.parametrize("expected", ["before_send/error", [1], ["before_send"]])
def test_an_expectation_that_cannot_be_read(expected: Any) -> None:
    with pytest.raises(InvalidCheckSettings, match="'reason/category'"):
        in_run((("before_send", "error", 1),), expected=expected)


@pytest.mark.parametrize(("status", "expected"), [(400, []), (503, ["nothing-dropped.send-error"])])
def test_what_was_refused_as_malformed_is_left_to_protocol(status: int, expected: list[str]) -> None:
    refusal = Refusal(1000.0, "POST", "/api/2/envelope/", "", (), b"", status, "malformed", "payment")
    assert codes(in_run((("send_error", "error", 1),), refusals=(refusal,))) == expected


def test_a_scenario_with_a_trace_says_nothing_itself() -> None:
    report = json_item(
        "client_report", {"discarded_events": [{"reason": "before_send", "category": "error", "quantity": 1}]}
    )
    assert findings(nothing_dropped, orphans=(arrival(0, envelope(report, trace_id=None)),)) == []


def capture_twice() -> None:
    for text in ("one", "two"):
        try:
            raise LookupError(text)  # noqa: TRY301 - it is what the SDK is to capture
        except LookupError as problem:
            sentry_sdk.capture_exception(problem)
            sentry_sdk.capture_exception(problem)


def test_a_healthy_real_sdk_dropped_nothing() -> None:
    assert of_sdk(nothing_dropped, capture_twice, default_integrations=True) == []


def drop(event: Any, hint: Any) -> Any:
    return None


def test_before_send_of_the_real_sdk_that_drops() -> None:
    (finding,) = of_sdk(nothing_dropped, capture_twice, before_send=drop)
    assert finding.code == "nothing-dropped.before-send"
    assert "4 x error" in finding.message
    assert "Scenarios share" not in finding.message


def test_before_send_of_the_real_sdk_that_raises() -> None:
    def broken(event: Any, hint: Any) -> Any:
        raise KeyError("request")

    assert codes(of_sdk(nothing_dropped, capture_twice, before_send=broken)) == ["nothing-dropped.callback-error"]


def test_errors_of_the_real_sdk_that_are_sampled_out() -> None:
    assert codes(of_sdk(nothing_dropped, capture_twice, sample_rate=0.0)) == ["nothing-dropped.sample-rate"]


def transaction_of(size: int) -> Envelope:
    children = [child_span(f"{number:016x}", "a" * 16, "GET /x") for number in range(size)]
    return envelope(transaction(span_id="a" * 16, spans=children))


@pytest.mark.parametrize(("size", "lost"), [(0, []), (998, []), (999, ["nothing-dropped.buffer-overflow"])])
def test_open_spans_of_the_python_sdk_are_told_from_too_many(size: int, lost: list[str]) -> None:
    # Its own request to Sentry is open whenever it runs while a transaction ends.
    found = in_run((("buffer_overflow", "span", 1),), others=[transaction_of(size)])
    assert [finding.code for finding in found] == lost


def test_a_full_buffer_of_another_sdk_is_a_loss() -> None:
    found = in_run((("buffer_overflow", "span", 1),), client=NODE)
    assert [finding.code for finding in found] == ["nothing-dropped.buffer-overflow"]
