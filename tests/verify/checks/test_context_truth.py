from __future__ import annotations

from dataclasses import replace
from typing import Any

import psutil
import pytest

from harness.telemetry.resources import ResourceSample
from harness.verify.checks.context_truth import context_truth
from harness.verify.finding import Finding
from harness.verify.settings import InvalidCheckSettings
from harness.wire.envelope import Item
from tests.samples import envelope, error, json_item, transaction
from tests.verify.checks.capturing import FACTS, codes, findings

MIB = 1024 * 1024
AT = 100.25
# As the system saw it, before, at and after the event; the last one too late to count.
SEEN = tuple(
    ResourceSample(at, rss * MIB, cpu, threads)
    for at, rss, cpu, threads in (
        (99.5, 90, 0.0, 8),
        (100.3, 110, 40.0, 12),
        (101.0, 100, 10.0, 9),
        (109.0, 5000, 0, 900),
    )
)
TRUE: dict[str, Any] = {
    "app": {"app_memory": 100 * MIB, "app_start_time": "2026-01-01T00:00:00Z"},
    "runtime_memory": {"rss_mb": 104.5, "vms_mb": 9000, "percent": 0.4},
    "runtime_cpu": {"process_percent": 12.5, "user_s": 4000.0},
    "runtime_threads": {"count": 11, "names": ["MainThread"]},
    "v8_heap": {"used_heap_size": 20 * MIB, "heap_size_limit": 4345298944},
}


def found(
    item: Item, samples: tuple[ResourceSample, ...] = SEEN, options: dict[str, Any] | None = None
) -> list[Finding]:
    services = {"game": replace(FACTS, resources=samples)}
    return findings(context_truth, envelope(item), services=services, options=options)


def with_context(name: str, **held: Any) -> Item:
    return error(timestamp=AT, contexts={name: held})


def test_true_figures() -> None:
    assert found(error(timestamp=AT, contexts=TRUE)) == []
    assert found(json_item("event", {"timestamp": AT, "message": "hi", "contexts": TRUE})) == []


@pytest.mark.parametrize(
    ("context", "key", "value", "code"),
    [
        ("runtime_memory", "rss_mb", 104 * 1024, "memory"),  # KiB
        ("runtime_memory", "rss_mb", 104 * MIB, "memory"),  # bytes
        ("runtime_memory", "rss_mb", 0.1, "memory"),  # GiB
        ("runtime_memory", "rss_mb", 0, "memory"),
        ("app", "app_memory", 104, "memory"),
        ("app", "app_memory", psutil.virtual_memory().total, "memory"),  # the machine's
        ("v8_heap", "used_heap_size", 4345298944, "memory"),  # the heap's limit
        ("runtime_threads", "count", 0, "threads"),
        ("runtime_threads", "count", 900, "threads"),
        ("runtime_cpu", "process_percent", 400, "cpu"),
    ],
)
def test_figures_that_cannot_be(context: str, key: str, value: float, code: str) -> None:
    (finding,) = found(with_context(context, **{key: value}))
    assert (finding.code, finding.service) == (f"context-truth.{code}", "game")
    assert finding.path == f"$.contexts.{context}.{key}"


def test_the_finding_tells_both_figures_in_the_unit_of_the_event() -> None:
    (finding,) = found(with_context("runtime_memory", rss_mb=2048))
    assert (
        "runtime_memory.rss_mb says 2048, but the system saw 90 to 110 then (accepted: 18 to 284)" in finding.message
    )


def test_messages_are_judged_as_errors_are() -> None:
    lie = {"timestamp": AT, "message": "hi", "contexts": {"runtime_threads": {"count": 900}}}
    assert codes(found(json_item("event", lie))) == ["context-truth.threads"]


@pytest.mark.parametrize("value", ["104 MB", True, None])
def test_a_figure_that_is_no_number(value: Any) -> None:
    (finding,) = found(with_context("runtime_memory", rss_mb=value))
    assert (finding.code, finding.path) == ("context-truth.not-a-number", "$.contexts.runtime_memory.rss_mb")


def test_an_idle_figure_of_a_busy_process() -> None:
    busy = tuple(replace(sample, cpu_percent=180.0) for sample in SEEN)
    # What psutil's cpu_percent() gives when it is asked for the first time.
    assert codes(found(with_context("runtime_cpu", process_percent=0.0), busy)) == ["context-truth.cpu"]


def test_a_transaction_is_judged_when_it_ends() -> None:
    trace = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "a" * 16, "op": "http.server"}
    contexts = {"trace": trace, "runtime_memory": {"rss_mb": 99999}}
    assert codes(found(transaction(span_id="a" * 16, contexts=contexts))) == ["context-truth.memory"]


@pytest.mark.parametrize("samples", [(), SEEN[-1:]])
def test_without_a_sample_at_the_time_nothing_is_claimed(samples: tuple[ResourceSample, ...]) -> None:
    assert found(with_context("runtime_memory", rss_mb=99999), samples) == []


def test_an_event_without_time_is_not_judged() -> None:
    assert found(error(contexts={"runtime_memory": {"rss_mb": 99999}})) == []


def test_figures_of_the_project() -> None:
    options = {"figures": {"worker.rss": "rss_kb", "worker.pool": "threads", "runtime_memory.rss_mb": "ignore"}}
    assert found(with_context("worker", rss=104 * 1024, pool=4), options=options) == []
    assert codes(found(with_context("worker", rss=104, pool=4), options=options)) == ["context-truth.memory"]
    assert found(with_context("runtime_memory", rss_mb=99999), options=options) == []


def test_tolerances_of_the_project() -> None:
    claim = with_context("runtime_memory", rss_mb=150)
    assert found(claim) == []
    assert codes(found(claim, options={"highest_share": 1.1, "memory_slack_mb": 0})) == ["context-truth.memory"]
    assert found(with_context("runtime_threads", count=60), options={"thread_slack": 100}) == []
    assert found(with_context("runtime_memory", rss_mb=4000), options={"window_seconds": 10}) == []


@pytest.mark.parametrize(
    "options",
    [{"figures": []}, {"figures": {"rss": "rss_mb"}}, {"figures": {"worker.rss": "mb"}}, {"window_seconds": "1"}],
)
def test_options_that_cannot_be_read(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidCheckSettings, match=r"\[checks.context-truth"):
        found(with_context("runtime_memory", rss_mb=1), options=options)
