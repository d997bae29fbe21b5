"""A collector that is reached from the network: not without a key, and nothing for who does not have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from harness.collector.server import Collector, CollectorError
from tests.collector.client import Client, event_envelope

KEY = "0123456789abcdefXYZ"


@pytest.fixture
def exposed() -> Iterator[Collector]:
    with Collector(host="0.0.0.0", open=True, key=KEY) as running:
        yield running


def client_with(collector: Collector, key: str, project: str = "42") -> Client:
    return Client(replace(collector.register("fleet"), public_key=key, project_id=project))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "0", "203.0.113.7", "::ffff:0.0.0.0"])
def test_no_network_without_a_key(host: str) -> None:
    with pytest.raises(CollectorError, match="--key KEY, with at least 16 letters and digits") as refused:
        Collector(host=host, open=True)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    Collector(host=host)


@pytest.mark.parametrize(
    "key", ["", "short", "x" * 15, "with spaces in the key", "dots.are.flags.in.a.key", "x" * 200]
)
def test_key_that_is_no_key(key: str) -> None:
    with pytest.raises(CollectorError, match="at least 16 letters and digits; make one with"):
        Collector(host="0.0.0.0", key=key)


def test_the_key_opens_every_project(exposed: Collector) -> None:
    assert client_with(exposed, KEY).envelope(event_envelope()).status == 200
    assert client_with(exposed, KEY, "7").post("/store/", b'{"message":"x"}').status == 200
    assert [arrival.project_id for arrival in exposed.inbox.arrivals()] == ["42", "7"]


def test_a_registered_service_has_its_own_key(exposed: Collector) -> None:
    assert Client(exposed.register("fleet")).envelope(event_envelope()).status == 200
    assert exposed.service_of(exposed.inbox.arrivals()[0].project_id) == "fleet"


@pytest.mark.parametrize("wrong", ["f" * 32, KEY.lower(), KEY + "0", KEY[:-1], "\xe9" * 16])
def test_another_key_opens_nothing(exposed: Collector, wrong: str) -> None:
    client = client_with(exposed, wrong)
    assert client.envelope(event_envelope()).status == 403
    assert client.post("/store/", b'{"message":"x"}').status == 403
    assert client.request("GET", "/health", headers=client.auth).status == 403
    inside = event_envelope(dsn=f"http://{'f' * 32}@{exposed.url.removeprefix('http://')}/42")
    assert client.request("POST", "/", inside).status == 403
    assert client.request("POST", "/api/42/envelope/", inside).status == 403
    assert len(exposed.inbox) == 0


def test_no_key_opens_nothing(exposed: Collector) -> None:
    client = client_with(exposed, KEY)
    asked = [("POST", "/api/42/envelope/"), ("POST", "/"), ("POST", "/api/42/store/"), ("GET", "/health")]
    asked += [("GET", "/"), ("POST", "/anything"), ("DELETE", "/anything"), ("OPTIONS", "/anything")]
    for method, path in asked:
        status = client.request(method, path, event_envelope()).status
        assert status in (401, 405), (method, path)
    assert client.request("GET", f"/health?sentry_key={KEY}").status == 200
    # A browser asks without a key whether it may send one.
    assert client.request("OPTIONS", "/api/42/envelope/").status == 200
    assert len(exposed.inbox) == 0
