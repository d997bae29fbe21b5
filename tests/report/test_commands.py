"""The commands over reports as a user runs them: a process, its output, its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.report.record import Outcome
from harness.report.report import Report
from harness.report.writing import STEP_SUMMARY, write_report
from harness.verify.checks.registry import check_names
from tests.report.conftest import MakeRun

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, STEP_SUMMARY: str(tmp_path / "step.md")}
        return subprocess.run(
            [sys.executable, "-m", "harness.cli", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.fixture
def written(make_run: MakeRun, tmp_path: Path) -> Callable[..., Report]:
    def write(name: str, *, message: str = "boom", failed: str = "") -> Report:
        tests = {0: {"outcome": Outcome.FAILED, "own_outcome": Outcome.FAILED, "message": failed}} if failed else {}
        run = make_run(2, message=message, tests=tests)
        run.summary = replace(run.summary, coverage=())
        report = run.report(exit_status=int(bool(failed)))
        write_report(report, tmp_path / name)
        return report

    return write


def test_verify_tells_what_is_wrong_and_writes_a_report(
    command: Command, written: Callable[..., Report], tmp_path: Path
) -> None:
    written("report")
    result = command("verify", "report", "--no-baselines", "--report", "again")
    assert result.returncode == 1
    assert "FAILED payment GET /debug/0 (test_pay.py:1)" in result.stdout
    assert "Failed: 2 of 2 tests failed." in result.stdout
    assert (tmp_path / "again" / "index.html").exists()
    off = ", ".join(f'"{name}"' for name in sorted(check_names()))
    (tmp_path / "off.toml").write_text(f"[checks]\ndisable = [{off}]\n[baseline]\nenabled = false\n")
    assert command("verify", "report", "--config", "off.toml").returncode == 0


def test_diff_says_what_regressed_and_adds_to_the_step_summary(
    command: Command, written: Callable[..., Report], tmp_path: Path
) -> None:
    written("main")
    written("pr", message="bang")
    written("same")
    assert command("diff", "main", "same").returncode == 0
    result = command("diff", "main", "pr", "--report", "diff")
    assert result.returncode == 1
    assert 'changed  $.events[0].tags.note: it was "boom", it is "bang"' in result.stdout
    assert "2 of 2 tests regressed" in (tmp_path / "step.md").read_text()
    assert "tests regressed" in (tmp_path / "diff" / "summary.md").read_text()


def test_a_diff_can_be_merged_and_verified_like_any_report(command: Command, written: Callable[..., Report]) -> None:
    written("main")
    written("pr", message="bang")
    command("diff", "main", "pr", "--report", "diff")
    assert "Passed" in command("diff", "main", "main").stdout
    assert command("merge", "diff", "main", "--report", "merged").returncode == 1


def test_merge_gives_the_verdict_over_all(command: Command, written: Callable[..., Report]) -> None:
    written("one")
    written("two")
    written("bad", failed="assert 1 == 2")
    assert command("merge", "one", "two", "--report", "good").returncode == 0
    result = command("merge", "one", "bad", "two", "--report", "all")
    assert (result.returncode, "assert 1 == 2" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("verify", "nowhere"), "is nowhere a report?"),
        (("verify", "report"), "--no-baselines"),
        (("verify", "report", "--config", "none.toml"), "none.toml"),
        (("diff", "report", "nowhere"), "is nowhere a report?"),
        (("merge", "report", "report", "--report", "out"), "give each report once"),
        (("verify", "report", "--no-baselines", "--report", "occupied"), "is not a report and not empty"),
        (("diff", "empty", "report"), "captured nothing"),
        (("verify", "report", "--no-baselines", "--report", "report"), "is what the result is made of"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    command: Command, written: Callable[..., Report], tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    report = written("report")
    write_report(replace(report, record=replace(report.record, captures=(), tests=())), tmp_path / "empty")
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied" / "mine.txt").write_text("mine")
    result = command(*arguments)
    assert result.returncode == 2
    assert problem in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert (tmp_path / "occupied" / "mine.txt").read_text() == "mine"
