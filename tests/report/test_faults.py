"""Faults in a report, beside what the SDKs made of them."""

from __future__ import annotations

import json
from dataclasses import replace

from harness.collector import faults
from harness.collector.injecting import Injection
from harness.collector.messages import Request
from harness.report.faults import aftermaths
from harness.report.markdown import summary_markdown
from harness.report.page_assembly import page_parts
from harness.report.report import Report
from tests.report.conftest import MakeRun
from tests.report.test_page import in_chromium, page_of, rendered
from tests.samples import arrival, envelope, error, json_item

FIRST, AGAIN = "1" * 32, "2" * 32


def report_with_faults(make_run: MakeRun) -> Report:
    run = make_run(1)
    request = Request(0.0, "POST", "/api/2/envelope/", "", (), b"{}")
    limit = faults.rate_limited("60:error:key", service="payment#1")
    injections = (
        Injection(2000.0, limit, "payment#1", "7", request, FIRST, ("event",), {"error": 1}),
        Injection(
            2001.0, faults.reset(), "payment#1", "7", request, AGAIN, ("transaction",), {"transaction": 1, "span": 3}
        ),
        Injection(
            2002.0, faults.truncated(), "payment#1", "7", request, "3" * 32, ("event",), {"error": 1}, kept=True
        ),
        Injection(2000.5, faults.dns_failure(), "analytics#1", "8"),
    )
    dropped = {"discarded_events": [{"reason": "ratelimit_backoff", "category": "error", "quantity": 4}]}
    told = len(run.arrivals)
    arrivals = [
        replace(arrival(told, envelope(error(), event_id="9" * 32), "7"), received_at=1999.0),
        replace(arrival(told + 1, envelope(json_item("transaction", {}), event_id=AGAIN), "7"), received_at=2001.5),
        replace(arrival(told + 2, envelope(error(), event_id="3" * 32), "7"), received_at=2002.0),
        replace(arrival(told + 3, envelope(json_item("client_report", dropped)), "7"), received_at=2003.0),
        replace(arrival(told + 4, envelope(json_item("client_report", dropped)), "6"), received_at=2003.0),
    ]
    seen = replace(run.harvest.seen, arrivals=(*run.arrivals, *arrivals), faults=injections)
    run.harvest = replace(run.harvest, seen=seen)
    return run.report()


def test_what_came_of_the_faults_of_each_instance(make_run: MakeRun) -> None:
    report = report_with_faults(make_run)
    payment, analytics = aftermaths(report.record, dict(enumerate(report.arrivals))).values()
    assert (payment.service, len(payment.faults)) == ("payment#1", 3)
    assert payment.lost == {"error": 1, "transaction": 1, "span": 3}
    assert payment.dropped == {"ratelimit_backoff/error": 4}
    assert payment.sent_again == 1
    assert payment.arrived == {"transaction": 1, "event": 1, "client_report": 1}
    assert payment.resumed == {"client_report": 1}
    assert (analytics.service, analytics.arrived, analytics.sent_again) == ("analytics#1", {}, 0)


def test_the_page_and_the_summary_show_them(make_run: MakeRun) -> None:
    report = report_with_faults(make_run)
    page = "".join(page_parts(report.record, report.arrivals))
    overview = page.partition('id="overview">')[2].partition("</script>")[0]
    shown = json.loads(overview)["faults"]
    assert [(of["service"], of["total"]) for of in shown] == [("payment#1", 3), ("analytics#1", 1)]
    assert [fault["text"] for fault in shown[0]["faults"]] == [
        "answered 429, x-sentry-rate-limits: 60:error:key",
        "connection reset",
        "answered by half",
    ]
    assert shown[1]["faults"][0]["items"] is None
    assert "| Faults injected on purpose | 4 |" in summary_markdown(report.record)


@in_chromium
def test_chromium_shows_them_with_the_request_that_they_befell(make_run: MakeRun) -> None:
    run = make_run(2)
    request = Request(50.0, "POST", "/api/2/envelope/", "", (), b"{}")
    lost = Injection(50.0, faults.hang(service="payment#1"), "payment", "2", request, FIRST, ("event",), {"error": 1})
    (scenario, evidence), other = run.harvest.gathered
    gathered = ((scenario, replace(evidence, faults=(lost,))), other)
    run.harvest = replace(run.harvest, gathered=gathered, seen=replace(run.harvest.seen, faults=(lost, lost)))
    page = rendered(page_of(run), "#test-0")
    for shown in (
        "Faults injected on purpose",
        "2 \u00d7 never answered",
        "lost with these requests",
        "2 \u00d7 error",
    ):
        assert shown in page
    assert "Faults injected on purpose" not in rendered(page_of(run), "#test-1")
    assert "Faults injected on purpose (2)" in rendered(page_of(run))
