"""Relay's answers, endpoint by endpoint."""

from __future__ import annotations

import base64
import json
import uuid
import zlib

import pytest

from harness.collector import ingest as ingest_module
from harness.collector.inbox import Arrival
from harness.collector.server import Collector
from harness.wire.encoding import encode_body
from harness.wire.envelope import Envelope, Item
from tests.collector.client import EVENT_ID, Client, event_envelope

DASHED = "9EC79C33-EC99-42AB-8353-589FCB2E04DC"
EVENT = json.dumps({"event_id": EVENT_ID, "message": "boom"}).encode()


def only(collector: Collector) -> Arrival:
    (arrival,) = collector.inbox.arrivals()
    return arrival


def test_envelope_is_answered_with_its_id_and_kept(collector: Collector, client: Client) -> None:
    response = client.envelope(event_envelope(), {"User-Agent": "sentry.test/1"})
    assert (response.status, response.json()) == (200, {"id": EVENT_ID})
    assert response.headers["content-type"] == "application/json"
    arrival = only(collector)
    assert arrival.endpoint == "envelope"
    assert arrival.body == event_envelope()
    assert arrival.envelope == Envelope.parse(event_envelope())
    assert arrival.project_id == client.dsn.project_id
    assert ("user-agent", "sentry.test/1") in arrival.headers
    assert collector.refusals == []


def test_dashed_event_id_is_answered_without_dashes(client: Client) -> None:
    assert client.envelope(event_envelope(DASHED)).json() == {"id": EVENT_ID}


def test_event_without_id_is_given_one(client: Client) -> None:
    assert len(client.envelope(event_envelope(None)).json()["id"]) == 32


@pytest.mark.parametrize(
    "body", [b"{}", b"{}\n", b'{}\n{"type":"session"}\n{}\n', b'{}\n{"type":"client_report"}\n{}']
)
def test_envelope_without_event_is_answered_without_id(client: Client, body: bytes) -> None:
    response = client.envelope(body)
    assert (response.status, response.body) == (200, b"{}")


