"""``index.html``: one file with everything in it, that asks nothing of any server."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from harness.collector.inbox import Arrival
from harness.report.captured import CaptureRecord, Sample
from harness.report.details import Seen, shown_aftermath, test_details, trace_of
from harness.report.faults import Aftermath, aftermaths
from harness.report.record import RunRecord, TestRecord
from harness.report.spreading import spread
from harness.report.wording import headline, why

_SCRIPTS = (
    "elements.js",
    "reading.js",
    "overview.js",
    "waterfall.js",
    "events.js",
    "faults.js",
    "details.js",
    "listing.js",
    "main.js",
)
_LISTED = 200


def page_parts(record: RunRecord, arrivals: Iterable[Arrival]) -> Iterator[str]:
    """The page of a run, in parts to be written one after the other.

    What the browser needs to list a test is readable JSON; everything else about it is compressed, and unpacked when
    somebody opens it. Nothing of it is HTML: the page's own script makes text nodes of it, and the page's policy lets
    no other script run.

    Args:
        record: the run.
        arrivals: everything that arrived.
    """
    seen = Seen(record, arrivals)
    after = aftermaths(record, seen.arrivals)
    captures = {capture.id: capture for capture in record.captures}

    def shown(number: int) -> tuple[dict[str, Any], str]:
        test = record.tests[number]
        own = [captures[trace_id] for trace_id in test.captures]
        return _row(test, own, seen), embedded_details(number, test_details(test, own, record, seen, after)) + "\n"

    rows: list[dict[str, Any]] = []
    details: list[str] = []
    for row, embedded in spread(shown, range(len(record.tests))):
        rows.append(row)
        details.append(embedded)
    script = "(() => {\n'use strict';\n" + "\n".join(map(_source, _SCRIPTS)) + "\n})();"
    parts = {
        "{{policy}}": [_policy(script)],
        "{{style}}": [_source("style.css")],
        "{{overview}}": [_script_safe({**_overview(record), "faults": _faults(after.values()), "rows": rows})],
        "{{details}}": details,
        "{{script}}": [script],
    }
    page = _source("page.html")
    # Each placeholder once and in order: what is filled in is never searched for placeholders itself.
    for placeholder, value in parts.items():
        before, _, page = page.partition(placeholder)
        yield before
        yield from value
    yield page


def _source(name: str) -> str:
    return files("harness.report").joinpath("page", name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; base-uri 'none'"
    )


def _script_safe(value: Any) -> str:
    # In a script element only these can end it or hide its end; in JSON they occur in strings alone.
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def embedded_details(number: int, details: Mapping[str, Any]) -> str:
    """The details of a test, packed, as an element of the page.

    Args:
        number: position of the test.
        details: what `test_details` made of it.
    """
    try:
        text = json.dumps(details, separators=(",", ":"), sort_keys=True)
    except RecursionError:
        # What a service nests that deeply is read from its envelope; the rest of the page is none the worse.
        text = json.dumps({**details, "captures": [], "unshown": "something in it is nested too deeply to be shown"})
    packed = zlib.compress(text.encode())
    return f'<script type="text/plain" id="details-{number}">{base64.b64encode(packed).decode()}</script>'


def _overview(record: RunRecord) -> dict[str, Any]:
    weights = Counter(
        "allowed" if finding.allowed else "error" if finding.fails else "warning" for finding in record.all_findings
    )
    return {
        "passed": record.passed,
        "headline": headline(record),
        "failure": record.failure,
        "notes": record.notes,
        "compared_with": record.compared_with,
        "created": record.created_at,
        "harness": record.harness,
        "tests": dict(record.tests_by_outcome),
        "timing": dict(record.timing),
        "items": dict(record.items),
        "envelopes": len(record.envelopes),
        "bytes": sum(held.wire_size for held in record.envelopes),
        "findings": dict(weights),
        "differences": dict(Counter(held.kind for test in record.tests for held in test.differences)),
        "coverage": [asdict(of) for of in record.coverage],
        "enforced": record.coverage_is_enforced,
        "lost": record.lost[:_LISTED],
        "lost_total": len(record.lost),
        "refusals": record.refused_telemetry[:_LISTED],
        "refusals_total": len(record.refused_telemetry),
        "died": record.died,
        "run_allowed": record.allowed[:_LISTED],
        "run_allowed_total": len(record.allowed),
        "run_findings": [asdict(finding) for finding in record.findings],
        "services": _services(record),
    }


def _faults(after: Collection[Aftermath]) -> list[dict[str, Any]]:
    return [shown_aftermath(came) for came in list(after)[:_LISTED]]


def _services(record: RunRecord) -> list[dict[str, Any]]:
    known: dict[str, dict[str, Any]] = {}
    for capture in record.captures:
        for name, facts in capture.services.items():
            service = known.setdefault(name, {"name": name, "sdk": None, "release": facts.release})
            service["sdk"] = service["sdk"] or facts.sdk
    for name, service in known.items():
        sent = [held for held in record.envelopes if held.service == name]
        # The instance that ran longest is the one that all scenarios share.
        samples = max((held.samples for held in record.resources if held.service == name), key=len, default=())
        service["envelopes"] = len(sent)
        service["items"] = dict(Counter(kind for held in sent for kind in held.items))
        service["samples"] = _thinned(samples)
        service["scenarios"] = sum(capture.service == name for capture in record.captures)
    return [known[name] for name in sorted(known)]


def _thinned(samples: tuple[Sample, ...], most: int = 240) -> list[Sample]:
    # Peaks are what such a chart is looked at for, so of each group the largest remains.
    size = -(-len(samples) // most) or 1
    return [max(samples[at : at + size], key=lambda sample: sample[1]) for at in range(0, len(samples), size)]


def _row(test: TestRecord, captures: list[CaptureRecord], seen: Seen) -> dict[str, Any]:
    first = captures[0] if captures else None
    traces = [trace_of(capture, seen) for capture in captures]
    return {
        "id": test.id,
        "file": test.file,
        "line": test.line,
        "outcome": str(test.outcome),
        "seconds": round(test.seconds, 3),
        "title": first.title if first else test.id.split("::", 1)[-1],
        "service": first.service if first else None,
        "status": first.response.status if first and first.response else None,
        "ms": round(first.response.elapsed_ms) if first and first.response else None,
        "services": list(dict.fromkeys(name for trace in traces for name in trace.services)),
        "spans": sum(len(trace.spans) for trace in traces),
        "events": [event.title[:200] for trace in traces for event in trace.events][:20],
        "errors": sum(finding.fails for finding in test.findings),
        "warnings": sum(not finding.fails and not finding.allowed for finding in test.findings),
        "allowed": sum(finding.allowed is not None for finding in test.findings),
        "codes": sorted({finding.code for finding in test.findings}),
        "differences": dict(Counter(difference.kind for difference in test.differences)),
        "why": why(test)[:300],
    }
