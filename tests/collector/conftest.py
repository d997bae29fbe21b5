from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.collector.server import Collector
from tests.collector.client import Client


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture
def client(collector: Collector) -> Client:
    """Sends as the registered service `payment`."""
    return Client(collector.register("payment"))
