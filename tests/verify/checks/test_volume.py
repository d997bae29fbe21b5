from __future__ import annotations

from typing import Any

import pytest

from harness.verify.checks.volume import volume
from harness.verify.settings import InvalidCheckSettings
from harness.wire.envelope import Envelope
from tests.samples import (
    LOG_CONTENT,
    OTHER_TRACE,
    SPAN_CONTENT,
    TRACE,
    child_span,
    container,
    envelope,
    error,
    streamed_span,
    transaction,
)
from tests.verify.checks.capturing import codes, findings, raw


def logs(*traces: str, body: str = "spun") -> Envelope:
    entries = [{"trace_id": trace, "body": body} for trace in traces]
    return envelope(container("log", LOG_CONTENT, *entries), trace_id=None)


SEGMENT = transaction(span_id="a2", spans=[child_span("a3", "a2", "SELECT 1"), child_span("a4", "a2", "SELECT 2")])
STREAMED = [streamed_span("spin", span_id="a5", parent=None), streamed_span("bet", span_id="a6", parent="a5")]
SENT = [
    envelope(error(), raw("attachment", b"x" * 3000)),
    envelope(SEGMENT),
    envelope(container("span", SPAN_CONTENT, *STREAMED)),
    logs(TRACE, OTHER_TRACE, TRACE, OTHER_TRACE),
]


def test_within_the_default_budget_nothing_is_found() -> None:
    assert findings(volume, *SENT) == []


def test_every_event_span_and_entry_of_the_trace_counts() -> None:
    assert findings(volume, *SENT, options={"items": 9}) == []

    (found,) = findings(volume, *SENT, options={"items": 8})

    assert found.code == "volume.items"
    assert "sent 9 items, its budget is 8; most of them are spans (5)" in found.message


def test_bytes_count_and_the_largest_kind_is_named() -> None:
    (found,) = findings(volume, *SENT, options={"kilobytes": 3})

    assert found.code == "volume.bytes"
    assert "most of it is attachment (3 kB)" in found.message


def test_of_a_mixed_batch_only_the_scenarios_share_counts() -> None:
    own, foreign = logs(TRACE, body="x" * 8192), logs(TRACE, *[OTHER_TRACE] * 15, body="x" * 8192)

    assert codes(findings(volume, own, options={"kilobytes": 7})) == ["volume.bytes"]
    assert findings(volume, foreign, options={"kilobytes": 9}) == []


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([envelope(error(value=f"boom {number}")) for number in range(301)], "volume.items"),
        (
            [envelope(error(extra={"dump": "x" * 600_000})), envelope(error(extra={"dump": "x" * 600_000}))],
            "volume.bytes",
        ),
    ],
)
def test_a_flood_exceeds_the_default_budget(sent: list[Envelope], code: str) -> None:
    assert codes(findings(volume, *sent)) == [code]


@pytest.mark.parametrize("options", [{"items": "many"}, {"kilobytes": True}])
def test_a_budget_must_be_a_number(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidCheckSettings, match=r"\[checks.volume\]"):
        findings(volume, *SENT, options=options)
