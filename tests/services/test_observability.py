from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Callable

import pytest
import sentry_sdk

from observability.manifest import DebugRegistry
from observability.parameters import BadParameter, IntParameter
from observability.request_scope import begin_debug_request, choose_request_id
from observability.runtime import runtime_contexts
from observability.settings import Address, BadSetting, bind, read_integer, read_url, run_service
from observability.structured_log import JsonFormatter

SIZE = IntParameter("mb", default=4, ceiling=16, floor=1)


class TestIntParameter:
    @pytest.mark.parametrize(("query", "value"), [({}, 4), ({"mb": "1"}, 1), ({"mb": "16"}, 16), ({"other": "x"}, 4)])
    def test_is_read(self, query: dict[str, str], value: int) -> None:
        assert SIZE.read(query) == value

    @pytest.mark.parametrize("text", ["0", "17", "-1", "1.5", "", "ten", "1_0", "٣", " 3"])
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
            assert begin_debug_request("demo", "crash", debug_user="user-7", tags={"game": "x"}) == "user-7"
            event = scope.apply_to_event({}, {}, None)
        assert event is not None
        assert event["user"] == {"id": "user-7", "username": "debug-demo"}
        assert event["tags"] == {"debug.scenario": "crash", "game": "x"}
        with sentry_sdk.isolation_scope() as scope:
            assert begin_debug_request("demo", "crash", debug_user=None) == "debug-demo-user"

    @pytest.mark.parametrize("user", ["", "a b", "x" * 65, "ä", "a\n"])
    def test_other_users_are_refused(self, user: str) -> None:
        with pytest.raises(BadParameter, match="X-Debug-User"):
            begin_debug_request("demo", "crash", debug_user=user)

    def test_request_id_is_the_callers_if_it_is_plain(self) -> None:
        assert choose_request_id("abc-1") == "abc-1"
        assert choose_request_id("<script>").startswith("req_")
        assert choose_request_id(None) != choose_request_id(None)


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
