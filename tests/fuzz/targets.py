"""What must hold for any bytes whatever: no error but the one that is promised, and nothing lost."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from rich.console import Console

from harness.collector.inbox import Inbox, Receipt
from harness.collector.server import Collector
from harness.run.live_view import print_new
from harness.telemetry.origin import Origin
from harness.telemetry.reading import read_envelope
from harness.telemetry.routing import trace_ids
from harness.verify.baseline.differences import compare
from harness.verify.baseline.normalising import normalise
from harness.verify.capture import Capture
from harness.verify.checks.registry import judge, judge_run
from harness.verify.evidence import Evidence, Response, ServiceFacts
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings
from harness.wire import (
    AuthError,
    Baggage,
    CorruptBody,
    Dsn,
    DynamicSamplingContext,
    Envelope,
    InvalidDsn,
    InvalidSamplingContext,
    InvalidSentryTrace,
    MalformedEnvelope,
    MalformedPayload,
    SentryTrace,
    decode_body,
    find_credentials,
    format_rate_limits,
    parse_rate_limits,
    parse_retry_after,
)
from harness.wire.encoding import BodyTooLarge
from tests.fuzz.choices import Choices
from tests.fuzz.envelopes import varied
from tests.fuzz.reporting import report
from tests.fuzz.requests import request

TRACE = "0af7651916cd43dd8448eb211c80319c"
_ENCODINGS = ("gzip", "deflate", "br", "zstd")
_LIMIT = 1024 * 1024


def envelope(data: bytes) -> None:
    """The parser: an envelope or its one error; written back byte for byte, and the same when written anew."""
    for encoding in _ENCODINGS:
        with suppress(CorruptBody, BodyTooLarge):
            assert len(decode_body(data, encoding, limit=_LIMIT)) <= _LIMIT
    parsed = _parse_or_refusal(data)
    if isinstance(parsed, MalformedEnvelope):
        assert 0 <= parsed.offset <= len(data)
        assert str(parsed)
        return
    assert parsed.serialize() == data
    made = Envelope(parsed.headers, parsed.items)
    again = Envelope.parse(made.serialize())
    assert again.headers == parsed.headers
    assert [(item.type, item.payload) for item in again.items] == [(item.type, item.payload) for item in parsed.items]
    trace_ids(parsed)
    for view in read_envelope(parsed, Origin()):
        _touch(view)
    for item in parsed.items:
        with suppress(MalformedPayload):
            # Whatever is read can be written as JSON that everybody reads.
            json.dumps(item.json(), allow_nan=False)


def headers(data: bytes) -> None:
    """Everything that comes as text in a header: read or refused by its own error, and the same when written anew."""
    text = data.decode("latin-1")
    with suppress(InvalidSentryTrace):
        trace = SentryTrace.parse(text)
        assert SentryTrace.parse(str(trace)) == trace
    with suppress(InvalidDsn):
        dsn = Dsn.parse(text)
        assert Dsn.parse(str(dsn)) == dsn
        assert dsn.envelope_url
    baggage = Baggage.parse(text)
    assert Baggage.parse(str(baggage)) == baggage
    assert len(baggage.sentry) + len(baggage.third_party) <= len(baggage.members)
    with suppress(InvalidSamplingContext):
        context = DynamicSamplingContext.from_baggage(baggage)
        assert DynamicSamplingContext.from_baggage(context.to_baggage()) == context
    first, _, rest = text.partition("\n")
    for held in ([("x-sentry-auth", first)], [("authorization", first)], []):
        with suppress(AuthError):
            credentials = find_credentials(held, rest)
            assert credentials.public_key
    limits = parse_rate_limits(text)
    assert parse_rate_limits(format_rate_limits(limits)) == limits
    assert parse_retry_after(text, now=0.0) >= 0


def views(data: bytes) -> None:
    """Views, checks, baselines and what is shown: whatever a service sends is evidence and never an error."""
    choices = Choices(data)
    inbox = Inbox(memory=choices.below(2) * _LIMIT)
    for number in range(choices.below(2) + 1):
        body = varied(choices).serialize()
        inbox.add(Receipt(1000.0 + number, str(1 + number), "key", "envelope", (("a", "b"),), "", None, body))
    arrivals = tuple(inbox.arrivals())
    for arrival in arrivals:
        assert arrival.envelope is not None
        assert all(isinstance(found, str) for found in trace_ids(arrival.envelope))
    inbox.for_trace(TRACE)
    projects = {"1": "shop", "2": "bank"}
    facts = {name: ServiceFacts(name, sdk="sentry.python/2.75.0", url=f"http://{name}") for name in projects.values()}
    answer = Response(500, {"content-type": "application/json"}, b'{"error": 1}', 12.0, "http://shop/debug")
    capture = Capture(
        Evidence(
            "shop GET /debug",
            "shop",
            trace_id=TRACE,
            span_id="b7ad6b7169203331",
            response=answer,
            arrivals=arrivals,
            orphans=arrivals,
            services=facts,
            services_by_project=projects,
            secrets={"a key": "4111111111111111"},
        )
    )
    _touch(capture)
    str(capture.trace)
    capture.explain("errors", {}, [])
    settings = CheckSettings()
    verdict = judge(capture, settings)
    run = RunSubject(arrivals, settings, (), projects, frozenset(), (("a key", "4111111111111111"),))
    verdict_of_run = judge_run(run)
    for finding in (*verdict.findings, *verdict_of_run.findings):
        assert str(finding)
    shape = normalise(capture)
    assert compare(shape, json.loads(json.dumps(shape)), []) == []
    _show(inbox)


def _parse_or_refusal(data: bytes) -> Envelope | MalformedEnvelope:
    try:
        return Envelope.parse(data)
    except MalformedEnvelope as error:
        return error


def _show(inbox: Inbox) -> None:
    print_new(Collector(inbox=inbox), Console(file=io.StringIO(), width=80), 0, 0, 0)


def _touch(view: object) -> None:
    """Ask for every property of a view, and of the views in it."""
    pending, seen = [view], 0
    while pending and seen < 500:
        held = pending.pop()
        seen += 1
        for name, attribute in vars(type(held)).items():
            if not name.startswith("_") and isinstance(attribute, property) and name not in ("page", "response"):
                try:
                    value = getattr(held, name)
                except (CorruptBody, BodyTooLarge):
                    # What is promised of a recording.
                    assert name == "recorded"
                    continue
                several = value if isinstance(value, tuple) else (value,)
                pending += [each for each in several if _is_view(each)]
        repr(held)


def _is_view(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type) and "telemetry" in type(value).__module__


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "envelope": envelope,
    "headers": headers,
    "report": report,
    "request": request,
    "views": views,
}