def test_every_item_is_kept_byte_for_byte(collector: Collector, client: Client) -> None:
    binary = bytes(range(256)) + b"\n\r\n\x00{}\n" + bytes(reversed(range(256)))
    items = [
        Item({"type": "attachment"}, binary),
        Item({"type": "made_up", "x": [1]}, b""),
        Item({"type": "event"}, b"{}"),
    ]
    body = Envelope({"event_id": EVENT_ID, "unknown": 1}, items).serialize()
    for encoding in (None, "gzip", "deflate", "br", "zstd"):
        headers = {"Content-Encoding": encoding} if encoding else {}
        assert client.envelope(encode_body(body, encoding), headers).status == 200
    arrivals = collector.inbox.arrivals()
    assert [arrival.content_encoding for arrival in arrivals] == [None, "gzip", "deflate", "br", "zstd"]
    for arrival in arrivals:
        assert arrival.body == body
        assert arrival.envelope is not None
        assert [item.payload for item in arrival.envelope.items] == [binary, b"", b"{}"]
        assert arrival.wire_size == len(encode_body(body, arrival.content_encoding))


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/x-sentry-envelope",
        "text/plain;charset=UTF-8",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "nonsense",
    ],
)
def test_content_type_of_an_envelope_does_not_matter(client: Client, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert client.envelope(event_envelope(), headers).status == 200


@pytest.mark.parametrize("encoding", ["", "UTF-8", "identity"])
def test_encodings_that_are_none_are_ignored(client: Client, encoding: str) -> None:
    assert client.envelope(event_envelope(), {"Content-Encoding": encoding}).status == 200


@pytest.mark.parametrize("path", ["/envelope", "/envelope/", "//envelope//"])
def test_slashes_do_not_matter(client: Client, path: str) -> None:
    assert client.post(path, event_envelope()).status == 200


def test_key_in_the_query_as_browsers_send_it(collector: Collector, client: Client) -> None:
    key = client.dsn.public_key
    path = f"/api/1/envelope/?sentry_version=7&sentry_key={key}&sentry_client=sentry.javascript.browser%2F11.12.0"
    assert client.request("POST", path, event_envelope(), {"Origin": "http://shop.example"}).status == 200
    assert only(collector).query == path.partition("?")[2]


def test_key_by_basic_authentication(client: Client) -> None:
    token = base64.b64encode(f"{client.dsn.public_key}:".encode()).decode()
    headers = {"Authorization": f"Basic {token}"}
    assert client.request("POST", "/api/1/envelope/", event_envelope(), headers).status == 200


def test_envelope_may_bring_its_own_key(collector: Collector, client: Client) -> None:
    body = event_envelope(dsn=str(client.dsn))
    assert client.request("POST", "/api/1/envelope/", body).status == 200
    assert only(collector).public_key == client.dsn.public_key


def test_root_path_is_a_tunnel(collector: Collector, client: Client) -> None:
    body = event_envelope(dsn=str(client.dsn))
    response = client.request("POST", "/", body, {"Content-Type": "text/plain;charset=UTF-8"})
    assert (response.status, response.json()) == (200, {"id": EVENT_ID})
    arrival = only(collector)
    assert (arrival.endpoint, arrival.project_id) == ("envelope", client.dsn.project_id)
    assert arrival.envelope == Envelope.parse(body)


def test_tunnel_without_dsn_is_refused(collector: Collector, client: Client) -> None:
    response = client.request("POST", "/", event_envelope(), client.auth)
    assert response.status == 401
    assert response.json()["detail"] == "missing authorization information"
    assert len(collector.inbox) == 0


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"", "malformed envelope at byte 0: the body is empty"),
        (b"not json", "malformed envelope at byte 0"),
        (b'{}\n{"type":"event","length":10}\n{}', "malformed envelope at byte 32: item 0 (event) declares 10 bytes"),
        (b'{"event_id":"xyz"}\n', "'xyz' is not a UUID"),
        (b'{"dsn":"nowhere"}\n', "dsn header: 'nowhere' is not a DSN"),
    ],
)
def test_malformed_envelope_is_refused_and_kept(
    collector: Collector, client: Client, body: bytes, cause: str
) -> None:
    response = client.envelope(body)
    assert response.status == 400
    assert response.json()["detail"] == "invalid event envelope"
    assert cause in response.json()["causes"][0]
    assert len(collector.inbox) == 0
    (refusal,) = collector.refusals
    assert (refusal.status, refusal.method, refusal.path) == (400, "POST", "/api/1/envelope/")
    assert refusal.body == body
    assert refusal.service == "payment"
    assert refusal.detail == f"invalid event envelope: {response.json()['causes'][0]}"


def test_corrupt_compression_is_refused_with_the_bytes_of_the_wire(collector: Collector, client: Client) -> None:
    broken = encode_body(event_envelope(), "gzip")[:-12]
    response = client.envelope(broken, {"Content-Encoding": "gzip"})
    assert (response.status, response.json()["detail"]) == (400, "invalid request body")
    assert collector.refusals[0].body == broken


def test_unknown_encoding_is_refused(client: Client) -> None:
    response = client.envelope(event_envelope(), {"Content-Encoding": "lzma"})
    assert response.status == 415
    assert response.headers["accept-encoding"] == "gzip,deflate,br,zstd"
    assert "'lzma'" in response.json()["causes"][0]


def test_too_large_an_event_is_refused(collector: Collector, client: Client) -> None:
    response = client.envelope(event_envelope(message="x" * 1024 * 1024))
    assert response.status == 413
    assert response.json()["detail"] == "envelope exceeded size limits for type 'event'"
    assert len(collector.inbox) == 0
    assert len(collector.refusals[0].body) > 1024 * 1024


@pytest.mark.parametrize("path", ["/api/1/store/", "/api/1/minidump", "/api/1/events/" + EVENT_ID + "/attachments/"])
def test_no_key_is_refused(collector: Collector, client: Client, path: str) -> None:
    response = client.request("POST", path, EVENT)
    assert (response.status, response.json()["detail"]) == (401, "missing authorization information")
    assert collector.refusals[0].service == "payment"


def test_two_keys_are_refused(client: Client) -> None:
    response = client.post(f"/envelope/?sentry_key={client.dsn.public_key}", event_envelope())
    assert response.status == 401
    assert "more than one way" in response.json()["causes"][0]


def test_unknown_key_is_refused(collector: Collector, client: Client) -> None:
    response = client.request("POST", "/api/77/envelope/?sentry_key=stale", event_envelope())
    assert response.status == 403
    assert response.json()["detail"] == "event submission rejected with_reason: ProjectId"
    assert "'stale'" in response.json()["causes"][0]
    assert collector.refusals[0].service is None


