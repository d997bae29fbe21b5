"""Check: the figures that an event gives of its process are true."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.telemetry.events import ErrorEvent
from harness.telemetry.resources import ResourceSample
from harness.telemetry.shape import mapping, number
from harness.telemetry.spans import Span
from harness.verify.checks.registry import Subject, check
from harness.verify.diagnosis import describe
from harness.verify.finding import Finding
from harness.verify.settings import CheckSettings, InvalidCheckSettings

_NAME = "context-truth"
_KIB, _MIB = 1024, 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Measure:
    """A figure that can be held against what the system saw.

    Args:
        topic: ``memory``, ``threads`` or ``cpu``; the detail of the finding's code.
        unit: how many bytes, threads or percent of one core a unit of the figure is.
        is_share: it is a part of what the system saw, so it can only be too high.
    """

    topic: str
    unit: float = 1
    is_share: bool = False


_MEASURES = {
    "rss_bytes": _Measure("memory"),
    "rss_kb": _Measure("memory", _KIB),
    "rss_mb": _Measure("memory", _MIB),
    "heap_bytes": _Measure("memory", is_share=True),
    "heap_mb": _Measure("memory", _MIB, is_share=True),
    "threads": _Measure("threads"),
    "cpu_percent": _Measure("cpu"),
}

_RECOGNISED = {
    "app.app_memory": "rss_bytes",  # develop.sentry.dev, "App Context"; Node: process.memoryUsage().rss
    "runtime_memory.rss_mb": "rss_mb",
    "runtime_threads.count": "threads",
    "runtime_cpu.process_percent": "cpu_percent",
    "v8_heap.used_heap_size": "heap_bytes",
}
"""Contexts that are recognised without being configured, and what each gives."""


@dataclass(frozen=True, slots=True)
class _Tolerance:
    """How far a figure may be from what the system saw.

    The system is asked ten times a second and sees the whole process tree, an event speaks of one process at one
    moment. So the bounds only catch what is wrong by its nature: another unit, a constant, a figure of the machine or
    of another process.
    """

    window: float
    lowest_share: float
    highest_share: float
    memory_slack: float
    thread_slack: float
    cpu_slack: float


@check(
    _NAME,
    window_seconds=float,
    lowest_share=float,
    highest_share=float,
    memory_slack_mb=float,
    thread_slack=float,
    cpu_slack_percent=float,
    figures=dict,
)
def context_truth(subject: Subject) -> Iterator[Finding]:
    """Memory, thread and CPU figures in contexts agree with what the operating system saw of the service."""
    recognised = _recognised(subject.settings)
    tolerance = _tolerance(subject.settings)
    for item in _items(subject):
        samples = _near(subject.capture.resources.get(item.service or "", ()), _moment(item), tolerance.window)
        for place, measure in recognised.items():
            context, _, key = place.partition(".")
            held = mapping(item.contexts.get(context))
            if key in held:
                yield from _judge(item, place, held[key], measure, samples, tolerance)


def _items(subject: Subject) -> Iterator[ErrorEvent | Span]:
    yield from subject.capture.errors
    yield from subject.capture.messages
    yield from (span for span in subject.capture.spans if span.contexts)


def _judge(
    item: ErrorEvent | Span,
    place: str,
    claimed: object,
    measure: _Measure,
    samples: Sequence[ResourceSample],
    tolerance: _Tolerance,
) -> Iterator[Finding]:
    figure = number(claimed)
    if figure is None:
        yield _finding("not-a-number", item, place, f"{place} is {claimed!r}, not a number: nobody can chart it")
        return
    if not samples:
        return
    seen = [_SEEN[measure.topic](sample) for sample in samples]
    low, high = _bounds(measure, seen, tolerance)
    if not low <= figure * measure.unit <= high:
        yield _finding(
            measure.topic,
            item,
            place,
            f"{place} says {figure:g}, but the system saw {min(seen) / measure.unit:g} to "
            f"{max(seen) / measure.unit:g} then (accepted: {low / measure.unit:g} to {high / measure.unit:g}): is it "
            "another unit, a constant, or a figure of something else than this process?",
        )


_SEEN: Mapping[str, Callable[[ResourceSample], float]] = {
    "memory": lambda sample: sample.rss_bytes,
    "threads": lambda sample: sample.threads,
    "cpu": lambda sample: sample.cpu_percent,
}


def _bounds(measure: _Measure, seen: Sequence[float], tolerance: _Tolerance) -> tuple[float, float]:
    match measure.topic:
        case "memory":
            low = 0 if measure.is_share else min(seen) * tolerance.lowest_share
            return low, max(seen) * tolerance.highest_share + tolerance.memory_slack * _MIB
        case "threads":
            # Runtimes that only know their own threads count fewer than the system; there is always one.
            return 1, max(seen) * tolerance.highest_share + tolerance.thread_slack
        case _:
            return min(seen) - tolerance.cpu_slack, max(seen) + tolerance.cpu_slack


def _near(samples: Sequence[ResourceSample], moment: float | None, window: float) -> list[ResourceSample]:
    if moment is None:
        return []
    return [sample for sample in samples if abs(sample.at - moment) <= window]


def _moment(item: ErrorEvent | Span) -> float | None:
    return item.timestamp if isinstance(item, ErrorEvent) else item.end


def _finding(detail: str, item: ErrorEvent | Span, place: str, message: str) -> Finding:
    return Finding(
        code=f"{_NAME}.{detail}",
        message=message,
        service=item.service,
        item=describe(item),
        path=f"$.contexts.{place}",
    )


def _tolerance(settings: CheckSettings) -> _Tolerance:
    def option(name: str, default: float) -> float:
        return settings.option(_NAME, name, default)

    return _Tolerance(
        window=option("window_seconds", 1.0),
        lowest_share=option("lowest_share", 0.2),
        highest_share=option("highest_share", 2.0),
        memory_slack=option("memory_slack_mb", 64),
        thread_slack=option("thread_slack", 16),
        cpu_slack=option("cpu_slack_percent", 100),
    )


def _recognised(settings: CheckSettings) -> dict[str, _Measure]:
    configured: Any = settings.options.get(_NAME, {}).get("figures", {})
    if not isinstance(configured, dict):
        raise InvalidCheckSettings(f"[checks.{_NAME}.figures] must be a table of 'context.key' = measure")
    for place, name in configured.items():
        if "." not in place or name not in (*_MEASURES, "ignore"):
            raise InvalidCheckSettings(
                f"[checks.{_NAME}.figures] {place!r} = {name!r}: write 'context.key' = one of "
                f"{', '.join(_MEASURES)}, or ignore"
            )
    places: dict[str, str] = {**_RECOGNISED, **configured}
    return {place: _MEASURES[name] for place, name in places.items() if name != "ignore"}
