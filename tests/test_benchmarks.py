"""The benchmarks run, and measure what they say; how quick anything is, is never asserted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measurement import Goal, Row, Section, print_table

ROOT = Path(__file__).parent.parent


def test_one_command_prints_one_table() -> None:
    command = [sys.executable, "-m", "benchmarks", "--rounds", "1", "--seconds", "0.1", "parsing", "waking"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert "x sentry_sdk.envelope" in printed
    assert "of 6 envelopes that Relay refuses harness.wire takes 0, sentry_sdk.envelope takes 6" in printed
    assert "p99" in printed


def test_an_unknown_benchmark_is_said() -> None:
    command = [sys.executable, "-m", "benchmarks", "ingets"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert "there is no ingets; there are ingest, parsing," in finished.stderr


def test_a_table_shows_median_spread_ratios_and_goals(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (Row("ours", "ms", (4.0, 2.0, 3.0)), Row("peer", "ms", (6.0,)), Row("ours", "kB", (9.0,)))
    print_table([Section("speed", rows, peers=("peer",), goals=(Goal("be quick", met=False),), notes=("a note",))])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["ours", "3", "2", "4", "ms", "0.50", "x", "peer"] in lines
    assert ["peer", "6", "6", "6", "ms"] in lines
    assert ["ours", "9", "9", "9", "kB"] in lines
    assert ["MISSED", "be", "quick"] in lines
    assert ["speed:", "a", "note"] in lines
