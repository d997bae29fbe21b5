"""Check: the SDKs dropped nothing of what they had to send."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from harness.collector.inbox import Arrival
from harness.telemetry.records import ClientReport, Discard
from harness.telemetry.spans import Span
from harness.verify.checks.registry import Subject, check, run_check
from harness.verify.discards import BY_OUTAGE, is_loss, why
from harness.verify.finding import Finding, Severity
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings, InvalidCheckSettings
from harness.wire.auth import AuthError, find_credentials

_NAME = "nothing-dropped"
_SERVER_ERRORS = 500
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
_SHARED = (
    ". Scenarios share their services, so it is known when, but not for which of them: the one that does it shows it "
    "when it runs alone"
)


@dataclass(slots=True)
class _Loss:
    """All that one SDK dropped for one reason."""

    service: str | None
    discard: Discard
    first: ClientReport
    path: str
    quantities: Counter[str] = field(default_factory=Counter)


_OVERFLOW = "buffer_overflow/span"
# The Python SDK's default of `max_spans`; a transaction with all of them has one segment more.
_SPANS_KEPT = 1000


@check(_NAME)
def nothing_dropped(subject: Subject) -> Iterator[Finding]:
    """The SDK of this process dropped nothing; where services are shared, the whole run is looked at instead."""
    if subject.capture.trace_id is None:
        reports = subject.capture.client_reports
        evidence = subject.capture.evidence
        projects = frozenset(fault.project_id for fault in evidence.faults)
        for loss in _losses(reports, evidence.arrivals, subject.settings, subject.capture.spans, projects):
            yield _finding(loss, "")


@run_check(_NAME, expected=list)
def nothing_dropped_in_run(subject: RunSubject) -> Iterator[Finding]:
    """No service's SDK dropped anything during the run, but for what was made to fail on purpose."""
    refused = {refusal.service for refusal in subject.refusals if refusal.status < _SERVER_ERRORS}
    spans = (view for view in subject.views("transaction") if isinstance(view, Span))
    reports = subject.outside.client_reports
    projects = frozenset(fault.project_id for fault in subject.faults)
    for loss in _losses(reports, subject.arrivals, subject.settings, spans, projects):
        # What is malformed is reported by the check `protocol`, with the reason that the SDK does not know.
        if loss.discard.reason != "send_error" or loss.service not in refused:
            yield _finding(loss, _SHARED)


def _losses(
    reports: Iterable[ClientReport],
    arrivals: Iterable[Arrival],
    settings: CheckSettings,
    spans: Iterable[Span],
    faulty_projects: frozenset[str],
) -> Iterable[_Loss]:
    senders = {arrival.number: arrival for arrival in arrivals}
    expected = _expected(settings)
    # Most runs need none of them, and those of a whole run are many.
    overflowing = cache(lambda: _overflowing(spans))
    losses: dict[tuple[str | None, str], _Loss] = {}
    for report in reports:
        sdk = _sdk(senders.get(report.origin.number))
        for index, discard in enumerate(report.discarded):
            if report.origin.project_id in faulty_projects and discard.reason in BY_OUTAGE:
                continue
            kind = f"{discard.reason}/{discard.category}"
            if kind == _OVERFLOW and (sdk or "").startswith("sentry.python") and report.service not in overflowing():
                continue
            if is_loss(discard, sdk) and kind not in expected:
                path = f"$.discarded_events[{index}]"
                loss = losses.setdefault(
                    (report.service, discard.reason), _Loss(report.service, discard, report, path)
                )
                loss.quantities[discard.category] += discard.quantity
    return losses.values()


def _overflowing(spans: Iterable[Span]) -> frozenset[str | None]:
    """Services that sent a transaction with as many spans as the Python SDK keeps.

    That SDK reports spans that are still open when their transaction ends under the same reason as those beyond its
    limit, and its own request to Sentry is such a span whenever it runs at that moment (``Transaction.finish``).
    """
    sizes = Counter((span.service, span.origin.number) for span in spans if span.form == "transaction")
    return frozenset(service for (service, _), size in sizes.items() if size >= _SPANS_KEPT)


def _sdk(sender: Arrival | None) -> str | None:
    if sender is None:
        return None
    try:
        return find_credentials(sender.headers, sender.query).client
    except AuthError:
        return None


def _expected(settings: CheckSettings) -> frozenset[str]:
    expected = settings.options.get(_NAME, {}).get("expected", [])
    if not isinstance(expected, list) or not all(isinstance(entry, str) and "/" in entry for entry in expected):
        raise InvalidCheckSettings(
            f"[checks.{_NAME}] expected must be a list of 'reason/category' such as 'before_send/transaction', "
            f"not {expected!r}"
        )
    return frozenset(expected)


def _finding(loss: _Loss, ending: str) -> Finding:
    what = ", ".join(f"{quantity} x {category}" for category, quantity in sorted(loss.quantities.items()))
    reason = loss.discard.reason
    return Finding(
        code=f"{_NAME}.{_NOT_A_WORD.sub('-', reason.lower()).strip('-') or 'unknown'}",
        message=f"its SDK dropped {what}, reason {reason!r}: {why(loss.discard)}{ending}",
        # A span that was open when its segment ended is lost by the way the application is written.
        severity=Severity.WARNING if reason == "invalid" else Severity.ERROR,
        service=loss.service,
        item=f"client report of {_clock(loss.first.origin.received_at)}",
        path=loss.path,
    )


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")