def test_key_of_another_project_is_refused(collector: Collector, client: Client) -> None:
    other = collector.register("gateway")
    response = client.request("POST", f"/api/{other.project_id}/envelope/", event_envelope(), client.auth)
    assert response.status == 403
    assert "project 1 (payment), not of project 2" in response.json()["causes"][0]
    assert collector.refusals[0].service == "payment"


def test_dsn_of_another_project_in_the_envelope_is_refused(collector: Collector, client: Client) -> None:
    other = collector.register("gateway")
    response = client.envelope(event_envelope(dsn=str(other)))
    assert response.status == 400
    assert response.json()["causes"] == [
        "project id header mismatch between envelope and request: 2 in the envelope, 1 in the request"
    ]
    own_project = str(client.dsn).replace(client.dsn.public_key, other.public_key)
    assert "public key header mismatch" in client.envelope(event_envelope(dsn=own_project)).json()["causes"][0]
    assert (
        "project id" in client.request("POST", "/api/1/envelope/", event_envelope(dsn=str(other))).json()["causes"][0]
    )
    assert client.request("POST", "/", event_envelope(dsn="http://stale@localhost/1")).status == 403
    assert len(collector.inbox) == 0
    assert client.envelope(event_envelope(dsn=str(client.dsn))).status == 200


def test_project_must_be_a_number(client: Client) -> None:
    response = client.request("POST", "/api/shop/envelope/", event_envelope(), client.auth)
    assert (response.status, response.json()["detail"]) == (400, "bad project path parameter")


def test_protocol_of_the_future_is_refused(client: Client) -> None:
    headers = {"X-Sentry-Auth": f"Sentry sentry_key={client.dsn.public_key}, sentry_version=8"}
    response = client.request("POST", "/api/1/envelope/", event_envelope(), headers)
    assert (response.status, response.json()["detail"]) == (400, "unsupported protocol version (8)")


def test_unknown_path_and_method(collector: Collector, client: Client) -> None:
    assert client.request("POST", "/api/1/stores/", EVENT).status == 404
    assert client.request("GET", "/favicon.ico").status == 404
    response = client.request("PUT", "/api/1/envelope/", event_envelope())
    assert (response.status, response.headers["allow"]) == (405, "POST")
    assert [refusal.status for refusal in collector.refusals] == [404, 404, 405]
    assert "'/api/1/stores/'" in collector.refusals[0].detail


