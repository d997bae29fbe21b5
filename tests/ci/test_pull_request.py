"""The gate as a pull request meets it: a copy of the checkout with a change in a service, against main's report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
COPIED = (".debug-access", "conftest.py", "harness.toml", "pytest.ini", "scenarios", "services")
SCENARIOS = "scenarios/test_payment.py"
CRASHES = "services/payment/src/debug/crashes.mjs"
HEADERS = "services/gateway/gateway/headers.py"
INSTRUMENTATION = "services/gateway/gateway/instrumentation.py"


@dataclass(frozen=True)
class Branch:
    """A checkout of the reference system."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> Branch:
        for name in COPIED:
            source = CHECKOUT / name
            if source.is_file():
                shutil.copy(source, root / name)
            else:
                shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        for modules in CHECKOUT.glob("services/*/node_modules"):
            (root / modules.relative_to(CHECKOUT)).symlink_to(modules)
        return cls(root)

    def change(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def verify(self, *arguments: str) -> int:
        """`pytest` as a CI job runs it; gives its exit code."""
        return self._run("pytest", SCENARIOS, "-q", "-p", "no:cacheprovider", *arguments).returncode

    def gate(self, reference: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """`sentry-harness diff` of this branch's report against another one's."""
        return self._run("harness.cli", "diff", str(reference), "report", "--report", "diff", *options)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CI": "true", "PYTHONPATH": str(CHECKOUT)}
        environment |= {"GITHUB_STEP_SUMMARY": str(self.root / "step-summary.md")}
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


@pytest.fixture(scope="module")
def main_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    main = Branch.at(tmp_path_factory.mktemp("main"))
    assert main.verify() == 0
    return main.root / "report"


@pytest.fixture
def pull_request(tmp_path: Path) -> Branch:
    return Branch.at(tmp_path)


def regressions(branch: Branch) -> dict[str, list[tuple[str, str]]]:
    record: dict[str, Any] = json.loads((branch.root / "diff" / "run.json").read_text())
    return {
        test["id"].split("::")[1]: [(held["kind"], held["path"]) for held in test["differences"]]
        for test in record["tests"]
        if test["outcome"] == "failed"
    }


def test_a_change_without_effect_passes(pull_request: Branch, main_report: Path) -> None:
    pull_request.change(CRASHES, "tags: { currency", "tags:  { currency")
    assert pull_request.verify() == 0
    gate = pull_request.gate(main_report)
    assert (gate.returncode, gate.stderr) == (0, "")
    assert "No regression" in gate.stdout


def test_a_lost_tag_fails_the_gate_until_its_baseline_accepts_it(pull_request: Branch, main_report: Path) -> None:
    pull_request.change(CRASHES, 'tags: { currency: "EUR" },', "tags: {},")
    assert pull_request.verify() == 1
    gate = pull_request.gate(main_report)
    assert gate.returncode == 1
    found = regressions(pull_request)
    assert found["test_stack_overflow"] == [("lost", "$.events[0].tags.currency")]
    assert "test_type_error" not in found
    assert 'lost     $.events[0].tags.currency: it was "EUR"' in gate.stdout
    summary = (pull_request.root / "diff" / "summary.md").read_text()
    assert "### Differences from the reference run" in summary
    assert "**payment**: 4 lost" in summary
    assert summary.strip() in (pull_request.root / "step-summary.md").read_text()
    page = (pull_request.root / "diff" / "index.html").read_text()
    assert "regressed against the reference run" in page

    # The reviewer agrees: the expectation and the baselines are part of the change.
    pull_request.change(SCENARIOS, '"crash", currency="EUR")', '"crash")')
    pull_request.verify("--update-baselines")
    assert pull_request.verify() == 0
    assert pull_request.gate(main_report).returncode == 1
    accepted = pull_request.gate(main_report, "--accept-baselines")
    assert accepted.returncode == 0
    assert "4 lost against the reference run: the committed baseline has it so" in accepted.stdout


def test_a_trace_that_the_gateway_cuts_fails_the_gate(pull_request: Branch, main_report: Path) -> None:
    # A clean-up: the client is no longer instrumented, and headers that nobody seems to need are not passed on.
    pull_request.change(INSTRUMENTATION, "            HttpxIntegration(),\n", "")
    pull_request.change(HEADERS, 'b"upgrade",', 'b"upgrade", b"sentry-trace", b"baggage",')
    assert pull_request.verify() == 1
    gate = pull_request.gate(main_report)
    assert gate.returncode == 1
    found = regressions(pull_request)
    assert ("lost", "$.events[0]") in found["test_type_error"]
    assert "reference.lost-trace" in gate.stdout
    # The report of the failing run itself has the cause in words.
    assert "the trace was lost on the way to payment" in (pull_request.root / "report" / "run.json").read_text()
