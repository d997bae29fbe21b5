"""What every event of the platform must tell: the shapes that the scenarios compare with."""

from __future__ import annotations

from typing import Any

from dirty_equals import IsInt, IsList, IsNumber, IsPartialDict, IsStr

from harness.telemetry.events import ErrorEvent
from harness.verify.capture import Capture

MEGABYTE = 1024 * 1024


def runtime_contexts(framework: str) -> IsPartialDict:
    """The contexts that every service adds, with values that a living process can have."""
    return IsPartialDict(
        runtime_memory={
            "rss_mb": IsNumber(gt=10, lt=4096),
            "vms_mb": IsNumber(gt=10),
            "percent": IsNumber(gt=0, lt=100),
        },
        runtime_cpu=IsPartialDict(user_s=IsNumber(gt=0), system_s=IsNumber(ge=0), system_count=IsInt(ge=1)),
        runtime_threads={"count": IsInt(ge=1, lt=200), "names": IsList(length=(1, 20))},
        runtime_versions=IsPartialDict(
            {framework: IsStr(regex=r"\d+\.\d+.*"), "sentry_sdk": IsStr(regex=r"\d+\.\d+.*")}
        ),
    )


def node_contexts() -> IsPartialDict:
    """What Node knows about itself beyond that: V8's heap and the delay of the event loop."""
    return IsPartialDict(
        v8_heap=IsPartialDict(
            used_heap_size=IsInt(gt=1_000_000),
            total_heap_size=IsInt(gt=1_000_000),
            heap_size_limit=IsInt(gt=10_000_000),
        ),
        event_loop=IsPartialDict(
            delay_mean_ms=IsNumber(ge=0), delay_max_ms=IsNumber(ge=0), delay_p99_ms=IsNumber(ge=0)
        ),
        runtime=IsPartialDict(name="node"),
    )


def check_sender(capture: Capture, event: ErrorEvent, service: str, endpoint: str, **tags: Any) -> None:
    """An event says who sent it, for whom, from which release, and hangs in the trace below the gateway."""
    assert event.service == service
    assert event.release == capture.facts(service).release
    assert event.environment == "verification"
    request = {"request_id": capture.evidence.marker}
    assert event.tags == IsPartialDict({"service": service, "debug.scenario": endpoint, **request, **tags})
    assert event.breadcrumbs[0].data == IsPartialDict(request)
    assert event.user == IsPartialDict(id=f"debug-{service}-user", username=f"debug-{service}")
    assert event.trace_id == capture.trace_id
    way = ["gateway"] if service == "gateway" else ["gateway", service]
    assert capture.trace.path_to(event) == way
    assert capture.trace.unlinked == []


def check_breadcrumbs(event: ErrorEvent, *categories: str) -> None:
    """Breadcrumbs tell the story in order, and name the user that it is about."""
    assert [crumb.category for crumb in event.breadcrumbs] == list(categories)
    users = {crumb.data["user_id"] for crumb in event.breadcrumbs if "user_id" in crumb.data}
    assert users == {event.user["id"]}


def check_memory(capture: Capture, event: ErrorEvent) -> None:
    """The memory that an event claims is the memory that the system saw."""
    seen = [sample.rss_bytes / MEGABYTE for sample in capture.resources[event.service or ""]]
    claimed = event.contexts["runtime_memory"]["rss_mb"]
    # A process allocates between two looks at it; three quarters to one and a half is the same process.
    assert min(seen) * 0.75 <= claimed <= max(seen) * 1.5


def milliseconds(at_least: float, at_most: float = 30_000) -> IsNumber:
    """A duration within bounds that hold on a busy machine too."""
    return IsNumber(ge=at_least, le=at_most)
