"""Nothing bleeds: what one request does never shows in another's events."""

from __future__ import annotations

from itertools import pairwise

import pytest

from harness.fixtures.capture import TriggerFixture

USERS = ["alice", "bob", "carol", "dave"]


@pytest.mark.parametrize("service", ["gateway", "game-engine", "analytics", "payment"])
def test_simultaneous_requests_keep_user_and_breadcrumbs_apart(trigger: TriggerFixture, service: str) -> None:
    requests = [
        trigger.request(service, "GET /debug/crash", params={"hold_ms": 400}, headers={"X-Debug-User": user})
        for user in USERS
    ]
    captures = trigger.together(*requests)
    spans = []
    for user, capture in zip(USERS, captures, strict=True):
        error = capture.error(service=service)
        assert error.user["id"] == user
        assert {crumb.data["user_id"] for crumb in error.breadcrumbs if "user_id" in crumb.data} == {user}
        assert error.trace_id == capture.trace_id
        assert not any(other in str(error.payload) for other in USERS if other != user)
        spans.append(capture.trace.segment(service))
    # Some were under way at the same time: otherwise this would prove nothing.
    spans.sort(key=lambda span: span.start or 0)
    assert any((later.start or 0) < (earlier.end or 0) for earlier, later in pairwise(spans))
    assert len({error_id for capture in captures for error_id in [capture.error().event_id]}) == len(USERS)
