from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.report.reading import UnreadableReport, evidence_of, read_bodies, read_record
from harness.report.record import DifferenceRecord, Outcome
from harness.report.writing import write_report
from harness.wire.trace import DynamicSamplingContext
from tests.report.conftest import MakeRun, finding
from tests.samples import envelope, error


def test_a_report_is_read_as_it_was_written(make_run: MakeRun, tmp_path: Path) -> None:
    tests = {
        1: {"outcome": Outcome.FAILED, "findings": (finding(),), "differences": (DifferenceRecord("lost", "$"),)}
    }
    run = make_run(3, tests=tests)
    record = run.record(exit_status=1)
    write_report(record, run.arrivals, tmp_path)
    assert read_record(tmp_path) == record
    assert read_bodies(record, tmp_path) == run.arrivals


def test_the_evidence_of_each_capture_comes_back_but_for_withheld_secrets(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(25, orphans=4)
    announced = DynamicSamplingContext("a" * 32, "key", sample_rate="1")
    gathered = tuple(
        (scenario, replace(evidence, marker="scn-1", sampling_context=announced))
        for scenario, evidence in run.harvest.gathered
    )
    run.harvest = replace(run.harvest, gathered=gathered)
    write_report(run.record(), run.arrivals, tmp_path)
    record = read_record(tmp_path)
    arrivals = read_bodies(record, tmp_path)
    for capture, (_, evidence) in zip(record.captures, gathered, strict=True):
        expected = replace(evidence, secrets={"the trigger's API key": "canary-value"})
        assert evidence_of(capture, record, arrivals) == expected


def test_an_envelope_that_relay_makes_of_another_request_is_kept_beside_it(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(1)
    stored = replace(run.arrivals[0], endpoint="store", body=b'{"message": "old"}', envelope=envelope(error()))
    raw = replace(run.arrivals[1], endpoint="otlp_logs", body=b"\x00\x01", envelope=None)
    arrivals = (stored, raw, *run.arrivals[2:])
    run.harvest = replace(run.harvest, seen=replace(run.harvest.seen, arrivals=arrivals))
    write_report(run.record(), arrivals, tmp_path)
    first, second = read_bodies(read_record(tmp_path), tmp_path)[:2]
    assert (first.body, second.body, second.envelope) == (stored.body, raw.body, None)
    assert first.envelope is not None
    assert [item.payload for item in first.envelope.items] == [error().payload]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is not JSON"),
        ('{"schema": "other"}', "is not the record of a run"),
        (
            '{"schema": "sentry-verification-harness/run", "version": 2}',
            "has version 2, this harness reads version 1",
        ),
        ('{"schema": "sentry-verification-harness/run", "version": 1}', "is damaged: KeyError"),
    ],
)
def test_what_is_no_record_is_said_in_words(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UnreadableReport, match=problem):
        read_record(tmp_path)


def test_a_value_of_the_wrong_type_is_damage(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(1)
    write_report(run.record(), run.arrivals, tmp_path)
    held = json.loads((tmp_path / "run.json").read_text())
    held["tests"][0]["line"] = "seven"
    (tmp_path / "run.json").write_text(json.dumps(held))
    with pytest.raises(UnreadableReport, match="'seven' is not of type int"):
        read_record(tmp_path)


def test_what_is_missing_is_named(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(UnreadableReport, match="No such file"):
        read_record(tmp_path)
    run = make_run(1)
    write_report(run.record(), run.arrivals, tmp_path)
    (tmp_path / "envelopes" / "000001.envelope").write_bytes(b"cut")
    with pytest.raises(UnreadableReport, match=r"000001\.envelope is damaged"):
        read_bodies(run.record(), tmp_path)
    (tmp_path / "envelopes" / "000001.envelope").unlink()
    with pytest.raises(UnreadableReport, match=r"000001\.envelope cannot be read.*copy the whole report"):
        read_bodies(run.record(), tmp_path)
