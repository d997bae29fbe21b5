from __future__ import annotations

from harness.report.markdown import summary_markdown
from harness.report.record import DifferenceRecord, Outcome
from tests.report.conftest import MakeRun, finding


def test_the_verdict_comes_first_and_failures_say_why(make_run: MakeRun) -> None:
    run = make_run(3, tests={1: {"outcome": Outcome.FAILED, "message": "def test():\nE   no tag\n"}})
    text = summary_markdown(run.record(exit_status=1))
    assert text.startswith("## ❌ Sentry verification\n\n1 of 3 tests failed.\n")
    assert "| payment GET /debug/1 | test\\_pay.py:2 | failed | no tag |" in text
    assert "| Tests | 1 failed, 2 passed |" in text
    assert "* no scenario triggers payment GET /debug/never" in text


def test_differences_are_told_by_service(make_run: MakeRun) -> None:
    lost = DifferenceRecord("lost", "$.errors[0].tags.tenant", "acme")
    gained = DifferenceRecord("gained", "$.errors[0].tags.x", None, {"a": 1})
    text = summary_markdown(make_run(2, tests={0: {"differences": (lost, gained)}}).record())
    assert "**payment**: 1 lost, 1 gained" in text
    assert '| lost | payment GET /debug/0 | $.errors\\[0\\].tags.tenant | "acme" |  |' in text


def test_warnings_are_counted_once_for_each_wording(make_run: MakeRun) -> None:
    warned = {number: {"findings": (finding("attributes.old", severity="warning"),)} for number in range(3)}
    text = summary_markdown(make_run(3, tests=warned).record())
    assert "3 warnings that fail nothing" in text
    assert "* `attributes.old` payment: a secret leaks (3 times)" in text


def test_a_fleet_that_did_not_start_is_the_headline(make_run: MakeRun) -> None:
    run = make_run(0)
    run.summary = type(run.summary)(scenarios=0, envelopes=0, failure="shop: no licence\nits log: <b>")
    text = summary_markdown(run.record(exit_status=1))
    assert "The fleet did not start, so nothing was verified.\n\n    shop: no licence\n    its log: <b>" in text


def test_hostile_text_does_nothing(make_run: MakeRun) -> None:
    hostile = "x | y\n\n# h <img src=x> [a](javascript:b) @everyone https://evil.example `c`"
    run = make_run(1, tests={0: {"outcome": Outcome.FAILED, "message": hostile}})
    text = summary_markdown(run.record(exit_status=1))
    (row,) = [line for line in text.splitlines() if "| failed |" in line]
    assert row.endswith("| x \\| y |")
    allowed = finding(message=hostile, severity="warning")
    text = summary_markdown(make_run(1, tests={0: {"findings": (allowed,)}}).record())
    assert "\\<img src=x\\> \\[a\\]\\(javascript:b\\) \\@everyone" in text
    assert "https://" not in text


def test_why_is_told_by_what_checks_and_baselines_found(make_run: MakeRun) -> None:
    lost = tuple(DifferenceRecord("lost", f"$.events[{number}]") for number in range(3))
    failed = {
        "outcome": Outcome.FAILED,
        "message": "the test passed, but:",
        "findings": (finding(),),
        "differences": lost,
    }
    text = summary_markdown(make_run(1, tests={0: failed}).record(exit_status=1))
    assert "\\[secrets.known\\] a secret leaks; lost $.events\\[0\\]; lost $.events\\[1\\]; and 1 more" in text
    own = {**failed, "own_outcome": Outcome.FAILED, "message": "E   assert 1 == 2"}
    assert "assert 1 == 2" in summary_markdown(make_run(1, tests={0: own}).record(exit_status=1))


def test_telemetry_cannot_turn_the_direction_of_the_text(make_run: MakeRun) -> None:
    failed = {"outcome": Outcome.FAILED, "own_outcome": Outcome.FAILED, "message": "E   \u202egib"}
    text = summary_markdown(make_run(1, tests={0: failed}).record(exit_status=1))
    assert "\u202e" not in text
    assert "u202egib" in text
