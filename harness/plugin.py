"""The pytest plugin: options, hooks and fixtures, in the order in which pytest meets them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pytest

from harness.fixtures.baseline import UPDATE_OPTION, baseline_lines, baseline_problem, baseline_settings
from harness.fixtures.browser import (
    EXECUTABLE_OPTION,
    _sentry_chromium,
    browser_console,
    browser_problem,
    claim_name,
    sentry_browser,
)
from harness.fixtures.capture import capture, sentry_capture, trigger
from harness.fixtures.checking import failing_findings, noted_findings
from harness.fixtures.comparison import explain_comparison
from harness.fixtures.connection import ATTACH_OPTION, FLEET_OPTION, own_execution, scenarios_of, serve_execution
from harness.fixtures.faults import sentry_faults
from harness.fixtures.fleet import collector, fleet
from harness.fixtures.reporting import JUDGED, keep_results, report_annotations, report_lines, save_report
from harness.fixtures.scenario import scenario_of
from harness.fixtures.selection import is_whole_run, note_deselected
from harness.fleet.platform_names import DEFAULT_PLATFORM, PLATFORMS
from harness.fleet.possible import NotPossible
from harness.run.summary import RunSummary
from harness.run.summary_text import summary_lines
from harness.verify.finding import findings_text

if TYPE_CHECKING:
    from harness.verify.capture import Capture

__all__ = [
    "_sentry_chromium",
    "capture",
    "collector",
    "fleet",
    "sentry_browser",
    "sentry_capture",
    "sentry_faults",
    "trigger",
]

_SUMMARY = pytest.StashKey[RunSummary]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the configuration."""
    group = parser.getgroup("sentry", "Sentry verification")
    group.addoption(
        "--harness-config",
        metavar="FILE",
        default=None,
        help="the fleet's configuration (default: harness.toml in the root directory)",
    )
    group.addoption(
        FLEET_OPTION,
        choices=PLATFORMS,
        default=DEFAULT_PLATFORM,
        help="where the services run: as processes or containers of this run, or already (default: process)",
    )
    group.addoption(
        ATTACH_OPTION,
        metavar="FILE",
        default=None,
        help="with --fleet=attach: the file that says where the services are (default: the configuration)",
    )
    group.addoption(
        "--report",
        dest="sentry_report",
        metavar="DIRECTORY",
        default=None,
        help="where the report of the run is written (default: report in the root directory)",
    )
    group.addoption(
        UPDATE_OPTION,
        action="store_true",
        default=False,
        help="write the baselines of the tests that pass, instead of comparing with them",
    )
    group.addoption(
        EXECUTABLE_OPTION,
        metavar="PROGRAM",
        default=None,
        help="the Chromium that the fixture browser drives (default: $SENTRY_HARNESS_BROWSER, else an installed one)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, keep what tests report, and end the fleet when the run is told to end."""
    keep_results(config, baseline_settings)
    claim_name(config)
    config.addinivalue_line("markers", "allow(code, reason): accept what a check finds; set by @harness.allow")
    config.addinivalue_line("markers", "loosen(path, reason): do not compare one place; set by @harness.loosen")
    config.addinivalue_line(
        "markers", "scenario(service, endpoint, ...): one endpoint, triggered in one trace; set by @harness.scenario"
    )
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        # CI systems cancel with SIGTERM; its default would leave every service running.
        signal.signal(signal.SIGTERM, _interrupt)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the one execution of the run is served."""
    node.workerinput["sentry_harness"] = asdict(serve_execution(node.config))


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remember that this is not the whole run, so that endpoint coverage does not complain."""
    note_deselected(items)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Fire the triggers of everything that was selected, while the first tests are being set up."""
    # pytest gives up after an error of collection; xdist's workers go on.
    goes_on = hasattr(session.config, "workerinput") or session.config.option.continue_on_collection_errors
    if session.config.option.collectonly or (session.testsfailed and not goes_on):
        return
    selected = [scenario for item in session.items if (scenario := scenario_of(item)) is not None]
    if selected:
        scenarios_of(session.config).begin(selected, complete=is_whole_run(session.config))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Skip a test whose fixtures ask for what the platform of ``--fleet`` has not."""
    try:
        return (yield)
    except NotPossible as reason:
        raise _skipped(reason) from None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Hold a scenario's answer against the expected status before its body, its captures against the checks after."""
    # Where it is a failure's only frame, pytest would say instead that all of them are hidden.
    __tracebackhide__ = lambda raised: getattr(raised.value, "pytrace", True)  # noqa: E731 - pytest asks this name
    scenario = scenario_of(pyfuncitem)
    if scenario is not None:
        from harness.verify.answer import status_problem

        captured = pyfuncitem.funcargs.get("capture")
        problem = status_problem(
            cast("Capture", captured), scenario.status, scenario.exit_code, scenario.trigger.service
        )
        if problem:
            pytest.fail(problem, pytrace=False)
    try:
        result = yield
    except NotPossible as reason:
        raise _skipped(reason) from None
    except BaseException:
        # The test's own failure comes first; what the checks saw may explain it.
        if findings := failing_findings(pyfuncitem):
            pyfuncitem.add_report_section("call", "Sentry checks", "\n".join(map(str, findings)))
        if difference := baseline_problem(pyfuncitem, passed=False):
            pyfuncitem.add_report_section("call", "Sentry baseline", difference)
        if console := browser_console(pyfuncitem):
            pyfuncitem.add_report_section("call", "Browser console", console)
        raise
    trouble = browser_problem(pyfuncitem)
    findings = failing_findings(pyfuncitem)
    difference = baseline_problem(pyfuncitem, passed=not findings and not trouble)
    if problems := list(filter(None, [trouble, findings_text(findings) if findings else None, difference])):
        if not trouble:
            pyfuncitem.user_properties.append((JUDGED, "failed"))
        pytest.fail("\n".join(problems), pytrace=False)
    return result


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Print only what differs when a partial dictionary does not fit."""
    return explain_comparison(op, left, right)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """End the fleet and write the report; endpoints without a scenario and checks over the whole run can fail it."""
    execution = own_execution(session.config)
    if execution is None or not execution.started:
        return
    summary = session.config.stash[_SUMMARY] = execution.stop()
    gaps = summary.uncovered and summary.coverage_is_enforced
    if (gaps or summary.errors or summary.died) and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    baseline = baseline_settings(session.config)
    problem = save_report(session.config, execution, summary, baseline, exit_status=int(session.exitstatus))
    if problem and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was verified."""
    summary = config.stash.get(_SUMMARY, None)
    if summary is None:
        return
    terminalreporter.section("Sentry verification")
    reports = [report for listed in terminalreporter.stats.values() for report in listed]
    for line, markup in summary_lines(summary, *noted_findings(reports)):
        terminalreporter.write_line(line, **markup)
    for line, markup in baseline_lines(config, reports, complete=is_whole_run(config)):
        terminalreporter.write_line(line, **markup)
    for line, markup in report_lines(config):
        terminalreporter.write_line(line, **markup)
    for line in report_annotations(config):
        terminalreporter.write_line(line)


def _skipped(reason: NotPossible) -> BaseException:
    # Reported as at the test: where it was asked for is of no interest, and here even less.
    return pytest.skip.Exception(str(reason), _use_item_location=True)


def _interrupt(*_: object) -> NoReturn:
    # Not by raising SIGINT: a shell that starts something in the background lets it ignore that signal.
    raise KeyboardInterrupt
