from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest
import sentry_sdk

from harness.fixtures.in_process import capture_in_process
from harness.verify.capture import Capture
from observability.manifest import DebugRegistry
from observability.parameters import BadParameter, IntParameter
from observability.request_scope import begin_debug_request, choose_request_id
from observability.runtime import resident_mb, runtime_contexts
from observability.scrubbing import FILTERED, names_a_secret, scrub, scrub_event, scrub_log, scrub_metric
from observability.settings import Address, BadSetting, bind, read_integer, read_url, run_service
from observability.structured_log import JsonFormatter

SIZE = IntParameter("mb", default=4, ceiling=16, floor=1)


class TestIntParameter:
    @pytest.mark.parametrize(("query", "value"), [({}, 4), ({"mb": "1"}, 1), ({"mb": "16"}, 16), ({"other": "x"}, 4)])
    def test_is_read(self, query: dict[str, str], value: int) -> None:
        assert SIZE.read(query) == value

    @pytest.mark.parametrize("text", ["0", "17", "-1", "1.5", "", "ten", "1_0", "٣", " 3", "1" * 5000])
    def test_out_of_bounds_is_refused(self, text: str) -> None:
        with pytest.raises(BadParameter, match="parameter mb must be a whole number from 1 to 16"):
            SIZE.read({"mb": text})


class TestRegistry:
    def make(self) -> DebugRegistry[Callable[[], str]]:
        debug = DebugRegistry[Callable[[], str]]("demo")

        @debug.endpoint("/debug/error/zero-division", demonstrates="a division", status=500, group="crash")
        def divide() -> str:
            return "divided"

        return debug

    def test_manifest_lists_what_is_routed(self) -> None:
        debug = self.make()
        assert debug.manifest() == {
            "service": "demo",
            "endpoints": [
                {
                    "method": "GET",
                    "path": "/debug/error/zero-division",
                    "demonstrates": "a division",
                    "status": 500,
                    "group": "crash",
                }
            ],
        }
        assert [(endpoint.path, handler()) for endpoint, handler in debug] == [
            ("/debug/error/zero-division", "divided")
        ]

    def test_scenario_comes_from_the_path(self) -> None:
        assert self.make().find("/debug/error/zero-division").scenario == "error.zero-division"

    def test_a_path_is_registered_once_and_under_debug(self) -> None:
        debug = self.make()
        with pytest.raises(ValueError, match="registered twice"):
            debug.endpoint("/debug/error/zero-division", demonstrates="", status=500, group="crash")
        with pytest.raises(ValueError, match="must be under /debug/"):
            debug.endpoint("/crash", demonstrates="", status=500, group="crash")
        with pytest.raises(KeyError):
            debug.find("/debug/error/zero-division", "POST")


class TestRequestScope:
    def test_user_and_tags_are_set_on_the_request_alone(self) -> None:
        with sentry_sdk.isolation_scope() as scope:
            assert (
                begin_debug_request("demo", "crash", request_id="req_1", debug_user="user-7", tags={"game": "x"})
                == "user-7"
            )
            event = scope.apply_to_event({}, {}, None)
        assert event is not None
        assert event["user"] == {"id": "user-7", "username": "debug-demo"}
        assert event["tags"] == {"debug.scenario": "crash", "game": "x", "request_id": "req_1"}
        with sentry_sdk.isolation_scope() as scope:
            assert begin_debug_request("demo", "crash", request_id="req_1", debug_user=None) == "debug-demo-user"

    @pytest.mark.parametrize("user", ["", "a b", "x" * 65, "ä", "a\n"])
    def test_other_users_are_refused(self, user: str) -> None:
        with pytest.raises(BadParameter, match="X-Debug-User"):
            begin_debug_request("demo", "crash", request_id="req_1", debug_user=user)

    def test_request_id_is_the_callers_if_it_is_plain(self) -> None:
        assert choose_request_id("abc-1") == "abc-1"
        assert choose_request_id("<script>").startswith("req_")
        assert choose_request_id(None) != choose_request_id(None)


# What a request carries that nobody but the service may see, by header.
SECRETS = {
    "authorization": "Bearer 5f0c7a",
    "cookie": 'session=9b1e"33; theme=dark',
    "x-api-key": "k-77ab",
    "x-card-number": "4242 4242 4242 4242",
    "x-customer-email": "ada@example.com",
}
FRAGMENTS = ("5f0c7a", "9b1e", "33;", "theme=dark", "k-77ab", "4242", "ada@example")


