"""Starting a fleet: order, ports, readiness, and what is said when it fails."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.fleet.instance import StartFailure
from harness.fleet.ports import reserve_port
from tests.fleet.surroundings import Gate, MakeFleet

PLAIN = 'command = ["{python}", "SERVICES/plain.py"'


def test_services_start_together_and_a_dependent_one_when_its_dependencies_are_ready(
    make_fleet: MakeFleet, gate: Gate, get: Callable[[str], Any]
) -> None:
    fleet = make_fleet(
        f"""
        [service.last]
        {PLAIN}]
        depends_on = ["first", "second"]
        environment = {{ FIRST = "{{first.url}}" }}
        [service.first]
        {PLAIN}, "gate={gate.address}"]
        [service.second]
        {PLAIN}, "gate={gate.address}"]
        """
    )
    with ThreadPoolExecutor(1) as pool:
        start = pool.submit(fleet.start)
        assert {gate.wait_for_one(), gate.wait_for_one()} == {"first@verification", "second@verification"}
        assert not fleet.instances["last"].started_at
        gate.open()
        start.result()
    first, last = fleet.instances["first"], fleet.instances["last"]
    assert first.alive
    assert last.started_at > first.started_at > 0
    environment = get(f"{last.url}/environment")
    assert environment["FIRST"] == first.url == f"http://127.0.0.1:{first.port}"
    assert environment["PORT"] == str(last.port)
    assert environment["SENTRY_DSN"] == str(last.dsn)
    assert get(f"{first.url}/pid") == first.pid
    assert first.log_tail() == f"plain service gate={gate.address}"


def test_the_readiness_probe_is_in_a_trace_that_is_not_sampled(make_fleet: MakeFleet, tmp_path: Path) -> None:
    received: list[dict[str, str]] = []

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            received.append(dict(self.headers))
            self.send_response(204 if len(received) > 2 else 503)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
            pass

    # The service itself only relays: what a probe looks like and when it counts is seen from this side.
    relay = tmp_path / "relay.py"
    relay.write_text(
        "import http.server, os, sys, urllib.request\n"
        "class Relay(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        request = urllib.request.Request(sys.argv[1] + self.path, headers=dict(self.headers))\n"
        "        try: status = urllib.request.urlopen(request).status\n"
        "        except urllib.error.HTTPError as problem: status = problem.code\n"
        "        self.send_response(status); self.end_headers()\n"
        "http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Relay).serve_forever()\n"
    )
    with HTTPServer(("127.0.0.1", 0), Health) as health:
        threading.Thread(target=health.serve_forever, daemon=True).start()
        fleet = make_fleet(
            f"""
            [service.shop]
            command = ["{{python}}", "relay.py", "http://127.0.0.1:{health.server_port}"]
            ready = "/health"
            """
        )
        fleet.start()
        health.shutdown()
    assert len(received) == 3
    traces = [{name.lower(): value for name, value in headers.items()}["sentry-trace"] for headers in received]
    assert all(re.fullmatch("[0-9a-f]{32}-[0-9a-f]{16}-0", trace) for trace in traces)


def test_a_service_that_dies_at_start_is_shown_with_command_and_log(make_fleet: MakeFleet, tmp_path: Path) -> None:
    fleet = make_fleet(f'[service.shop]\n{PLAIN}, "raise=no stock"]\n[service.bank]\n{PLAIN}, "hang"]')
    started = time.monotonic()
    with pytest.raises(StartFailure) as caught:
        fleet.start()
    assert time.monotonic() - started < 20, "the other service, which is never ready, is given up"
    message = str(caught.value)
    assert re.search(
        r"Service 'shop' did not start: it ended with exit code 1 after \d\.\d s, before it was", message
    )
    assert "plain.py raise=no stock\n" in message
    assert f"directory: {tmp_path}\n" in message
    assert str(tmp_path / "logs" / "shop.log") in message
    assert message.endswith(f"RuntimeError: no stock at port {fleet.instances['shop'].port}")
    assert not fleet.instances["bank"].alive


def test_a_service_that_ends_without_a_complaint_has_not_started_either(make_fleet: MakeFleet) -> None:
    with pytest.raises(StartFailure, match="it ended with exit code 0 after"):
        make_fleet(f'[service.shop]\n{PLAIN}, "exit=0"]').start()


def test_a_service_that_is_killed_at_start_names_the_signal(make_fleet: MakeFleet) -> None:
    with pytest.raises(StartFailure, match="it was ended by SIGKILL after"):
        make_fleet('[service.shop]\ncommand = ["sh", "-c", "kill -9 $$"]').start()


def test_all_services_that_fail_are_named(make_fleet: MakeFleet) -> None:
    with pytest.raises(StartFailure) as caught:
        make_fleet('[service.shop]\ncommand = ["nodee"]\n[service.bank]\ncommand = ["./none.sh"]').start()
    assert "Service 'shop' could not be started: no program 'nodee' was found. Install it, put" in str(caught.value)
    assert "Service 'bank' could not be started: no program './none.sh' was found. Check that" in str(caught.value)
    assert "[service.bank]" in str(caught.value)


def test_a_missing_directory_is_named(make_fleet: MakeFleet, tmp_path: Path) -> None:
    with pytest.raises(StartFailure) as caught:
        make_fleet(f'[service.shop]\n{PLAIN}]\ndirectory = "shops"').start()
    assert f"its directory {tmp_path / 'shops'} does not exist. Correct 'directory' under [service.shop]" in str(
        caught.value
    )


def test_a_file_that_is_no_program_is_named(make_fleet: MakeFleet, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("\0\1no program")
    (tmp_path / "run").chmod(0o755)
    with pytest.raises(
        StartFailure, match=r"'shop' could not be started: \./run: Exec format error\. Check 'command'"
    ):
        make_fleet('[service.shop]\ncommand = ["./run"]').start()


@pytest.mark.parametrize(
    ("ready", "argument", "problem"),
    [
        ('ready = "/missing"', "", r"GET http://127\.0\.0\.1:\d+/missing: answered 404 Not Found\."),
        ('ready = "/health"', "hang", r"GET http://127\.0\.0\.1:\d+/health: connection refused or broken\."),
        ("", "hang", r"a connection to 127\.0\.0\.1:\d+: \[Errno \d+\] Connection refused\."),
    ],
)
def test_a_service_that_is_never_ready_says_what_its_probe_last_heard(
    make_fleet: MakeFleet, ready: str, argument: str, problem: str
) -> None:
    fleet = make_fleet(f'[fleet]\nstartup_timeout = 0.7\n[service.shop]\n{PLAIN}, "{argument}"]\n{ready}')
    with pytest.raises(StartFailure, match=rf"it was not ready within 0\.7 s: {problem}"):
        fleet.start()
    assert fleet.instances["shop"].exit_code is not None


def test_a_fixed_port_in_use_names_its_holder(make_fleet: MakeFleet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(StartFailure) as caught:
            make_fleet(f"[service.shop]\n{PLAIN}]\nport = {port}").start()
    assert f"its port {port} is in use by process {os.getpid()} (" in str(caught.value)
    assert "leave 'port' out under [service.shop]" in str(caught.value)


def test_a_fixed_port_is_used(make_fleet: MakeFleet, get: Callable[[str], Any]) -> None:
    port = reserve_port()
    with make_fleet(f"[service.shop]\n{PLAIN}]\nport = {port}") as fleet:
        assert get(f"http://127.0.0.1:{port}/pid") == fleet.instances["shop"].pid


def test_a_service_whose_port_is_snatched_gets_another_and_everybody_knows(
    make_fleet: MakeFleet, gate: Gate, get: Callable[[str], Any]
) -> None:
    fleet = make_fleet(
        f"""
        [service.shop]
        {PLAIN}, "gate={gate.address}"]
        [service.bank]
        {PLAIN}]
        environment = {{ SHOP = "{{shop.url}}" }}
        [service.aside]
        {PLAIN}]
        """
    )
    with ThreadPoolExecutor(1) as pool:
        start = pool.submit(fleet.start)
        gate.wait_for_one()
        snatched = fleet.instances["shop"].port
        # The shop is running already and about to listen: the moment in which nothing can protect its port.
        with socket.create_server(("127.0.0.1", snatched)):
            gate.open()
            gate.wait_for_one()
            gate.open()
            start.result()
    shop, bank, aside = (fleet.instances[name] for name in ("shop", "bank", "aside"))
    assert shop.port != snatched
    assert get(f"{bank.url}/environment")["SHOP"] == shop.url
    assert get(f"{shop.url}/environment")["PORT"] == str(shop.port)
    assert "Address already in use" in shop.log_tail()
    assert "--- bank is started again ---" in bank.log_tail()
    assert "started again" not in aside.log_tail()


def test_a_service_that_finds_its_port_taken_again_and_again_fails_with_its_own_words(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(f'[service.shop]\n{PLAIN}, "raise=EADDRINUSE on my second port"]')
    with pytest.raises(StartFailure, match="EADDRINUSE on my second port"):
        fleet.start()
    log = fleet.instances["shop"].log_path.read_text()
    assert log.count("--- shop is started again ---") == 2
    assert len(set(re.findall(r"RuntimeError: .* at port (\d+)", log))) == 3


def test_a_fleet_is_started_once(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(f"[service.shop]\n{PLAIN}]")
    fleet.start()
    with pytest.raises(RuntimeError, match="started once"):
        fleet.start()
    assert fleet.instances["shop"].alive
