"""Looks for input that breaks a promise, guided by coverage: `python -m tests.fuzz envelope -max_total_time=60`.

Further arguments are libFuzzer's. Input that breaks something is left in the working directory as `crash-...`; once
it is mended it goes to `tests/fuzz/corpus`, from where every run of the tests tries it again.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris


def main() -> None:
    """Fuzz a target; never returns."""
    names = ("envelope", "headers", "report", "request", "views")
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        sys.exit(f"usage: python -m tests.fuzz {'|'.join(names)} [libFuzzer arguments]")
    with atheris.instrument_imports(include=["harness"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    # What is found on the way is of interest for this run only; the corpus is chosen by people.
    corpus = Path(__file__).parent / "corpus"
    found = tempfile.mkdtemp(prefix="sentry-harness-fuzz-")
    atheris.Setup([sys.argv[0], *sys.argv[2:], found, str(corpus)], TARGETS[sys.argv[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
