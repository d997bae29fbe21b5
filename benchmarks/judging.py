"""What checks, baselines and report cost for each scenario, from 10 scenarios to 10,000.

A real run of the fleet is multiplied, each scenario with ids of its own and a baseline of its own; then
`sentry-harness verify` reads it, judges everything again and writes a report.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.measurement import Goal, Row, Section
from benchmarks.multiplying import copy_baselines, multiplied
from harness.report.reading import read_report
from harness.report.report import Report
from harness.report.writing import write_report

SIZES = (10, 100, 1_000, 10_000)
_SECONDS, _GIGABYTES = 60.0, 1.0
# From one size to the next a scenario may cost so many times as much and still be called linear.
_LINEAR = 1.3
_SECONDS_BETWEEN_LOOKS = 0.1
ROOT = Path(__file__).parent.parent
_COMMAND = Path(sys.executable).parent / "sentry-harness"


def measure(rounds: int, of: Path, sizes: tuple[int, ...] = SIZES) -> Section:
    """Verify and report runs of all sizes.

    Args:
        rounds: how often each.
        of: the report of the run that is multiplied.
        sizes: numbers of scenarios, ascending.
    """
    original = read_report(of)
    seconds: dict[int, list[float]] = {size: [] for size in sizes}
    memory: dict[int, list[float]] = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory(prefix="sentry-benchmark-") as made:
        for size in sizes:
            _prepare(original, size, Path(made) / str(size))
        for _ in range(rounds):
            for size in sizes:
                taken, used = _verify(Path(made) / str(size))
                seconds[size].append(taken)
                memory[size].append(used)
    largest = sizes[-1]
    names = {size: f"{size:,} scenarios" for size in sizes}
    rows = (
        *(Row(names[size], "ms/scenario", tuple(each / size * 1e3 for each in seconds[size])) for size in sizes),
        Row(names[largest], "s", tuple(seconds[largest])),
        Row(names[largest], "GiB at most", tuple(memory[largest])),
    )
    costs = [row.median for row in rows[: len(sizes)]]
    return Section(
        "checks, baselines and report",
        rows,
        peers=(names[sizes[-2]],),
        goals=(
            Goal("checks and report: linear in the number of scenarios", costs[-1] <= _LINEAR * costs[-2]),
            Goal(f"checks and report: {largest:,} in under {_SECONDS:g} s", rows[-2].median < _SECONDS),
            Goal(f"checks and report: {largest:,} in under {_GIGABYTES:g} GiB", rows[-1].median < _GIGABYTES),
        ),
    )


def _prepare(original: Report, size: int, directory: Path) -> None:
    report = multiplied(original, size)
    directory.mkdir()
    write_report(report, directory / "report")
    copy_baselines(report, ROOT, directory / "root")


def _verify(directory: Path) -> tuple[float, float]:
    """Seconds, and the most GiB that were resident at once."""
    options = {"--root": directory / "root", "--report": directory / "again"}
    command = [
        str(_COMMAND),
        "verify",
        str(directory / "report"),
        *(str(part) for pair in options.items() for part in pair),
    ]
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        process = psutil.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        most = 0
        while process.poll() is None:
            most = max(most, _held_by(process))
            with suppress(psutil.TimeoutExpired):
                process.wait(_SECONDS_BETWEEN_LOOKS)
        if process.returncode:
            said.seek(0)
            sys.exit(f"verifying failed with exit code {process.returncode}:\n{said.read()[-4000:]}")
    return time.monotonic() - started, most / 2**30


def _held_by(process: psutil.Process) -> int:
    """Bytes of memory of a process and its children; what they share counts once."""
    held = 0
    with suppress(psutil.NoSuchProcess):
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                held += each.memory_full_info().pss
    return held