@pytest.mark.parametrize("path", ["/api/1/envelope/", "/api/1/store/", "/", "/api/1/security/"])
def test_preflight(collector: Collector, client: Client, path: str) -> None:
    headers = {
        "Origin": "http://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-sentry-auth",
    }
    response = client.request("OPTIONS", path, headers=headers)
    assert (response.status, response.body) == (200, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "POST"
    assert response.headers["access-control-max-age"] == "3600"
    assert set(response.headers["access-control-allow-headers"].split(",")) == {
        "x-sentry-auth",
        "x-requested-with",
        "x-forwarded-for",
        "origin",
        "referer",
        "accept",
        "content-type",
        "authentication",
        "authorization",
        "content-encoding",
        "transfer-encoding",
    }
    assert collector.refusals == []


def test_browsers_may_read_every_answer(client: Client) -> None:
    for response in (
        client.envelope(event_envelope()),
        client.envelope(b"broken"),
        client.request("POST", "/api/1/envelope/", b"{}"),
        client.request("POST", "/nowhere", b""),
    ):
        assert response.headers["access-control-allow-origin"] == "*"
        exposed = set(response.headers["access-control-expose-headers"].split(","))
        assert exposed == {"x-sentry-error", "x-sentry-rate-limits", "retry-after"}


def test_health(collector: Collector, client: Client) -> None:
    response = client.request("GET", "/health")
    assert (response.status, response.json()) == (200, {"is_healthy": True})
    assert client.request("POST", "/health", b"").status == 405
    assert len(collector.inbox) == 0


@pytest.mark.parametrize(
    "body",
    [
        EVENT,
        b" " + EVENT,
        base64.b64encode(EVENT),
        base64.b64encode(zlib.compress(EVENT)),
    ],
)
def test_store_wraps_an_event_in_an_envelope(collector: Collector, client: Client, body: bytes) -> None:
    response = client.post("/store/", body, {"Content-Type": "application/octet-stream"})
    assert (response.status, response.json()) == (200, {"id": EVENT_ID})
    arrival = only(collector)
    assert (arrival.endpoint, arrival.body) == ("store", body)
    assert arrival.envelope is not None
    (item,) = arrival.envelope.items
    assert (item.type, item.json()) == ("event", json.loads(EVENT))
    assert arrival.envelope.event_id == EVENT_ID


def test_store_takes_transactions_and_events_without_id(collector: Collector, client: Client) -> None:
    response = client.post("/store", json.dumps({"type": "transaction"}).encode())
    arrival = only(collector)
    assert arrival.envelope is not None
    assert arrival.envelope.items[0].type == "transaction"
    assert response.json() == {"id": arrival.envelope.event_id}


def test_store_takes_an_envelope(collector: Collector, client: Client) -> None:
    client.post("/store/", event_envelope(), {"Content-Type": "application/x-sentry-envelope"})
    assert only(collector).envelope == Envelope.parse(event_envelope())


def test_store_without_project_finds_it_by_key(collector: Collector, client: Client) -> None:
    collector.register("gateway")
    assert client.request("POST", "/api/store/", EVENT, client.auth).status == 200
    assert only(collector).project_id == client.dsn.project_id


def test_store_by_image(collector: Collector, client: Client) -> None:
    data = base64.urlsafe_b64encode(EVENT).decode().replace("-", "%2B").replace("_", "%2F").replace("=", "%3D")
    response = client.request("GET", f"/api/1/store/?sentry_key={client.dsn.public_key}&sentry_data={data}")
    assert response.status == 200
    assert response.headers["content-type"] == "image/gif"
    assert response.body.startswith(b"GIF89a")
    assert len(response.body) == 28
    found = only(collector).envelope
    assert found is not None
    assert found.items[0].json() == json.loads(EVENT)


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"", 400, "empty request body"),
        (b"{", 400, "invalid JSON data"),
        (b"[]", 400, "invalid request body"),
        (base64.b64encode(zlib.compress(b"[]")), 400, "invalid JSON data"),
        (b'{"event_id":7}', 400, "invalid event id"),
        (b'{"message":"' + b"x" * 1024 * 1024 + b'"}', 413, "payload too large"),
        (base64.b64encode(zlib.compress(b'{"message":"' + b"x" * 2**20 + b'"}')), 413, "payload too large"),
    ],
)
def test_store_refuses(client: Client, body: bytes, status: int, detail: str) -> None:
    response = client.post("/store/", body)
    assert (response.status, response.json()["detail"]) == (status, detail)


def test_security_report(collector: Collector, client: Client) -> None:
    report = json.dumps({"csp-report": {"document-uri": "http://shop.example"}}).encode()
    path = f"/api/1/security/?sentry_key={client.dsn.public_key}&sentry_release=shop%401&sentry_environment=prod"
    response = client.request("POST", path, report, {"Content-Type": "application/csp-report"})
    assert (response.status, response.body) == (200, b"")
    arrival = only(collector)
    assert (arrival.endpoint, arrival.body) == ("security", report)
    assert arrival.envelope is not None
    (item,) = arrival.envelope.items
    assert (item.type, item.payload) == ("raw_security", report)
    assert item.headers["sentry_release"] == "shop@1"
    assert item.headers["sentry_environment"] == "prod"
    assert (
        client.post("/csp-report/", report, {"Content-Type": "application/csp-report; charset=utf-8"}).status == 200
    )
    assert client.post("/security/", report, {"Content-Type": "text/plain"}).status == 415
    assert client.post("/security/", b"", {"Content-Type": "application/json"}).status == 400


def test_network_error_reports(collector: Collector, client: Client) -> None:
    reports = [{"type": "network-error", "url": "http://a"}, {"type": "network-error", "url": "http://b"}]
    headers = {"Content-Type": "application/reports+json"}
    assert client.post("/nel/", json.dumps(reports).encode(), headers).status == 200
    found = only(collector).envelope
    assert found is not None
    assert [(item.type, item.json()) for item in found.items] == [("nel", report) for report in reports]
    assert client.post("/nel/", b"{}", headers).status == 400


