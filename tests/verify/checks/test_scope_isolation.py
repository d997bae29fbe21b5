from __future__ import annotations

import pytest

from harness.verify.checks.scope_isolation import scope_isolation
from harness.verify.evidence import PageView
from harness.verify.finding import Finding
from harness.wire.envelope import Item
from tests.samples import (
    LOG_CONTENT,
    OTHER_TRACE,
    SPAN_CONTENT,
    TRACE,
    container,
    envelope,
    error,
    streamed_span,
    transaction,
)
from tests.verify.checks.capturing import findings

OWN, FOREIGN = "scn-0123456789abcdef", "scn-fedcba9876543210"


def found(*items: Item, marker: str | None = OWN, **headers: str) -> list[Finding]:
    return findings(scope_isolation, envelope(*items, **headers), marker=marker)


def test_the_scenarios_own_id_may_be_everywhere() -> None:
    crumbs = {"values": [{"message": f"request {OWN}"}]}
    assert (
        found(error(tags={"request_id": OWN}, breadcrumbs=crumbs), transaction(f"GET /{OWN}", span_id="a" * 16)) == []
    )


@pytest.mark.parametrize(
    ("item", "path"),
    [
        (
            error(breadcrumbs={"values": [{"message": "a"}, {"message": f"of {FOREIGN}"}]}),
            "$.breadcrumbs.values[1].message",
        ),
        (error(user={"id": FOREIGN}), "$.user.id"),
        (error(tags={"request_id": FOREIGN}), "$.tags.request_id"),
        (error(value=f"{OWN} failed after {FOREIGN}"), "$.exception.values[0].value"),
        (error(contexts={"state": {FOREIGN: 1}}), f"$.contexts.state.{FOREIGN}"),
        (transaction(span_id="a" * 16, tags={"request_id": FOREIGN}), "$.tags.request_id"),
        (
            container(
                "span", SPAN_CONTENT, streamed_span("x", span_id="a" * 16, parent=None, attributes={"id": FOREIGN})
            ),
            "$.items[0].attributes.id.value",
        ),
        (container("log", LOG_CONTENT, {"trace_id": TRACE, "body": FOREIGN}), "$.items[0].body"),
        (Item(headers={"type": "attachment", "filename": "x"}, payload=FOREIGN.encode()), "payload"),
    ],
)
def test_the_id_of_another_scenario_is_found_wherever_it_is(item: Item, path: str) -> None:
    (finding,) = found(item)
    assert (finding.code, finding.service, finding.path) == ("scope-isolation.foreign", "game", path)
    assert FOREIGN in finding.message
    assert OWN in finding.message


def test_each_foreign_id_is_one_finding_with_all_its_places() -> None:
    (finding,) = found(error(tags={"a": FOREIGN, "b": FOREIGN}))
    assert finding.path == "$.tags.a"
    assert "also at $.tags.b" in finding.message


def test_the_sampling_context_counts_as_well() -> None:
    (finding,) = findings(
        scope_isolation,
        envelope(error(), trace_id=None, trace={"trace_id": TRACE, "transaction": FOREIGN}),
        marker=OWN,
    )
    assert finding.path == "envelope.headers.trace.transaction"


def test_entries_of_another_trace_in_the_same_batch_may_have_its_id() -> None:
    logs = [{"trace_id": OTHER_TRACE, "body": FOREIGN}, {"trace_id": TRACE, "body": OWN}]
    assert found(container("log", LOG_CONTENT, *logs)) == []


def test_a_longer_word_is_no_id() -> None:
    assert found(error(value=f"{FOREIGN}00")) == []


def test_a_capture_without_an_id_is_not_looked_at() -> None:
    assert found(error(tags={"request_id": FOREIGN}), marker=None) == []


def test_a_page_sends_no_id_so_that_any_is_foreign() -> None:
    sent = envelope(error(tags={"request_id": FOREIGN}))
    (finding,) = findings(scope_isolation, sent, page=PageView("http://127.0.0.1:1/"))
    assert finding.code == "scope-isolation.foreign"
    assert findings(scope_isolation, sent) == []
