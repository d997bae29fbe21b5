"""Fleets of tiny real services, and the means to hold them up and to see them gone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from harness.collector.server import Collector
from harness.fleet.fleet import Fleet
from harness.fleet.spec import load_fleet_spec
from tests.fleet.surroundings import SERVICES, Gate, MakeFleet


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture
def make_fleet(tmp_path: Path, collector: Collector) -> Iterator[MakeFleet]:
    """Makes a fleet, not yet started, from its configuration, in which `SERVICES` is the services' directory."""
    with ExitStack() as made:

        def make(configuration: str) -> Fleet:
            (tmp_path / "harness.toml").write_text(configuration.replace("SERVICES", str(SERVICES)))
            spec = load_fleet_spec(tmp_path / "harness.toml")
            fleet = Fleet(spec, dsn_for=lambda name: str(collector.register(name)), directory=tmp_path / "logs")
            made.callback(fleet.stop)
            return fleet

        yield make


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.close()


@pytest.fixture
def get() -> Callable[[str], Any]:
    """GET a URL and read its JSON."""

    def get(url: str) -> Any:
        return json.loads(requests.get(url, timeout=10).content)

    return get


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until something holds, and fail when it does not within 10 seconds."""

    def eventually(holds: Callable[[], object], what: str = "it") -> None:
        deadline = time.monotonic() + 10
        while not holds():
            if time.monotonic() > deadline:
                pytest.fail(f"{what} did not come true within 10 s")
            threading.Event().wait(0.02)

    return eventually


@pytest.fixture
def is_gone() -> Callable[[int], bool]:
    """Whether a process has ended; one that nobody collects has."""

    def is_gone(pid: int) -> bool:
        try:
            return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    return is_gone