def test_check_in_by_url(collector: Collector, client: Client) -> None:
    key = client.dsn.public_key
    path = f"/api/1/cron/nightly%20job/{key}?status=ok&duration=2.5&environment=prod&check_in_id={DASHED}"
    response = client.request("GET", path)
    assert (response.status, response.body) == (202, b"")
    found = only(collector).envelope
    assert found is not None
    (item,) = found.items
    assert item.type == "check_in"
    assert item.json() == {
        "check_in_id": EVENT_ID,
        "monitor_slug": "nightly job",
        "status": "ok",
        "duration": 2.5,
        "environment": "prod",
    }


def test_check_in_by_json(collector: Collector, client: Client) -> None:
    check_in = {"status": "in_progress", "monitor_config": {"schedule": {"type": "crontab", "value": "0 * * * *"}}}
    body = json.dumps(check_in).encode()
    assert client.post("/cron/nightly", body, {"Content-Type": "application/json"}).status == 202
    found = only(collector).envelope
    assert found is not None
    assert found.items[0].json() == {**check_in, "check_in_id": "0" * 32, "monitor_slug": "nightly"}


@pytest.mark.parametrize("query", ["", "duration=1", "status=ok&duration=nan", "status=ok&check_in_id=7"])
def test_check_in_refused(client: Client, query: str) -> None:
    response = client.request("GET", f"/api/1/cron/nightly/{client.dsn.public_key}/?{query}")
    assert (response.status, response.json()["detail"]) == (400, "invalid check-in")


@pytest.mark.parametrize("path", ["/minidump", "/minidump/", "/unreal/{key}/"])
def test_crash_dumps_are_kept_raw(collector: Collector, client: Client, path: str) -> None:
    dump = b"MDMP" + bytes(range(256))
    full = f"/api/1{path.format(key=client.dsn.public_key)}"
    headers = {"Content-Type": "application/octet-stream", **({} if "unreal" in path else client.auth)}
    response = client.request("POST", full, dump, headers)
    assert response.status == 200
    assert str(uuid.UUID(response.body.decode())) == response.body.decode()
    arrival = only(collector)
    assert (arrival.endpoint, arrival.body) == (path.strip("/").partition("/")[0], dump)
    assert arrival.envelope is None
    assert client.request("POST", full, b"", headers).status == 400


def test_attachments_are_kept_raw(collector: Collector, client: Client) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\x00\xff\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = client.post(f"/events/{DASHED}/attachments/", body, headers)
    assert (response.status, response.body) == (201, b"")
    assert (only(collector).endpoint, only(collector).body) == ("attachments", body)
    assert client.post("/events/7/attachments/", body, headers).status == 400


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/integration/otlp/v1/traces", "otlp_traces"),
        ("/integration/otlp/v1/traces/", "otlp_traces"),
        ("/otlp/v1/traces", "otlp_traces"),
        ("/integration/otlp/v1/logs", "otlp_logs"),
    ],
)
def test_otlp_is_kept_raw(collector: Collector, client: Client, path: str, endpoint: str) -> None:
    body = b"\x0a\x00\xff"
    for media_type in ("application/x-protobuf", "application/json; charset=utf-8"):
        assert client.post(path, body, {"Content-Type": media_type}).status == 202
    assert [(arrival.endpoint, arrival.body) for arrival in collector.inbox.arrivals()] == [(endpoint, body)] * 2
    response = client.post(path, body, {"Content-Type": "text/plain"})
    assert (response.status, response.json()["detail"]) == (415, "unsupported media type")
    assert client.post(path, body).status == 415


def test_refusal_wakes_who_waits(collector: Collector, client: Client) -> None:
    looked: list[int] = []

    def ready() -> int | None:
        looked.append(len(collector.refusals))
        if not collector.refusals:
            client.envelope(b"broken")
            return None
        return len(collector.refusals)

    assert collector.inbox.wait_for(ready, timeout=10) == 1


def test_defect_of_the_collector_loses_nothing(
    collector: Collector, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_path: str) -> None:
        raise ZeroDivisionError("defect")

    monkeypatch.setattr(ingest_module, "check_item_limits", broken)
    response = client.envelope(event_envelope())
    assert (response.status, response.json()["detail"]) == (500, "the collector failed")
    assert "ZeroDivisionError: defect" in collector.refusals[0].detail
    assert collector.refusals[0].body == event_envelope()
