"""Each fault as a client on the other side of a real connection sees it."""

from __future__ import annotations

import errno
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.collector import faults
from harness.collector.fault_descriptions import read_fault
from harness.collector.faults import Fault, InvalidFault
from harness.collector.server import Collector
from harness.wire.envelope import Envelope, Item
from tests.collector.client import EVENT_ID, Client, Response, event_envelope, read_to_end

LIMITS = "60:error:project:quota, 2700:transaction;span:organization"


def of_type(*types: str) -> bytes:
    return Envelope({"event_id": EVENT_ID}, [Item({"type": kind}, b"{}") for kind in types]).serialize()


def head(client: Client, length: int) -> bytes:
    """The head of a request with so many bytes of an envelope."""
    return (
        f"POST /api/{client.dsn.project_id}/envelope/?sentry_key={client.dsn.public_key} HTTP/1.1\r\n"
        f"Host: sentry\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def request(client: Client, body: bytes | None = None) -> bytes:
    body = event_envelope() if body is None else body
    return head(client, len(body)) + body


@pytest.mark.parametrize("status", [400, 413, 429, 500, 503, 529])
def test_any_status_is_answered_and_nothing_is_taken(collector: Collector, client: Client, status: int) -> None:
    with collector.faults.injected(faults.answer(status)):
        assert client.envelope(event_envelope()).status == status
    assert client.envelope(event_envelope()).status == 200
    assert len(collector.inbox) == 1
    assert collector.refusals == []
    (injection,) = collector.faults.injections
    assert (injection.service, injection.event_id, injection.items) == ("payment", EVENT_ID, ("event",))
    assert (injection.quantities, injection.kept) == ({"error": 1}, False)
    assert injection.request is not None
    assert injection.request.body == event_envelope()


def test_rate_limits_are_announced_as_given(collector: Collector, client: Client) -> None:
    with collector.faults.injected(faults.rate_limited(LIMITS, retry_after=60)):
        answer = client.envelope(event_envelope())
    assert answer.status == 429
    assert answer.headers["x-sentry-rate-limits"] == LIMITS
    assert answer.headers["retry-after"] == "60"
    with collector.faults.injected(faults.rate_limited("soon::;;,", retry_after="now " * 1000)):
        answer = client.envelope(event_envelope())
    assert answer.headers["x-sentry-rate-limits"] == "soon::;;,"
    assert len(answer.headers["retry-after"]) == 4000
    assert len(collector.inbox) == 0


def test_rate_limits_on_a_success_cost_nothing_yet(collector: Collector, client: Client) -> None:
    with collector.faults.injected(faults.rate_limited(LIMITS, status=200)):
        answer = client.envelope(event_envelope())
    assert (answer.status, answer.json()) == (200, {"id": EVENT_ID})
    assert answer.headers["x-sentry-rate-limits"] == LIMITS
    assert len(collector.inbox) == 1
    (injection,) = collector.faults.injections
    assert injection.kept
    assert injection.costs_telemetry


def test_an_answer_without_content_has_none(collector: Collector, client: Client) -> None:
    connection = http.client.HTTPConnection(client.dsn.host, client.dsn.port, timeout=10)
    with collector.faults.injected(faults.answer(204, requests=1)):
        for status, content in ((204, b""), (200, b'{"id":')):
            connection.request("POST", f"/api/{client.dsn.project_id}/envelope/", event_envelope(), client.auth)
            answer = connection.getresponse()
            assert (answer.status, answer.read()[:6]) == (status, content)
    connection.close()


def test_wrong_content_type(collector: Collector, client: Client) -> None:
    page = faults.answer(200, content_type="text/html", body="<h1>Welcome to our proxy</h1>")
    with collector.faults.injected(page):
        answer = client.envelope(event_envelope())
    assert answer.headers["content-type"] == "text/html"
    assert answer.body == b"<h1>Welcome to our proxy</h1>"
    assert len(collector.inbox) == 1


@pytest.mark.parametrize("make", [faults.slow_first_byte, faults.slow_body])
def test_slow_answers_are_complete_and_keep_the_connection(
    collector: Collector, client: Client, make: Callable[..., Fault]
) -> None:
    connection = http.client.HTTPConnection(client.dsn.host, client.dsn.port, timeout=10)
    with collector.faults.injected(make(0.4, requests=1)):
        began = time.monotonic()
        connection.request("POST", f"/api/{client.dsn.project_id}/envelope/", event_envelope(), client.auth)
        answer = connection.getresponse()
        head_after = time.monotonic() - began
        assert json.loads(answer.read()) == {"id": EVENT_ID}
        body_after = time.monotonic() - began
    assert body_after >= 0.39
    assert (head_after >= 0.39) == (make is faults.slow_first_byte)
    connection.request("POST", f"/api/{client.dsn.project_id}/envelope/", event_envelope(), client.auth)
    assert connection.getresponse().status == 200
    connection.close()
    assert len(collector.inbox) == 2


def test_answers_keep_their_order_behind_a_slow_one(collector: Collector, client: Client) -> None:
    slow = faults.slow_first_byte(0.3, category="error", requests=1)
    with collector.faults.injected(slow, faults.answer(503, category="session", requests=1)), client.socket() as sent:
        last = request(client, of_type("session")).replace(b"Host:", b"Connection: close\r\nHost:")
        sent.sendall(request(client) + last)
        answers = read_to_end(sent)
    assert [line.split()[1] for line in answers.split(b"\r\n") if b"HTTP/1.1 " in line] == [b"200", b"503"]


def test_a_hang_ends_with_the_client(collector: Collector, client: Client) -> None:
    with collector.faults.injected(faults.hang(requests=1)), client.socket() as sent:
        sent.settimeout(0.3)
        sent.sendall(request(client))
        with pytest.raises(TimeoutError):
            sent.recv(1)
    assert client.envelope(event_envelope()).status == 200
    assert collector.refusals == []


def test_a_collector_stops_although_answers_are_outstanding(collector: Collector, client: Client) -> None:
    held = collector.faults
    with (
        held.injected(faults.hang(category="error"), faults.slow_first_byte(60)),
        client.socket() as hanging,
        client.socket() as waiting,
    ):
        hanging.sendall(request(client))
        waiting.sendall(request(client, of_type("session")))
        assert collector.inbox.wait_for(lambda: len(held.injections) == 2 or None, timeout=10)
        began = time.monotonic()
        collector.stop()
        assert time.monotonic() - began < 5
        assert read_to_end(hanging) == read_to_end(waiting) == b""


def test_a_reset_is_no_orderly_end(collector: Collector, client: Client) -> None:
    with collector.faults.injected(faults.reset()), client.socket() as sent:
        sent.sendall(request(client))
        with pytest.raises(ConnectionResetError):
            sent.recv(1)
    assert (len(collector.inbox), collector.refusals) == (0, [])


def test_a_reset_while_the_client_is_still_sending(collector: Collector, client: Client) -> None:
    with collector.faults.injected(faults.reset(after=100, service="payment", requests=1)), client.socket() as sent:
        sent.sendall(head(client, 10_000_000) + b"x" * 500)
        with pytest.raises(OSError) as broken:  # noqa: PT011 - which of the two it is depends on the moment
            sent.sendall(b"x" * 9_000_000)
        assert broken.value.errno in (errno.ECONNRESET, errno.EPIPE)
    (injection,) = collector.faults.injections
    assert (injection.service, injection.items, injection.kept) == ("payment", (), False)
    assert injection.request is not None
    assert injection.request.body.startswith(b"x" * 100)
    assert collector.refusals == []
    assert client.envelope(event_envelope()).status == 200


def test_a_body_that_is_shorter_than_the_reset_ends_by_it(collector: Collector, client: Client) -> None:
    with collector.faults.injected(faults.reset(after=10_000)), client.socket() as sent:
        sent.sendall(request(client))
        with pytest.raises(ConnectionResetError):
            sent.recv(1)
    assert len(collector.faults.injections) == 1
    assert len(collector.inbox) == 0


def test_a_truncated_answer_is_shorter_than_it_says(collector: Collector, client: Client) -> None:
    with collector.faults.injected(faults.truncated()), pytest.raises(http.client.IncompleteRead) as cut:
        client.envelope(event_envelope())
    assert 0 < len(cut.value.partial) < len(json.dumps({"id": EVENT_ID}))
    assert len(collector.inbox) == 1


def test_closed_without_an_answer(collector: Collector, client: Client) -> None:
    with collector.faults.injected(faults.closed()), client.socket() as sent:
        sent.sendall(request(client))
        assert read_to_end(sent) == b""
    assert len(collector.inbox) == 0


def test_only_one_service_is_meant(collector: Collector, client: Client) -> None:
    other = Client(collector.register("analytics"))
    with collector.faults.injected(faults.answer(503, service="analytics")):
        assert client.envelope(event_envelope()).status == 200
        assert other.envelope(event_envelope()).status == 503
    with collector.faults.injected(faults.answer(503, service=client.dsn.project_id)):
        assert client.envelope(event_envelope()).status == 503


@pytest.mark.parametrize(
    ("types", "status"),
    [(["event"], 200), (["transaction"], 429), (["session", "transaction"], 429), ([], 200), (["unheard-of"], 200)],
)
def test_only_one_category_is_meant(collector: Collector, client: Client, types: list[str], status: int) -> None:
    with collector.faults.injected(faults.rate_limited(category="transaction")):
        assert client.envelope(of_type(*types)).status == status


def test_the_first_that_fits_counts_and_one_that_is_used_up_is_gone(collector: Collector, client: Client) -> None:
    held = collector.faults
    with held.injected(faults.answer(500, requests=2), faults.answer(503, category="error", requests=1)):
        statuses = [client.envelope(event_envelope()).status for _ in range(4)]
        assert held.in_force == []
    assert statuses == [500, 500, 503, 200]


def test_a_fault_whose_time_is_over_is_gone(collector: Collector, client: Client) -> None:
    collector.faults.add(faults.answer(503, seconds=0.3))
    (in_force,) = collector.faults.in_force
    assert in_force.seconds is not None
    assert 0 < in_force.seconds <= 0.3
    began = time.monotonic()
    assert client.envelope(event_envelope()).status == 503
    while client.envelope(event_envelope()).status == 503:
        assert time.monotonic() - began < 10
    assert time.monotonic() - began >= 0.29
    assert collector.faults.in_force == []


def test_what_sentry_refuses_anyway_is_refused_as_ever(collector: Collector, client: Client) -> None:
    collector.faults.add(faults.answer(503, requests=1))
    assert client.envelope(b"nonsense").status == 400
    stranger = Client(client.dsn.parse(str(client.dsn).replace(client.dsn.public_key, "f" * 32)))
    assert stranger.envelope(event_envelope()).status == 403
    assert client.request("GET", "/health").status == 200
    assert len(collector.refusals) == 2
    assert client.envelope(event_envelope()).status == 503


def test_many_clients_at_once_use_up_a_fault_exactly(collector: Collector, client: Client) -> None:
    collector.faults.add(faults.answer(503, requests=25))
    answers: list[Response] = []

    def send() -> None:
        answers.extend(client.envelope(event_envelope()) for _ in range(10))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] * 55 + [503] * 25
    assert len(collector.faults.injections) == 25
    assert len(collector.inbox) == 55


