"""Captures for tests of checks: from envelopes made by hand, and from the real Python SDK in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import sentry_sdk

from harness.collector.inbox import Inbox
from harness.collector.ingest import Refusal
from harness.collector.transport import InProcessTransport
from harness.verify.capture import Capture
from harness.verify.checks.registry import Check, RunCheck, Subject
from harness.verify.evidence import Evidence, ServiceFacts
from harness.verify.finding import Finding
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings
from harness.wire.envelope import Envelope, Item
from tests.samples import TRACE, TRIGGER_SPAN, arrival

PROJECTS = {"1": "game", "2": "payment"}
SDK = {"name": "sentry.python.tornado", "version": "2.75.0"}
FACTS = ServiceFacts(
    "game",
    state="flushed",
    sdk="sentry.python.tornado/2.75.0",
    release="game@verification",
    environment="verification",
)
IDENTITY: dict[str, Any] = {
    "release": "game@verification",
    "environment": "verification",
    "platform": "python",
    "server_name": "host-1",
    "sdk": SDK,
}


def findings(
    check: Check,
    *sent: Envelope,
    project: str = "1",
    options: Mapping[str, Any] | None = None,
    received_at: float | None = None,
    **evidence: Any,
) -> list[Finding]:
    """What a check finds in envelopes that one service sent in the trace of the samples."""
    arrivals = [arrival(number, held, project) for number, held in enumerate(sent)]
    if received_at is not None:
        arrivals = [replace(held, received_at=received_at) for held in arrivals]
    record = Evidence(
        title="game GET /debug/spin",
        target="game",
        trace_id=TRACE,
        span_id=TRIGGER_SPAN,
        arrivals=tuple(arrivals),
        services={"game": FACTS, "payment": replace(FACTS, name="payment", release="payment@verification")},
        services_by_project=PROJECTS,
    )
    settings = CheckSettings(options={check.name: options or {}})
    return list(check.run(Subject(Capture(replace(record, **evidence)), settings)))


def run_findings(check: RunCheck, *sent: Envelope, refusals: tuple[Refusal, ...] = ()) -> list[Finding]:
    """What a run check finds in envelopes that one service sent."""
    arrivals = tuple(arrival(number, held) for number, held in enumerate(sent))
    subject = RunSubject(arrivals, CheckSettings(), refusals, PROJECTS, frozenset({TRACE}))
    return list(check.run(subject))


def of_sdk(check: Check, act: Callable[[], object], **options: Any) -> list[Finding]:
    """What a check finds in what the real SDK sends when `act` is called; without a scenario, so of all traces."""
    inbox = Inbox()
    before = sentry_sdk.get_client()
    with sentry_sdk.isolation_scope(), sentry_sdk.new_scope():
        sentry_sdk.init(**{"transport": InProcessTransport(inbox), "default_integrations": False, **options})
        try:
            act()
            sentry_sdk.get_client().close()
        finally:
            sentry_sdk.get_global_scope().set_client(before)
    record = Evidence(
        title="this process",
        target="this process",
        trace_id=None,
        arrivals=tuple(inbox.arrivals()),
        services_by_project={"1": "this process"},
    )
    return list(check.run(Subject(Capture(record), CheckSettings())))


def codes(found: list[Finding]) -> list[str]:
    return [finding.code for finding in found]


def raw(kind: str, payload: bytes, **headers: Any) -> Item:
    return Item(headers={"type": kind, **headers}, payload=payload)


def changed(item: Item, **payload: Any) -> Item:
    """The item with other members in its payload; None removes one."""
    held = {**json.loads(item.payload), **payload}
    held = {key: value for key, value in held.items() if value is not None}
    return Item(headers=item.headers, payload=json.dumps(held).encode())
