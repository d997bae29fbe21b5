"""The shape of a capture: what it tells, and that timing, ids and ports do not show in it."""

from __future__ import annotations

from typing import Any

from harness.verify.baseline.normalising import normalise, versions
from harness.wire.envelope import Envelope
from tests.samples import LOG_CONTENT, METRIC_CONTENT, TRACE, container, envelope, json_item
from tests.verify.baseline.capturing import call, captured, crash, request


def log(body: str, level: str = "info") -> dict[str, Any]:
    return {"trace_id": TRACE, "level": level, "body": body, "attributes": {"shop": {"value": "a", "type": "string"}}}


def metric(name: str, value: float) -> dict[str, Any]:
    return {"trace_id": TRACE, "name": name, "type": "counter", "value": value, "attributes": {}}


def test_an_event_is_told_with_everything_that_matters() -> None:
    shape = normalise(
        captured(
            request(),
            crash(
                "round rnd_fe52815d is broken",
                tags={"shop": "a", "round": "rnd_fe52815d"},
                user={"id": "alice"},
                contexts={"memory": {"rss_mb": 84.1, "names": ["a", "b"]}, "os": {"name": "Debian"}},
                breadcrumbs={"values": [{"category": "open", "message": "opened", "data": {"cents": 100}}]},
                fingerprint=["{{ default }}", "round"],
                request={"url": "http://127.0.0.1:4001/spin", "method": "GET", "headers": {"Host": "x"}, "data": "y"},
                release="game@verification",
                server_name="host-1",
                sdk={"name": "sentry.python", "version": "2.75.0", "integrations": ["stdlib", "argv"]},
            ),
        )
    )
    assert shape["response"] == {"status": 500, "content_type": "application/json"}
    assert shape["events"] == [
        {
            "service": "game",
            "kind": "error",
            "level": "error",
            "exceptions": [
                {
                    "type": "ValueError",
                    "value": "round <rnd-1> is broken",
                    "mechanism": "tornado",
                    "handled": False,
                    "frames": ["slots: spin"],
                }
            ],
            "span": "game http.server GET /spin",
            "tags": {"shop": "a", "round": "<rnd-1>"},
            "user": {"id": "alice"},
            "contexts": {"memory": {"rss_mb": "<number>", "names": "<list>"}, "os": "<machine>"},
            "breadcrumbs": [{"category": "open", "message": "opened", "data": {"cents": "<number>"}}],
            "fingerprint": ["{{ default }}", "round"],
            "request": {"url": "http://<game>/spin", "method": "GET", "headers": ["host"], "data": "<text>"},
            "release": "game@verification",
            "server_name": "<host>",
            "sdk": "sentry.python",
            "integrations": ["argv", "stdlib"],
        }
    ]


def test_spans_are_a_tree_with_the_names_of_their_attributes() -> None:
    outer = call("GET http://127.0.0.1:4001/pay", "00000000000000b1", data={"http.method": "GET"}, status="ok")
    inner = call("SELECT 1", "00000000000000c1", parent="00000000000000b1", op="db")
    shape = normalise(captured(request(outer, inner)))
    assert shape["trace"] == {
        "game http.server GET /spin": {
            "name": "GET /spin",
            "spans": {
                "game http.client GET http://<game>/pay": {
                    "name": "GET http://<game>/pay",
                    "status": "ok",
                    "attributes": ["http.method"],
                    "spans": {"game db SELECT #": {"name": "SELECT 1"}},
                }
            },
        }
    }


def test_a_span_whose_parent_nobody_sent_says_so() -> None:
    lost = request(span="00000000000000d1", name="GET /lost", parent="00000000000000ff")
    shape = normalise(captured(request(), lost, projects=("1", "2")))
    assert shape["trace"]["payment http.server GET /lost"]["parent"] == "<not sent>"
    assert "parent" not in shape["trace"]["game http.server GET /spin"]


def test_neither_ids_nor_ports_nor_times_nor_arrival_matter() -> None:
    def run(port: int, marker: str, first: str, second: str, *, backwards: bool) -> dict[str, Any]:
        a, b = call("house", first, start_timestamp=100.1), call("regional", second, start_timestamp=100.15)
        sent = [request(*([b, a] if backwards else [a, b])), crash(f"{marker} at http://127.0.0.1:{port}/x")]
        logs = [log("one"), log("two")]
        signals = container("log", LOG_CONTENT, *(reversed(logs) if backwards else logs))
        sent.append(envelope(signals))
        return normalise(captured(*(reversed(sent) if backwards else sent), port=port))

    one = run(4001, "rnd_aaaaaaaa", "00000000000000b1", "00000000000000b2", backwards=False)
    other = run(4002, "rnd_bbbbbbbb", "00000000000000c1", "00000000000000c2", backwards=True)
    assert one == other


def test_events_come_service_by_service_whoever_was_first() -> None:
    events = crash("of payment", span="00000000000000d1"), crash("of game")
    one = normalise(captured(*events, projects=("2", "1")))
    other = normalise(captured(*reversed(events), projects=("1", "2")))
    assert [event["service"] for event in one["events"]] == ["game", "payment"]
    assert one == other


def test_things_that_are_alike_are_one_with_their_number() -> None:
    queries = [call("SELECT ?", f"00000000000000b{number}", op="db") for number in range(3)]
    other = call("SELECT ?", "00000000000000b9", op="db", data={"db.system": "sqlite"})
    spans = normalise(captured(request(*queries, other)))["trace"]["game http.server GET /spin"]["spans"]
    assert spans == {
        "game db SELECT ?": {"name": "SELECT ?", "attributes": ["db.system"]},
        "game db SELECT ? (2)": {"name": "SELECT ?", "times": 3},
    }


