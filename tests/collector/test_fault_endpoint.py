"""Faults over HTTP, at a collector that runs by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.collector import faults
from harness.collector.fault_endpoint import answer_about_faults
from harness.collector.injecting import Faults
from harness.collector.messages import Refused, Request
from harness.collector.server import Collector
from tests.collector.client import Client, Response, event_envelope

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector(open=True, steerable=True) as running:
        yield running


def add(client: Client, fault: object, headers: dict[str, str] = JSON) -> Response:
    return client.request("POST", "/harness/faults", json.dumps(fault).encode(), headers)


def listed(client: Client) -> Any:
    return client.request("GET", "/harness/faults").json()


def test_a_fault_is_added_listed_and_taken_away(collector: Collector, client: Client) -> None:
    added = add(client, {"kind": "rate-limited", "limits": "60:error:key", "seconds": 60, "category": "error"})
    assert added.status == 201
    (held,) = listed(client)
    assert held["number"] == added.json()["number"]
    assert held["text"] == "answered 429, x-sentry-rate-limits: 60:error:key"
    assert held["fault"] == {
        "kind": "answer",
        "status": 429,
        "headers": [["x-sentry-rate-limits", "60:error:key"]],
        "category": "error",
        "seconds": 60,
    }
    assert 0 < held["seconds_left"] <= 60
    assert client.envelope(event_envelope()).status == 429
    assert client.request("DELETE", f"/harness/faults/{held['number']}").status == 204
    assert client.envelope(event_envelope()).status == 200
    assert client.request("DELETE", f"/harness/faults/{held['number']}").status == 404


def test_all_are_taken_away_at_once(collector: Collector, client: Client) -> None:
    for status in (500, 503):
        add(client, {"kind": "answer", "status": status, "requests": 2})
    assert [held["requests_left"] for held in listed(client)] == [2, 2]
    assert client.request("DELETE", "/harness/faults").status == 204
    assert listed(client) == []
    assert client.envelope(event_envelope()).status == 200


def test_a_project_stands_in_for_a_service(collector: Collector, client: Client) -> None:
    add(client, {"kind": "answer", "status": 500, "service": "4711"})
    assert client.envelope(event_envelope()).status == 200
    stranger = Client(client.dsn.parse(f"http://any@127.0.0.1:{collector.port}/4711"))
    assert stranger.envelope(event_envelope()).status == 500


@pytest.mark.parametrize(
    ("fault", "headers", "status", "said"),
    [
        ({"kind": "hang", "requests": 0}, JSON, 400, "`requests` must be a whole number above 0"),
        ({"kind": "dns-failure"}, JSON, 400, "kinds are: answer, closed"),
        ([], JSON, 400, "a fault is a JSON object"),
        ({"kind": "hang"}, {"Content-Type": "text/plain"}, 415, "send application/json"),
        ({"kind": "hang"}, {**JSON, "Host": "evil.example"}, 403, "from this machine only"),
    ],
)
def test_what_is_not_a_fault_is_refused_in_words(
    collector: Collector, client: Client, fault: object, headers: dict[str, str], status: int, said: str
) -> None:
    answer = add(client, fault, headers)
    assert (answer.status, said in answer.body.decode()) == (status, True), answer.body
    assert listed(client) == []


def test_nonsense_is_no_json(collector: Collector, client: Client) -> None:
    for body in (b"{", b"\xff", b"[" * 100_000):
        assert client.request("POST", "/harness/faults", body, JSON).status == 400
    assert client.request("PATCH", "/harness/faults").status == 405
    assert client.request("OPTIONS", "/harness/faults").status == 405
    assert client.request("GET", "/harness/faultsy").status == 404


def test_another_machine_may_not(collector: Collector) -> None:
    held = Faults()
    held.add(faults.hang())
    request = Request(0.0, "DELETE", "/harness/faults", "", (("host", "127.0.0.1"),), b"", "192.0.2.1")
    with pytest.raises(Refused, match="from this machine only"):
        answer_about_faults(request, held)
    assert len(held.in_force) == 1


def test_a_collector_of_a_run_cannot_be_steered(client: Client) -> None:
    with Collector() as running:
        other = Client(running.register("payment"))
        assert other.request("GET", "/harness/faults").status == 404
        assert add(other, {"kind": "hang"}).status == 404
