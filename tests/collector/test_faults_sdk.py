"""What real SDKs, each in a process of its own, make of the faults."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.collector import faults
from harness.collector.faults import Fault
from harness.collector.server import Collector

PAYMENT = Path(__file__).parents[2] / "services" / "payment"
# Without the sessions that Node's SDK sends of its own accord.
NODE = """
import * as Sentry from '@sentry/node';
const integrations = (all) => all.filter((each) => each.name !== 'ProcessSession');
Sentry.init({tracesSampleRate: 1, integrations});
"""
REPORT_TWICE = {
    "python": """
import sentry_sdk
sentry_sdk.init(traces_sample_rate=1.0, default_integrations=False)
for attempt in ("first", "second"):
    with sentry_sdk.start_transaction(name=attempt, op="test"):
        sentry_sdk.capture_exception(ValueError(attempt))
    sentry_sdk.flush(10)
sentry_sdk.flush(10)
""",
    "node": NODE
    + """
for (const attempt of ['first', 'second']) {
  Sentry.startSpan({name: attempt, op: 'test'}, () => Sentry.captureException(new Error(attempt)));
  await Sentry.flush(10000);
}
await Sentry.close(10000);
""",
}
# One thing after the other, so that each error finds the connection that was in use before.
REPORT_IN_TURN = {
    "python": REPORT_TWICE["python"],
    "node": NODE
    + """
Sentry.startSpan({name: 'before', op: 'test'}, () => {});
await Sentry.flush(10000);
for (const attempt of ['first', 'second']) {
  Sentry.captureException(new Error(attempt));
  await Sentry.flush(10000);
}
await Sentry.close(10000);
""",
}
REPORT_AND_END = {
    "python": """
import sentry_sdk, time
from sentry_sdk.integrations.atexit import AtexitIntegration
sentry_sdk.init(default_integrations=False, integrations=[AtexitIntegration(lambda *_: None)])
began = time.monotonic()
sentry_sdk.capture_exception(ValueError("goodbye"))
print(time.monotonic() - began)
""",
    "node": NODE
    + """
