"""Check: one failure is one report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from harness.telemetry.events import ErrorEvent, ExceptionValue, Frame
from harness.verify.capture import Capture
from harness.verify.checks.registry import Subject, check
from harness.verify.diagnosis import describe
from harness.verify.finding import Finding

# A shorter text is found in another message by chance.
_SHORTEST_QUOTE = 8


@dataclass(frozen=True, slots=True)
class _Failure:
    """What makes two reports tell of the same exception in one service: what was raised, and where.

    Only the innermost frame of the application counts, because the outer ones depend on where it was caught.
    """

    type: str | None
    value: str | None
    place: tuple[str | None, str | None, int | None]


@check("reported-once")
def reported_once(subject: Subject) -> Iterator[Finding]:
    """No failure of a request is reported twice: not in one service, not again by the services that called it."""
    capture = subject.capture
    yield from _same_id(capture)
    yield from _within_services(capture)
    yield from _logged_too(capture)
    yield from _across_services(capture)


def _same_id(capture: Capture) -> Iterator[Finding]:
    # An SDK that gets no proper answer may well send again what had been taken.
    sent_again = {fault.event_id for fault in capture.faults}
    seen: set[tuple[str | None, str]] = set()
    for event in (*capture.errors, *capture.messages):
        if event.event_id is None or event.event_id in sent_again:
            continue
        if (event.service, event.event_id) in seen:
            yield Finding(
                code="reported-once.same-event",
                message=f"the event {event.event_id} was sent more than once: Sentry keeps the first and counts the "
                "others as invalid. Send an event by one transport only, and never again after it was accepted",
                service=event.service,
                item=describe(event),
                path="$.event_id",
            )
        seen.add((event.service, event.event_id))


def _within_services(capture: Capture) -> Iterator[Finding]:
    for first, again in combinations(_distinct(capture.errors), 2):
        if first.service != again.service or not _tell_of_the_same(first, again):
            continue
        if bool(first.logger) != bool(again.logger):
            logged, captured = (first, again) if first.logger else (again, first)
            yield _logged(logged, captured, path="$.logger")
            continue
        yield Finding(
            code="reported-once.duplicate",
            message=f"the same exception was reported already as event {first.event_id} ({_how(first)}): one failure "
            "counts and alerts twice. Report it where it is handled, or let it rise to the framework's integration, "
            "not both",
            service=again.service,
            item=describe(again),
            path=_shown_exception(again),
        )


def _logged_too(capture: Capture) -> Iterator[Finding]:
    for message in capture.messages:
        for error in capture.errors:
            if message.service == error.service and message.logger and _quotes(message.message or "", error):
                yield _logged(message, error, path="$.logentry")
                break


def _logged(logged: ErrorEvent, captured: ErrorEvent, path: str) -> Finding:
    return Finding(
        code="reported-once.logged-too",
        message=f"logger {logged.logger!r} reports an exception that is captured by itself, as event "
        f"{captured.event_id} ({_how(captured)}): one failure makes two issues. Log it below level error, take the "
        "logger out of the logging integration (ignore_logger), or do not capture it",
        service=logged.service,
        item=describe(logged),
        path=path,
    )


def _across_services(capture: Capture) -> Iterator[Finding]:
    trace = capture.trace
    paths = {id(event): trace.path_to(event) for event in capture.errors}
    for caller in capture.errors:
        for called in capture.errors:
            way, further = paths[id(caller)], paths[id(called)]
            if caller.service == called.service or further[: len(way)] != way:
                continue
            if _repeats(caller, called):
                yield Finding(
                    code="reported-once.re-reported",
                    message=f"it reports anew what {called.service} has reported as event {called.event_id} "
                    f"({called.title}): every hop that does so makes one more issue of one failure. Answer with a "
                    "fitting status and leave the report to the service where it happened; the trace shows the rest",
                    service=caller.service,
                    item=describe(caller),
                    path=_shown_exception(caller),
                )
                break


def _distinct(errors: tuple[ErrorEvent, ...]) -> list[ErrorEvent]:
    by_id: dict[object, ErrorEvent] = {}
    for event in errors:
        by_id.setdefault((event.service, event.event_id) if event.event_id else id(event), event)
    return list(by_id.values())


def _tell_of_the_same(first: ErrorEvent, again: ErrorEvent) -> bool:
    # One may be the other's cause: reported by itself, and again inside the exception that was raised from it.
    return _failures(first)[-1] in _failures(again) or _failures(again)[-1] in _failures(first)


def _failures(event: ErrorEvent) -> list[_Failure]:
    return [
        _Failure(exception.type, exception.value, _place(exception))
        for exception in event.exceptions
        if not exception.mechanism.synthetic
    ]


def _place(exception: ExceptionValue) -> tuple[str | None, str | None, int | None]:
    own: list[Frame] = [frame for frame in exception.frames if frame.in_app]
    innermost = (own or list(exception.frames))[-1:]
    for frame in innermost:
        return frame.module or frame.filename, frame.function, frame.lineno
    return None, None, None


def _repeats(caller: ErrorEvent, called: ErrorEvent) -> bool:
    value = called.value or ""
    if called.type == caller.type and value == (caller.value or "") and value:
        return True
    return any(_has_quote(exception.value or "", value) for exception in caller.exceptions)


def _quotes(message: str, error: ErrorEvent) -> bool:
    value = error.value or ""
    return _has_quote(message, value) or bool(value and value in message and error.type and error.type in message)


def _has_quote(text: str, quoted: str) -> bool:
    return len(quoted) >= _SHORTEST_QUOTE and quoted in text


def _how(event: ErrorEvent) -> str:
    return event.mechanism.type or event.logger or "no mechanism"


def _shown_exception(event: ErrorEvent) -> str:
    return f"$.exception.values[{len(event.exceptions) - 1}]"