class Headers(dict[str, str]):
    """Headers as frameworks have them: their `repr` is that of a mapping within a call."""

    def __repr__(self) -> str:
        return f"Headers({super().__repr__()})"


@dataclass
class Login:
    user: str
    password: str
    api_key: str | None = None


class Opaque:
    """An object of which the SDK has nothing but the `repr`."""

    def __init__(self, shown: object) -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return f"<Request {self._shown!r}>"


class TestScrubbing:
    @pytest.mark.parametrize(
        "name",
        [
            *SECRETS,
            "Set-Cookie",
            "cookies",
            "b'x-card-number'",
            "http.request.header.x-card-number",
            "cardNumber",
            "APIKey",
            "HTTP_X_API_KEY",
            "accessToken",
            "db_password",
            "client-secret",
            "E-Mail",
        ],
    )
    def test_names_of_secrets(self, name: str) -> None:
        assert names_a_secret(name)

    @pytest.mark.parametrize(
        "name",
        [
            "round_id",
            "discarded",
            "scorecards",
            "cookiecutter",
            "key",
            "x-request-id",
            "tokens",
            "user",
            "amount",
            "",
        ],
    )
    def test_other_names(self, name: str) -> None:
        assert not names_a_secret(name)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({"Password": "x", "user": "ada"}, {"Password": FILTERED, "user": "ada"}),
            ({"card": {"number": 4242, "name": "Ada"}}, {"card": FILTERED}),
            ({"card": None, "token": "", "cookies": []}, {"card": None, "token": "", "cookies": []}),
            ({"card": False, "secrets": {}}, {"card": False, "secrets": {}}),
            ([["host", "a"], ["Cookie", "b"]], [["host", "a"], ["Cookie", FILTERED]]),
            ([["b'x-api-key'", "b'k'"]], [["b'x-api-key'", FILTERED]]),
            (["cookie", "biscuit", "wafer"], ["cookie", "biscuit", "wafer"]),
        ],
    )
    def test_by_structure(self, before: Any, after: Any) -> None:
        assert scrub(before) == after

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("Headers({'host': 'a', 'cookie': 'b=\"c'})", "Headers({'host': 'a', 'cookie': '[Filtered]'})"),
            ("[(b'x-api-key', b'k'), (b'te', b'x')]", "[(b'x-api-key', '[Filtered]'), (b'te', b'x')]"),
            (
                'body: {"card_number": 4242, "cvc": "1", "n": 2}',
                'body: {"card_number": [Filtered], "cvc": "[Filtered]", "n": 2}',
            ),
            (r'"{\"token\": \"a\", \"n\": 1}"', r'"{\"token\": \"[Filtered]\", \"n\": 1}"'),
            (r"{'password': 'it\'s', 'n': 1}", "{'password': '[Filtered]', 'n': 1}"),
            (
                "Login(user='ada', password='a, b', api_key=None)",
                "Login(user='ada', password='[Filtered]', api_key=None)",
            ),
            ("/pay?token=abc&page=2", "/pay?token=[Filtered]&page=2"),
            ("{'x': {'cookies': {'a': ['b']}, 'n': 1}}", "{'x': {'cookies': [Filtered], 'n': 1}}"),
            ("{'authorization': 'Bearer cut sho", "{'authorization': '[Filtered]'"),
            (
                "GET / HTTP/1.1\r\nAuthorization: Basic a=b\r\nHost: a",
                "GET / HTTP/1.1\r\nAuthorization: [Filtered]\r\nHost: a",
            ),
            ("Form(cookies=[], token=None, secrets={})", "Form(cookies=[], token=None, secrets={})"),
            ("{'cookie': 'token=abc; a=b', 'n': 1}", "{'cookie': '[Filtered]', 'n': 1}"),
            ("{'secret': <Box 'x'>}", "{'secret': [Filtered]}"),
            ("invalid token: expected a number", "invalid token: expected a number"),
            ("card declined, cookie='" + "x" * 100_000, "card declined, cookie='[Filtered]'"),
        ],
    )
    def test_inside_of_texts(self, before: str, after: str) -> None:
        assert scrub(before) == after
        assert scrub(after) == after

    def test_locals_headers_and_breadcrumbs_of_an_error_are_filtered_and_the_rest_stays(self) -> None:
        def settle(round_id: str, bet_cents: int, headers: Headers, login: Login, rest: list[object]) -> None:
            scope = {"headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
            raise ValueError(f"bet of {bet_cents} cents in round {round_id} for {scope!r}")

        rest: list[object] = [
            list(SECRETS.items()),
            json.dumps(SECRETS),
            Opaque(dict(SECRETS)),
            Opaque(json.dumps(SECRETS)),
        ]
        headers = Headers({"host": "a", **SECRETS})
        with capturing() as capture:
            sentry_sdk.add_breadcrumb(category="http", message="called", data={"headers": dict(SECRETS)})
            sentry_sdk.set_context("request", {"headers": list(SECRETS.items()), "round_id": "rnd_1"})
            try:
                settle("rnd_1", 100, headers, Login("ada", SECRETS["x-api-key"]), [*rest, [[[[rest]]]]])
            except ValueError as error:
                sentry_sdk.capture_exception(error)
        event = capture.error()
        assert_clean(event.payload)
        variables = event.frames[-1].raw["vars"]
        assert variables["round_id"] == "'rnd_1'"
        assert variables["bet_cents"] == "100"
        assert variables["headers"]["host"] == "'a'"
        assert variables["headers"]["cookie"] == FILTERED
        assert variables["scope"]["headers"][1] == ["b'authorization'", FILTERED]
        assert variables["login"].endswith("Login(user='ada', password='[Filtered]', api_key=None)")
        assert event.contexts["request"]["round_id"] == "rnd_1"
        assert event.frames[-1].context_line is not None
        assert "raise ValueError(" in event.frames[-1].context_line

    def test_spans_logs_and_metrics_are_filtered(self) -> None:
        with capturing() as capture, sentry_sdk.start_transaction(name="pay"):
            with sentry_sdk.start_span(op="http.client", name="/pay?token=abc") as span:
                span.set_data("http.request.header.x-card-number", SECRETS["x-card-number"])
                span.set_data("slot.round_id", "rnd_1")
            sentry_sdk.logger.info("headers {headers!r}", headers=dict(SECRETS), attributes={**SECRETS, "game": "x"})
            sentry_sdk.metrics.count("pays", 1, attributes={**SECRETS, "game": "x"})
        span_data = capture.span(op="http.client").attributes
        assert capture.span(op="http.client").name == "/pay?token=[Filtered]"
        assert (span_data["http.request.header.x-card-number"], span_data["slot.round_id"]) == (FILTERED, "rnd_1")
        log, metric = capture.log(), capture.metric()
        assert (log.attributes["game"], log.attributes["cookie"]) == ("x", FILTERED)
        assert (metric.attributes["game"], metric.attributes["cookie"]) == ("x", FILTERED)
        for arrival in capture.evidence.arrivals:
            assert arrival.envelope is not None
            assert_clean([item.json() for item in arrival.envelope.items])

    def test_what_describes_the_program_stays(self) -> None:
        event: Any = {"modules": {"email-validator": "2.2"}, "_meta": {"request": {"cookies": {"": {"rem": []}}}}}
        frame = {"lineno": 3, "context_line": "login(password=read('x'))", "vars": {"password": "'x'"}}
        event["exception"] = {"values": [{"stacktrace": {"frames": [frame]}}]}
        scrubbed: Any = scrub_event(event, {})
        assert (scrubbed["modules"], scrubbed["_meta"]) == (event["modules"], event["_meta"])
        kept = scrubbed["exception"]["values"][0]["stacktrace"]["frames"][0]
        assert kept == {**frame, "vars": {"password": FILTERED}}


def capturing() -> AbstractContextManager[Capture]:
    return capture_in_process(
        traces_sample_rate=1.0,
        enable_logs=True,
        auto_enabling_integrations=False,
        before_send=scrub_event,
        before_send_transaction=scrub_event,
        before_send_log=scrub_log,
        before_send_metric=scrub_metric,
    )


def assert_clean(payload: Any) -> None:
    text = json.dumps(payload)
    for fragment in FRAGMENTS:
        assert fragment not in text, f"{fragment} is in ...{text[max(0, text.index(fragment) - 200) :][:220]}"


def test_runtime_contexts_agree_with_the_process() -> None:
    contexts = runtime_contexts(("demo", "1.2"))
    assert contexts["runtime_memory"]["rss_mb"] < contexts["runtime_memory"]["vms_mb"]
    assert contexts["runtime_cpu"]["user_s"] > 0
    assert contexts["runtime_cpu"]["system_count"] == os.cpu_count()
    assert "MainThread" in contexts["runtime_threads"]["names"]
    assert contexts["runtime_versions"] == {
        "python": sys.version.split()[0],
        "demo": "1.2",
        "sentry_sdk": sentry_sdk.VERSION,
    }


def test_memory_is_measured_anew_however_many_threads_measure() -> None:
    done = threading.Event()

    def measure() -> None:
        while not done.is_set():
            runtime_contexts(("demo", "1.2"))

    others = [threading.Thread(target=measure) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for _ in range(30):
            # So large that the allocator gives it back at once, and written to, so that it is resident.
            block = b"\x01" * (48 * 1024 * 1024)
            peak = resident_mb()
            del block
            assert resident_mb() < peak - 24
    finally:
        done.set()
        for other in others:
            other.join()


class TestSettings:
    @pytest.mark.parametrize("text", ["eighty", "-1", "65536", "80.0"])
    def test_bad_number(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        monkeypatch.setenv("PORT", text)
        with pytest.raises(BadSetting, match=f"PORT must be a whole number from 0 to 65535, not '{text}'"):
            read_integer("PORT", default=80, lowest=0, highest=65535)

    @pytest.mark.parametrize("text", ["payment:8003", "ftp://payment", "http://", "http://payment?x=1", "/payment"])
    def test_bad_url(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        monkeypatch.setenv("PAYMENT_URL", text)
        with pytest.raises(BadSetting, match=r"PAYMENT_URL must be a base URL such as http://127\.0\.0\.1:1"):
            read_url("PAYMENT_URL", "http://127.0.0.1:1")

    def test_url_loses_its_last_slash(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PAYMENT_URL", "https://payment.example/base/")
        assert read_url("PAYMENT_URL", "http://127.0.0.1:1") == "https://payment.example/base"

    def test_taken_port_ends_with_one_line_and_code_2(self, capsys: pytest.CaptureFixture[str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(SystemExit) as ended:
                run_service("demo", lambda: bind(Address("127.0.0.1", port)).close())
        assert ended.value.code == 2
        message = capsys.readouterr().err
        assert message.startswith(f"demo: cannot listen on 127.0.0.1:{port}: Address already in use")
        assert message.count("\n") == 1


def test_a_log_record_is_one_line_of_json() -> None:
    try:
        int("first line\nsecond line")
    except ValueError:
        record = logging.LogRecord("demo", logging.ERROR, __file__, 1, "it broke: %s", ("here",), sys.exc_info())
    text = JsonFormatter("demo").format(record)
    line = json.loads(text)
    assert "\n" not in text
    assert (line["level"], line["service"], line["message"]) == ("error", "demo", "it broke: here")
    assert "ValueError: invalid literal" in line["exception"]


def test_a_token_is_hidden_whatever_it_is_called_and_however_it_is_cut() -> None:
    token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"
    assert scrub({"text": f"Malformed HTTP message: 'X: {token}'"}) == {
        "text": f"Malformed HTTP message: 'X: {FILTERED}'"
    }
    assert scrub([token[:24], "eyJ"]) == [FILTERED, "eyJ"]
    record = logging.LogRecord("tornado.general", logging.INFO, __file__, 1, "bad header %r", (token,), None)
    assert json.loads(JsonFormatter("shop").format(record))["message"] == f"bad header '{FILTERED}'"


@pytest.mark.parametrize("before", ["token ", "x-token: ", "'token': '"])
def test_a_long_run_of_backslashes_holds_nobody_up(before: str) -> None:
    began = time.process_time()
    scrub(before + "\\" * 100_000)
    assert time.process_time() - began < 5


def test_half_of_a_surrogate_pair_takes_no_line_of_the_log_along() -> None:
    code = "\n".join(
        [
            "from observability.structured_log import log_line, log_to_stdout",
            "log_to_stdout('analytics')",
            "log_line(20, 'debug.trigger', sub=chr(0xD800), method='GÉT')",
        ]
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    line = json.loads(ended.stdout.decode("utf-8"))
    assert (line["message"], line["sub"], line["method"]) == ("debug.trigger", "\ud800", "GÉT")
