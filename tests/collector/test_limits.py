from __future__ import annotations

import pytest

from harness.collector.limits import check_item_limits
from harness.collector.messages import Refused
from harness.wire.envelope import Envelope, Item
from tests.samples import LOG_CONTENT, METRIC_CONTENT, SPAN_CONTENT

MIB = 1024 * 1024


def item(kind: str, size: int = 2, **headers: object) -> Item:
    return Item({"type": kind, **headers}, b"x" * size)


@pytest.mark.parametrize(
    "items",
    [
        [item("event", MIB)],
        [item("event"), item("attachment", 3 * MIB), item("attachment", 3 * MIB)],
        [item("transaction"), item("profile", 2 * MIB)],
        [item("log", 3 * MIB, item_count=3, content_type=LOG_CONTENT)],
        [item("span", 2 * MIB, item_count=2, content_type=SPAN_CONTENT)],
        [item("span", MIB), item("span", MIB)],
        [item("session")] * 100,
        [item("client_report", 4096)] * 3,
        [item("check_in", 100 * 1024)],
        [item("replay_event"), item("replay_recording", 10 * MIB)],
        [item("a_type_of_the_future", 5 * MIB)] * 2,
        [],
    ],
)
def test_within_limits(items: list[Item]) -> None:
    check_item_limits(Envelope({}, items))


@pytest.mark.parametrize(
    ("items", "kind", "cause"),
    [
        ([item("event", MIB + 1)], "event", "1048577 bytes, at most 1048576"),
        ([item("event"), item("transaction")], "transaction", "1 of group 'event'"),
        ([item("feedback"), item("event")], "event", "1 of group 'event'"),
        ([item("profile"), item("profile_chunk")], "profile_chunk", "1 of group 'profile'"),
        ([item("profile_chunk", 50 * MIB + 1)], "profile_chunk", "at most 52428800"),
        ([item("session")] * 100 + [item("sessions")], "sessions", "100 of group 'session'"),
        ([item("client_report", 4097)], "client_report", "at most 4096"),
        ([item("check_in", 100 * 1024 + 1)], "check_in", "at most 102400"),
        ([item("replay_video", 10 * MIB + 1)], "replay_video", "at most 10485760"),
        ([item("span", MIB + 1)], "span", "at most 1048576"),
        ([item("span", content_type=SPAN_CONTENT, item_count=1)] * 2, "span", "1 of group 'span container'"),
        ([item("log", 3 * MIB, item_count=2, content_type=LOG_CONTENT)], "log", "1572864 bytes"),
        ([item("trace_metric", item_count=1, content_type=METRIC_CONTENT)] * 2, "trace_metric", "group 'metric'"),
    ],
)
def test_beyond_limits(items: list[Item], kind: str, cause: str) -> None:
    with pytest.raises(Refused) as refused:
        check_item_limits(Envelope({}, items))
    assert refused.value.status == 413
    assert refused.value.detail == f"envelope exceeded size limits for type '{kind}'"
    assert cause in str(refused.value.cause)