const began = performance.now();
Sentry.captureException(new Error('goodbye'));
console.log((performance.now() - began) / 1000);
await Sentry.close(2000);
process.exit();
""",
}


@dataclass(frozen=True)
class Ended:
    code: int
    output: str
    seconds: float


def run(language: str, program: str, dsn: object) -> Ended:
    command = [sys.executable, "-c", program]
    if language == "node":
        command = ["node", "--input-type=module", "--eval", program]
    environment = {**os.environ, "SENTRY_DSN": str(dsn), "NO_PROXY": "127.0.0.1", "SENTRY_RELEASE": "1"}
    began = time.monotonic()
    ended = subprocess.run(
        command, cwd=PAYMENT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    return Ended(ended.returncode, ended.stdout + ended.stderr, time.monotonic() - began)


def sent(collector: Collector) -> Counter[str]:
    arrivals = collector.inbox.arrivals()
    return Counter(item.type for arrival in arrivals if arrival.envelope for item in arrival.envelope.items)


def dropped(collector: Collector) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for arrival in collector.inbox.arrivals():
        for item in arrival.envelope.items if arrival.envelope else ():
            if item.type == "client_report":
                for entry in item.json()["discarded_events"]:
                    found[entry["reason"], entry["category"]] += entry["quantity"]
    return found


def texts_of_events(collector: Collector) -> list[str]:
    return [
        item.json()["exception"]["values"][0]["value"]
        for arrival in collector.inbox.arrivals()
        for item in (arrival.envelope.items if arrival.envelope else ())
        if item.type == "event"
    ]


languages = pytest.mark.parametrize("language", ["python", "node"])


@languages
@pytest.mark.parametrize("status", [429, 200])
def test_a_limit_of_errors_stops_errors_alone(collector: Collector, language: str, status: int) -> None:
    limit = faults.rate_limited("60:error:project", status=status, category="error", requests=1)
    with collector.faults.injected(limit):
        ended = run(language, REPORT_TWICE[language], collector.register("payment"))
    assert ended.code == 0, ended.output
    traced = sent(collector)["transaction"] + sent(collector)["span"]
    assert traced == 2
    assert sent(collector)["event"] == (0 if status == 429 else 1)
    # What the answer refused is Sentry's to count; what was kept back is the SDK's.
    assert dropped(collector)["ratelimit_backoff", "error"] == 1
    (injection,) = collector.faults.injections
    assert injection.quantities["error"] == 1


@languages
def test_a_plain_429_stops_everything(collector: Collector, language: str) -> None:
    with collector.faults.injected(faults.rate_limited(retry_after=60, category="error", requests=1)):
        ended = run(language, REPORT_TWICE[language], collector.register("payment"))
    assert ended.code == 0, ended.output
    assert sent(collector)["event"] == 0
    assert len(collector.faults.injections) == 1


@languages
@pytest.mark.parametrize(
    "fault",
    [
        faults.answer(503),
        faults.answer(413),
        faults.reset(),
        faults.reset(after=1),
        faults.closed(),
        faults.truncated(),
        faults.slow_body(0.5),
        faults.answer(200, content_type="text/html", body="<h1>proxy</h1>"),
    ],
    ids=str,
)
def test_the_process_survives_and_reports_again(collector: Collector, language: str, fault: Fault) -> None:
    with collector.faults.injected(replace(fault, requests=1, category=None if fault.after else "error")):
        ended = run(language, REPORT_IN_TURN[language], collector.register("payment"))
    assert ended.code == 0, ended.output
    # Node's SDK sends again, once, what a connection was cut off with that had been in use; what is cut off by the
    # number of bytes is the span on the new one, and lost. Nothing else is ever sent again.
    is_rescued = language == "node" and fault.kind in ("reset", "closed")
    assert texts_of_events(collector) == (["first", "second"] if fault.keeps or is_rescued else ["second"])
    (injection,) = collector.faults.injections
    arrived = {arrival.envelope.event_id for arrival in collector.inbox.arrivals() if arrival.envelope}
    assert fault.after or (injection.event_id in arrived) == (fault.keeps or is_rescued)
    assert collector.refusals == []


@pytest.mark.parametrize(
    ("language", "status", "reported"),
    [
        ("python", 413, {("send_error", "error"): 1}),
        ("python", 400, {("network_error", "error"): 1}),
        ("python", 503, {("network_error", "error"): 1}),
        ("node", 413, {("send_error", "error"): 1}),
        # A loss that nobody hears of.
        ("node", 400, {}),
        ("node", 503, {}),
    ],
)
def test_what_an_sdk_says_of_a_refusal(
    collector: Collector, language: str, status: int, reported: dict[tuple[str, str], int]
) -> None:
    with collector.faults.injected(faults.answer(status, category="error", requests=1)):
        ended = run(language, REPORT_TWICE[language], collector.register("payment"))
    assert ended.code == 0, ended.output
    assert texts_of_events(collector) == ["second"]
    assert {key: count for key, count in dropped(collector).items() if key[1] == "error"} == reported


@pytest.mark.parametrize(("language", "events"), [("python", ["first", "second"]), ("node", ["first"])])
def test_limits_that_say_nothing(collector: Collector, language: str, events: list[str]) -> None:
    nonsense = faults.rate_limited("soon:::,;", status=200, category="error", requests=1)
    with collector.faults.injected(nonsense):
        ended = run(language, REPORT_TWICE[language], collector.register("payment"))
    assert ended.code == 0, ended.output
    # Python's SDK ignores such a header, Node's is silent for its default of a minute.
    assert texts_of_events(collector) == events


@languages
def test_a_hang_holds_neither_the_application_nor_its_end(collector: Collector, language: str) -> None:
    with collector.faults.injected(faults.hang()):
        ended = run(language, REPORT_AND_END[language], collector.register("payment"))
    assert ended.code == 0, ended.output
    assert float(ended.output.split()[0]) < 1.0
    # Both give a request in flight two seconds at the end.
    assert ended.seconds < 2 + 6
    assert collector.faults.injections[0].items == ("event",)
    assert len(collector.inbox) == 0


@languages
@pytest.mark.parametrize("make", [faults.connection_refused, faults.dns_failure, faults.wrong_certificate])
def test_an_address_that_fails_costs_the_report_alone(
    collector: Collector, language: str, make: Callable[[], Fault]
) -> None:
    ended = run(language, REPORT_AND_END[language], collector.misdirect("payment", make()))
    assert ended.code == 0, ended.output
    assert ended.seconds < 2 + 6
    assert len(collector.inbox) == 0
    assert [injection.fault for injection in collector.faults.injections] == [make()]