def test_logs_and_metrics_are_known_by_what_they_say() -> None:
    logs = container("log", LOG_CONTENT, log("paid 200 cents"))
    metrics = container("trace_metric", METRIC_CONTENT, metric("spins", 1), metric("spins", 2))
    shape = normalise(captured(envelope(logs, metrics)))
    said = {"service": "game", "level": "info", "body": "paid 200 cents", "attributes": ["shop"]}
    assert shape["logs"] == {"game info paid # cents": said}
    assert shape["metrics"] == {
        "game counter spins": {"service": "game", "type": "counter", "name": "spins", "times": 2}
    }


def test_the_place_in_the_source_that_only_slow_spans_tell_is_left_out() -> None:
    slow = call("GET /", "00000000000000b1", data={"code.lineno": 7, "code.function": "f", "codec": "x"})
    spans = normalise(captured(request(slow)))["trace"]["game http.server GET /spin"]["spans"]
    assert spans["game http.client GET /"]["attributes"] == ["codec"]


def test_a_recursion_is_as_deep_as_memory_allows_so_it_is_told_once() -> None:
    frames = [{"module": "m", "function": name, "in_app": True} for name in ("start", "a", "b", "a", "b", "a")]
    outside = {"module": "lib", "function": "call", "in_app": False}
    exception = {"type": "RecursionError", "stacktrace": {"frames": [*frames, outside]}}
    shape = normalise(captured(envelope(json_item("event", {"exception": {"values": [exception]}}))))
    assert shape["events"][0]["exceptions"][0]["frames"] == ["m: start", "m: a", "m: b"]


def test_attachments_and_profiles_are_present_by_name() -> None:
    attachment = json_item("attachment", {}, filename="state.json", content_type="application/json")
    profile = json_item("profile", {"transaction": {"name": "GET /spin", "trace_id": TRACE}})
    chunk = json_item("profile_chunk", {"profile": {}})
    capture = captured(envelope(attachment, profile), orphans=(envelope(chunk, trace_id=None),))
    assert len(capture.profiles) == 2
    shape = normalise(capture)
    kept = {"service": "game", "filename": "state.json", "content_type": "application/json"}
    assert shape["attachments"] == [kept]
    assert shape["profiles"] == [{"service": "game", "transaction": "GET /spin"}]


def test_versions_are_kept_apart() -> None:
    sdk, runtime = {"name": "sentry.python", "version": "2.75.0"}, {"name": "CPython", "version": "3.11.7"}
    capture = captured(crash(sdk=sdk, contexts={"runtime": runtime}))
    assert versions(capture) == {"game": {"sentry.python": "2.75.0", "CPython": "3.11.7"}}
    newer = captured(crash(sdk={**sdk, "version": "2.76.0"}, contexts={"runtime": {**runtime, "version": "3.12.1"}}))
    assert normalise(capture) == normalise(newer)


def test_comprehensions_have_a_frame_only_before_python_3_12() -> None:
    frames = [
        {"module": "m", "function": name, "in_app": True} for name in ("parse", "<dictcomp>", "port", "a.<listcomp>")
    ]
    exception = {"type": "E", "stacktrace": {"frames": frames}}
    shape = normalise(captured(envelope(json_item("event", {"exception": {"values": [exception]}}))))
    assert shape["events"][0]["exceptions"][0]["frames"] == ["m: parse", "m: port"]


def test_what_a_browser_measures_of_itself_is_left_out() -> None:
    blocked = call("Main UI thread blocked", "b" * 16, op="ui.long-animation-frame")
    fetched = call("GET /spin", "c" * 16, data={"http.request.fetch_start": 1, "http.request.method": "GET"})
    vitals = {"lcp": {"value": 1}, "spins": {"value": 2}}

    def replay(segment: int) -> Envelope:
        return envelope(json_item("replay_event", {"replay_id": "a", "segment_id": segment, "trace_ids": [TRACE]}))

    slow = normalise(captured(request(blocked, fetched, measurements=vitals), replay(0), replay(1)))
    fast = normalise(captured(request(fetched, measurements={"spins": {"value": 3}}), replay(0)))
    assert slow == fast
    ((_, segment),) = slow["trace"].items()
    assert segment["measurements"] == ["spins"]
    assert [held["attributes"] for held in segment["spans"].values()] == [["http.request.method"]]


def test_requests_that_a_page_makes_at_once_have_no_order() -> None:
    def crumb(category: str, url: str) -> dict[str, Any]:
        return {"category": category, "data": {"url": url}}

    def urls(platform: str, *crumbs: dict[str, Any]) -> list[str]:
        shape = normalise(captured(request(), crash(platform=platform, breadcrumbs={"values": list(crumbs)})))
        return [held["data"]["url"] for held in shape["events"][0]["breadcrumbs"]]

    made = (
        crumb("xhr", "/b"),
        crumb("xhr", "/a"),
        crumb("ui.click", "/z"),
        crumb("fetch", "/d"),
        crumb("fetch", "/c"),
    )
    assert urls("javascript", *made) == ["/a", "/b", "/z", "/c", "/d"]
    assert urls("python", *made) == ["/b", "/a", "/z", "/d", "/c"]
