"""Every promise of `targets`, with the corpus and with a short search; longer ones are `python -m tests.fuzz`."""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.envelopes import CORPUS, recorded
from tests.fuzz.reporting import report
from tests.fuzz.targets import TARGETS, envelope, headers, views

ROOT = Path(__file__).parents[2]
# How much a search may try in the time that a run of all tests has for it.
RUNS = {"envelope": 1_000, "headers": 3_000, "report": 60, "request": 500, "views": 50}


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_corpus(path: Path) -> None:
    data = path.read_bytes()
    envelope(data)
    headers(data)
    views(data)


def test_every_truncation_of_what_sdks_send() -> None:
    for held in recorded():
        body = held.serialize()
        for end in range(min(len(body), 1500)):
            envelope(body[:end])


def test_every_byte_of_what_sdks_send_replaced() -> None:
    rng = random.Random(1)
    for held in recorded():
        body = held.serialize()
        for at in range(min(len(body), 400)):
            envelope(body[:at] + rng.choice([b"\0", b"\n", b"\xff", b"{", b'"', b"9", b""]) + body[at + 1 :])


def test_values_that_no_sdk_would_send() -> None:
    rng = random.Random(2)
    for _ in range(60):
        data = rng.randbytes(rng.randrange(4, 60))
        views(data)
        report(data)


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_search_guided_by_coverage(target: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris has no package for this platform")
    command = [sys.executable, "-m", "tests.fuzz", target, "-seed=1", f"-runs={RUNS[target]}", "-max_len=2000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    # It did look, and new code came to light.
    assert "NEW" in done.stderr
