"""Check: what the client was answered and what was reported tell the same story."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http import HTTPStatus

from harness.telemetry.events import ErrorEvent
from harness.verify.capture import Capture
from harness.verify.checks.registry import Subject, check
from harness.verify.diagnosis import describe, speaks_of
from harness.verify.finding import Finding

_SERIOUS = frozenset({"error", "fatal"})


@check("response-consistent")
def response_consistent(subject: Subject) -> Iterator[Finding]:
    """A server error in the answer has an error event, and an unhandled error has an answer that admits it."""
    capture = subject.capture
    response = capture.evidence.response
    if response is None:
        if capture.evidence.problem is not None and not capture.evidence.exit_expected:
            yield Finding(
                code="response-consistent.no-answer",
                message=f"the request got no answer: {capture.evidence.problem}. What is missing then proves nothing",
                service=capture.evidence.target,
            )
        return
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        yield from _unreported(capture, response.status)
    elif response.status < HTTPStatus.BAD_REQUEST:
        yield from _unanswered(capture, response.status)


def _unreported(capture: Capture, status: int) -> Iterator[Finding]:
    target = capture.evidence.target
    if capture.evidence.lacks_on_purpose("error"):
        return
    if capture.errors or target not in capture.trace.services or _was_reported_elsewhere(capture):
        # Where the trace does not lead, trace-connected says so; one cause is one finding.
        return
    said = [message for message in capture.messages if message.level in _SERIOUS]
    if said:
        yield Finding(
            code="response-consistent.only-message",
            message=f"the answer was {status}, but all that was reported is a message: without an exception Sentry "
            "shows neither type nor cause and groups it by its text. Capture the exception itself",
            service=said[0].service,
            item=describe(said[0]),
            path="$.exception",
        )
    else:
        yield Finding(
            code="response-consistent.unreported",
            message=f"the answer was {status}, but no service reported an error: it is swallowed where it is caught, "
            "dropped by before_send, an event processor or an ignore rule, or the framework's integration is off",
            service=target,
        )


def _was_reported_elsewhere(capture: Capture) -> bool:
    # Other scenarios' lost errors may be among these: what speaks of another endpoint is not this scenario's. What
    # speaks of none, as the errors of threads and tasks, may be.
    path = capture.evidence.title.rpartition(" ")[2].partition("?")[0]
    return any(
        speaks_of(event, path)
        or (event.service == capture.evidence.target and not event.request and not event.transaction)
        for event in capture.orphans.events
    )


def _unanswered(capture: Capture, status: int) -> Iterator[Finding]:
    trace = capture.trace
    for event in capture.errors:
        if capture.evidence.page and event.service == capture.evidence.entry:
            # A page's own error says nothing of the answer that it got.
            continue
        is_crash = event.handled is False and event.level in _SERIOUS
        if is_crash and not _is_behind(capture.evidence.target, trace.path_to(event)):
            yield Finding(
                code="response-consistent.error-on-success",
                message=f"an unhandled error was reported, but the answer was {status}: either the client was told "
                "that all is well while something failed, or the error is handled and must be reported as such "
                "(mechanism.handled true, or a level below error)",
                service=event.service,
                item=describe(event),
                path=_mechanism(event),
            )


def _is_behind(target: str, path: Sequence[str]) -> bool:
    # A service that the target calls may fail, and the target cope with it: the answer is the target's own.
    return target in path[:-1]


def _mechanism(event: ErrorEvent) -> str:
    return f"$.exception.values[{len(event.exceptions) - 1}].mechanism"
