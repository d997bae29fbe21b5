"""Check: a developer can find the failing line in every reported exception."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from harness.telemetry.events import ErrorEvent, Frame
from harness.telemetry.shape import mapping, sequence
from harness.verify.checks.registry import Subject, check, run_check
from harness.verify.diagnosis import describe
from harness.verify.finding import Finding
from harness.verify.run_subject import RunSubject

# A watchdog looked at the thread from outside: nothing was thrown, and no source is read meanwhile.
_SAMPLED = frozenset({"ANR", "AppHang"})
# Bundlers put a whole program on few lines and shorten its names; no one writes lines of this length.
_MINIFIED_COLUMN = 250
_MINIFIED_NAME = 2


@check("stacktrace-usable")
def stacktrace_usable(subject: Subject) -> Iterator[Finding]:
    """Every reported exception has stack frames, frames of the application among them, and their source."""
    for event in subject.capture.errors:
        yield from _findings(event)


@run_check("stacktrace-usable")
def stacktrace_usable_of_run(subject: RunSubject) -> Iterator[Finding]:
    """Every Node service sends the source of its frames at least now and then.

    A single event proves nothing: the SDK keeps the source of ten files for all events together, so those of deep or
    simultaneous errors come without (``LRU_FILE_CONTENTS_CACHE`` in @sentry/node's ``contextlines``).
    """
    seen: Counter[str | None] = Counter()
    last: dict[str | None, Frame] = {}
    with_source: set[str | None] = set()
    for event in subject.views("event"):
        if not isinstance(event, ErrorEvent) or event.platform != "node":
            continue
        if event.is_message or event.mechanism.type in _SAMPLED:
            continue
        for frame in event.frames:
            if frame.in_app:
                seen[event.service] += 1
                last[event.service] = frame
                if _has_source(frame):
                    with_source.add(event.service)
    for service, frame in last.items():
        if service not in with_source:
            yield Finding(
                code="stacktrace-usable.no-source",
                message=f"none of its {seen[service]} frames of the application has a source line, such as "
                f"{_place(frame)}: keep contextLinesIntegration on, and the sources where the service runs",
                service=service,
            )


def _findings(event: ErrorEvent) -> Iterator[Finding]:
    own = [(index, frame) for index, frame in enumerate(event.frames) if frame.in_app]
    if event.mechanism.type in _SAMPLED and event.frames:
        return
    if not event.frames:
        yield _finding(
            event,
            "no-frames",
            "it has no stack frames: it was created but never thrown, or what was thrown is no exception; capture it "
            "where it is caught",
        )
    elif all(frame.in_app is None for frame in event.frames):
        yield _finding(
            event,
            "unmarked",
            "no frame says whether it is the application's own (in_app): Sentry groups and shows by that; do not "
            "remove it in before_send",
        )
    elif not own:
        yield _finding(
            event,
            "no-in-app",
            "all its frames are of libraries: Sentry can neither point to the application nor group by it; correct "
            "in_app_include, in_app_exclude or project_root, or capture it where the application calls the library",
        )
    elif event.platform == "python" and not _has_source(own[-1][1]):
        yield _finding(
            event,
            "no-source",
            f"its innermost frame of the application, {_place(own[-1][1])}, has no source line: keep the option "
            "include_source_context on, and the sources where the service runs",
            f".stacktrace.frames[{own[-1][0]}].context_line",
        )
    elif (
        event.platform == "javascript"
        and not _has_debug_ids(event.payload)
        and _is_minified([frame for _, frame in own])
    ):
        yield _finding(
            event,
            "minified",
            f"all its frames are minified, such as {_place(own[-1][1])}: upload source maps, and inject debug ids "
            "into the bundle so that Sentry finds them",
        )


def _has_source(frame: Frame) -> bool:
    # Code without a file, such as "<string>", has no source that an SDK could read.
    return frame.context_line is not None or (frame.filename or "").startswith("<")


def _has_debug_ids(payload: dict[str, Any]) -> bool:
    images = sequence(mapping(payload.get("debug_meta")).get("images"))
    return any(mapping(image).get("debug_id") for image in images)


def _is_minified(frames: Sequence[Frame]) -> bool:
    """Whether no frame shows code as it was written: each stands far to the right or in a ``.min.js``, nameless."""
    return all(_is_minified_frame(frame) for frame in frames)


def _is_minified_frame(frame: Frame) -> bool:
    column = frame.raw.get("colno")
    squeezed = isinstance(column, int) and column > _MINIFIED_COLUMN
    shortened = frame.function is None or len(frame.function.rpartition(".")[2]) <= _MINIFIED_NAME
    return shortened and (squeezed or (frame.filename or "").partition("?")[0].endswith(".min.js"))


def _place(frame: Frame) -> str:
    column = frame.raw.get("colno")
    return f"{frame.function or '?'} at {frame.filename}:{frame.lineno}" + (
        f":{column}" if column is not None else ""
    )


def _finding(event: ErrorEvent, detail: str, message: str, place: str = ".stacktrace") -> Finding:
    values = "$.exception" if isinstance(event.payload.get("exception"), list) else "$.exception.values"
    return Finding(
        code=f"stacktrace-usable.{detail}",
        message=message,
        service=event.service,
        item=describe(event),
        path=f"{values}[{len(event.exceptions) - 1}]{place}",
    )
