from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from harness.report.record import Outcome, RunRecord
from harness.report.report import Report
from harness.report.writing import STEP_SUMMARY, ReportNotWritten, append_step_summary, write_report
from tests.report.conftest import MakeRun


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def refuse_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


def test_all_files_are_there_and_envelopes_are_as_received(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(2)
    write_report(run.report(), tmp_path / "deep" / "report")
    report = tmp_path / "deep" / "report"
    assert sorted(path.name for path in report.iterdir()) == [
        "envelopes", "faults", "index.html", "junit.xml", "refusals", "run.json", "summary.md",
    ]  # fmt: skip
    record = json.loads((report / "run.json").read_text(), parse_constant=refuse_constant)
    assert (record["schema"], record["version"]) == ("sentry-verification-harness/run", 2)
    for held, arrived in zip(record["envelopes"], run.arrivals, strict=True):
        assert (report / held["file"]).read_bytes() == arrived.body
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["report"]


def test_a_report_replaces_the_one_before_as_a_whole(make_run: MakeRun, tmp_path: Path) -> None:
    larger, smaller = make_run(5), make_run(1)
    write_report(larger.report(), tmp_path / "report")
    write_report(smaller.report(), tmp_path / "report")
    assert len(list((tmp_path / "report" / "envelopes").iterdir())) == len(smaller.arrivals)
    assert len(json.loads((tmp_path / "report" / "run.json").read_text())["tests"]) == 1


def test_without_space_the_previous_report_stays(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(1)
    write_report(run.report(), tmp_path / "report")
    before = {path: path.read_bytes() for path in (tmp_path / "report").rglob("*") if path.is_file()}
    more = make_run(40)
    with (
        files_no_larger_than(20_000),
        pytest.raises(ReportNotWritten, match=r"could not be written.*free some space"),
    ):
        write_report(more.report(), tmp_path / "report")
    assert {path: path.read_bytes() for path in (tmp_path / "report").rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_page_that_cannot_be_made_leaves_the_previous_report(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(1)
    write_report(run.report(), tmp_path / "report")
    before = (tmp_path / "report" / "run.json").read_bytes()
    broken: RunRecord = replace(run.record(), captures=())
    with pytest.raises(KeyError):
        write_report(Report(broken, run.arrivals), tmp_path / "report")
    assert (tmp_path / "report" / "run.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize("held", ["notes.txt", "run.json"])
def test_a_directory_that_is_no_report_is_left_alone(make_run: MakeRun, tmp_path: Path, held: str) -> None:
    run = make_run(1)
    (tmp_path / held).write_text('{"schema": "something else"}')
    with pytest.raises(ReportNotWritten, match="is not a report and not empty"):
        write_report(run.report(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [held]


def test_a_place_that_cannot_be_is_said_in_words(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(1)
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportNotWritten, match="name another place with --report"):
        write_report(run.report(), tmp_path / "file" / "report")


def test_half_a_surrogate_pair_is_written_everywhere(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(1, tests={0: {"message": "half \ud800 of a pair", "outcome": Outcome.FAILED}})
    write_report(run.report(exit_status=1), tmp_path / "report")
    assert (
        json.loads((tmp_path / "report" / "run.json").read_text())["tests"][0]["message"] == "half \ud800 of a pair"
    )


def test_the_summary_is_appended_to_the_page_of_the_job(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = tmp_path / "summary"
    shown.write_text("earlier\n")
    monkeypatch.setenv(STEP_SUMMARY, str(shown))
    append_step_summary(make_run(1).record())
    assert shown.read_text().startswith("earlier\n## ✅ Sentry verification")
    monkeypatch.setenv(STEP_SUMMARY, str(tmp_path / "missing" / "summary"))
    with pytest.raises(ReportNotWritten, match=r"GITHUB_STEP_SUMMARY .* cannot be written"):
        append_step_summary(make_run(1).record())
