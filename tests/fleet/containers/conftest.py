"""Fleets of tiny real services in containers, where an engine answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.collector.server import Collector
from harness.fleet.choosing import choose
from harness.fleet.containers.engine import Engine, NoEngine, find_engine
from harness.fleet.fleet import Fleet
from harness.fleet.spec import load_fleet_spec
from tests.fleet.surroundings import SERVICES

IMAGE = os.environ.get("PYTHON_IMAGE", "python:3.12-slim-bookworm")
HARNESS = """
[compose]
file = ["compose.yml"]

[service.shop]
ready = "/ready"

[service.bank]
"""
COMPOSE = f"""
x-service: &service
  image: {IMAGE}
  user: "10001:10001"
  read_only: true
  stop_grace_period: 1s
  volumes: ["{SERVICES}:/services:ro"]
services:
  shop:
    <<: *service
    command: [python, /services/plain.py]
    restart: unless-stopped
    environment: {{ HOST: 0.0.0.0, PORT: "8000", BANK_URL: "http://bank:8001" }}
    depends_on: [bank]
  bank:
    <<: *service
    # Nothing is preloaded into a Python that is told to ignore its surroundings.
    command: [python, -I, /services/plain.py]
    environment: {{ HOST: 0.0.0.0, PORT: "8001" }}
"""

MakeContainers = Callable[..., Fleet]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    try:
        engine = find_engine()
    except NoEngine as missing:
        pytest.skip(str(missing))
    yield engine
    engine.close()


@pytest.fixture
def make_containers(engine: Engine, tmp_path: Path) -> Iterator[MakeContainers]:
    """Makes a fleet of containers, not yet started."""
    with ExitStack() as made:

        def make(compose: str = COMPOSE, harness: str = HARNESS) -> Fleet:
            (tmp_path / "compose.yml").write_text(compose)
            (tmp_path / "harness.toml").write_text(harness)
            spec = load_fleet_spec(tmp_path / "harness.toml")
            choice = choose("compose", spec)
            collector = made.enter_context(Collector(host=choice.collector.host, key="k" * 16))
            fleet = Fleet(
                spec,
                dsn_for=lambda name: str(collector.register(name)),
                directory=tmp_path / "logs",
                platform=choice.platform,
            )
            made.callback(fleet.stop)
            return fleet

        yield make