def test_nobody_listens(collector: Collector) -> None:
    dsn = collector.misdirect("payment", faults.connection_refused())
    with pytest.raises(ConnectionRefusedError):
        Client(dsn).envelope(event_envelope())
    assert (dsn.project_id, dsn.public_key) == (
        collector.register("payment").project_id,
        collector.register("payment").public_key,
    )
    (injection,) = collector.faults.injections
    assert (injection.service, injection.request, injection.kept) == ("payment", None, False)


def test_the_host_does_not_exist(collector: Collector) -> None:
    dsn = collector.misdirect("payment", faults.dns_failure())
    with pytest.raises(socket.gaierror):
        Client(dsn).envelope(event_envelope())


def test_the_certificate_is_trusted_by_nobody_but_it_is_one(collector: Collector) -> None:
    dsn = collector.misdirect("payment", faults.wrong_certificate())
    assert dsn.scheme == "https"
    path, headers = f"/api/{dsn.project_id}/envelope/", Client(dsn).auth
    strict = http.client.HTTPSConnection(dsn.host, dsn.port, timeout=10)
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed certificate"):
        strict.request("POST", path, event_envelope(), headers)
    # A client that does not look at certificates is not stopped by one.
    careless = http.client.HTTPSConnection(dsn.host, dsn.port, timeout=10, context=ssl._create_unverified_context())
    careless.request("POST", path, event_envelope(), headers)
    assert careless.getresponse().status == 200
    careless.close()
    assert len(collector.inbox) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: faults.answer(199), "status must be a number from 200 to 599"),
        (lambda: faults.answer(True), "status must be a number"),
        (lambda: faults.rate_limited("60:error\r\nX: y"), "without line breaks"),
        (lambda: faults.answer(200, headers={"Content-Length": "1"}), "the collector's own"),
        (lambda: faults.answer(200, content_type="text/plain\n"), "without line breaks"),
        (lambda: faults.hang(requests=0), "`requests` must be a whole number above 0"),
        (lambda: faults.hang(seconds=float("inf")), "`seconds` must be a number of seconds"),
        (lambda: faults.slow_body(-1), "`delay` must be a number of seconds"),
        (lambda: faults.hang(category="errors"), "no data category 'errors'; there are: attachment, default, error"),
        (lambda: faults.reset(after=1, category="error"), "`after` does not go with `category`"),
        (lambda: read_fault([]), "a fault is a JSON object"),
        (
            lambda: read_fault({"kind": "earthquake"}),
            "there is no fault 'earthquake'; kinds are: answer, closed",
        ),
        (lambda: read_fault({"kind": "connection-refused"}), "there is no fault 'connection-refused'"),
        (lambda: read_fault({"kind": "hang", "second": 1}), "has no 'second'; it takes: service, category"),
        (lambda: read_fault({"kind": "answer"}), "missing 1 required positional argument: 'status'"),
        (lambda: read_fault({"kind": "slow-body", "delay": "1"}), "`delay` must be a number of seconds"),
        (
            lambda: read_fault({"kind": "answer", "status": 200, "headers": [1]}),
            "`headers` must be names with",
        ),
        (lambda: read_fault({"kind": "hang", "service": 7}), "`service` must be a text"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InvalidFault) as refused:
        make()
    assert message in str(refused.value)


def test_a_fault_of_an_address_befalls_no_request(collector: Collector, client: Client) -> None:
    injecting = collector.faults.injected(faults.answer(503), faults.dns_failure())
    with pytest.raises(InvalidFault, match=r"belongs to the DSN.*fleet.isolated"):
        injecting.__enter__()
    assert client.envelope(event_envelope()).status == 200
    with pytest.raises(InvalidFault, match="no fault of an address"):
        collector.misdirect("payment", faults.hang())


def test_a_fault_is_read_from_its_description() -> None:
    described = {"kind": "rate-limited", "limits": LIMITS, "retry_after": 5, "service": "payment", "requests": 2}
    assert read_fault(described) == faults.rate_limited(LIMITS, retry_after=5, service="payment", requests=2)
