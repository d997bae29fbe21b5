"""Measure the harness against its peers, in one run, and print one table: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks import ingest, judging, parsing, starting, storing, verification, waking
from benchmarks.ingest_servers import missing_spotlight
from benchmarks.measurement import Section, print_table
from benchmarks.own_network import enter_own_network

NAMES = ("ingest", "parsing", "waking", "storing", "judging", "verification", "starting")


def main() -> int:
    """Measure what is asked for; the exit status says whether the goals were met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each subject is measured (default 5)")
    parser.add_argument("--seconds", type=float, default=3, help="how long a server is loaded each time (default 3)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    rounds: int = options.rounds
    # Spotlight listens on every interface and reports to its maker: it runs where nobody else is, or not at all.
    without_spotlight = missing_spotlight() or enter_own_network()
    measure: dict[str, Callable[[], Section]] = {
        "ingest": lambda: ingest.measure(rounds, options.seconds, without_spotlight),
        "parsing": lambda: parsing.measure(rounds),
        "waking": lambda: waking.measure(rounds),
        "storing": lambda: storing.measure(rounds),
        "judging": lambda: _judging(rounds),
        "verification": lambda: verification.measure(rounds),
        "starting": lambda: starting.measure(rounds),
    }
    sections = []
    progress = Console(stderr=True)
    for name in options.names or NAMES:
        progress.print(f"measuring {name} ...")
        sections.append(measure[name]())
    print_table(sections)
    return 0 if all(goal.met for section in sections for goal in section.goals) else 1


def _judging(rounds: int) -> Section:
    with tempfile.TemporaryDirectory(prefix="sentry-benchmark-") as directory:
        report = Path(directory) / "report"
        verification.run_scenarios(report)
        # The largest run takes a minute.
        return judging.measure(min(rounds, 2), report)


if __name__ == "__main__":
    sys.exit(main())
