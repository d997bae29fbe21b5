"""The flush barrier: after it, what a service captured has arrived, and what it did not send will not come."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.collector.server import Collector
from harness.fleet.fleet import Fleet
from harness.fleet.flushing import FlushReport
from harness.fleet.process import ProcessInstance
from tests.fleet.surroundings import MakeFleet

REPORTING = '[service.shop]\ncommand = ["{python}", "SERVICES/reporting.py"'
NODE = '[service.shop]\ncommand = ["node", "SERVICES/node.cjs"'
SENTRY_NODE = Path(__file__).parents[2] / "services/payment/node_modules/@sentry/node"


def logs(collector: Collector) -> Counter[str]:
    """The bodies of all log items that have arrived."""
    found: Counter[str] = Counter()
    for arrival in collector.inbox.arrivals():
        for item in arrival.envelope.items if arrival.envelope is not None else ():
            if item.type == "log":
                found.update(entry["body"] for entry in item.json()["items"])
    return found


def messages(collector: Collector) -> list[str]:
    return [
        item.json()["message"]
        for arrival in collector.inbox.arrivals()
        for item in (arrival.envelope.items if arrival.envelope is not None else ())
        if item.type == "event"
    ]


def call(fleet: Fleet, path: str) -> str:
    return requests.get(fleet.instances["shop"].url + path, timeout=10).text


def test_what_the_sdk_had_batched_has_arrived_when_the_barrier_is_passed(
    make_fleet: MakeFleet, collector: Collector
) -> None:
    with make_fleet(REPORTING + "]") as fleet:
        call(fleet, "/log")
        assert logs(collector) == {}
        reports = fleet.flush(timeout=5)
        assert logs(collector) == {"from the service": 1}
        shop = fleet.instances["shop"]
    (answer,) = reports["shop"].answered
    assert (reports["shop"].instance, reports["shop"].state, reports["shop"].settled) == ("shop", "flushed", True)
    assert (answer.pid, answer.state, answer.dsn, answer.error) == (shop.pid, "flushed", str(shop.dsn), None)
    assert answer.runtime.startswith("python/3.")
    assert (answer.sdk or "").startswith("sentry.python/2.")


def test_stopping_a_fleet_delivers_what_was_captured(make_fleet: MakeFleet, collector: Collector) -> None:
    with make_fleet(REPORTING + "]") as fleet:
        call(fleet, "/log")
    assert logs(collector) == {"from the service": 1}


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_child_processes_have_agents_of_their_own(make_fleet: MakeFleet, collector: Collector, way: str) -> None:
    with make_fleet(REPORTING + "]") as fleet:
        call(fleet, "/log")
        child = int(call(fleet, f"/{way}"))
        report = fleet.flush(timeout=5)["shop"]
        assert logs(collector) == {"from the service": 1, f"from the {way}ed child": 1}
        shop = fleet.instances["shop"]
    assert {shop.pid, child} <= {answer.pid for answer in report.answered}
    assert report.state == "flushed"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_what_is_captured_after_the_response_is_waited_for(
    make_fleet: MakeFleet, collector: Collector, loop: str
) -> None:
    with make_fleet(f'[service.shop]\ncommand = ["{{python}}", "SERVICES/afterwards.py", "{loop}"]') as fleet:
        call(fleet, "/block/0.2")
        report = fleet.flush(timeout=5)["shop"]
        assert messages(collector) == ["after the response"]
    assert report.settled


def test_an_asynchronous_transport_is_flushed_in_its_own_loop(make_fleet: MakeFleet, collector: Collector) -> None:
    command = '["{python}", "SERVICES/afterwards.py", "asyncio", "async-transport"]'
    with make_fleet(f"[service.shop]\ncommand = {command}") as fleet:
        call(fleet, "/block/0")
        report = fleet.flush(timeout=5)["shop"]
        assert messages(collector) == ["after the response"]
        assert "flush() used with AsyncHttpTransport" not in fleet.instances["shop"].log_tail()
    assert report.state == "flushed"


def test_a_blocked_event_loop_is_reported_and_does_not_block_the_barrier(
    make_fleet: MakeFleet, collector: Collector
) -> None:
    configuration = (
        '[fleet]\nstop_timeout = 0.1\n[service.shop]\ncommand = ["{python}", "SERVICES/afterwards.py", "asyncio"]'
    )
    with make_fleet(configuration) as fleet:
        call(fleet, "/block/60")
        report = fleet.flush(timeout=5)["shop"]
        assert messages(collector) == []
    assert report.state == "flushed"
    assert report.answered[0].loop_blocked
    assert not report.settled


def test_a_service_without_sdk_or_without_init_says_so(make_fleet: MakeFleet) -> None:
    uninitialised = REPORTING + ', "uninitialised"]'
    plain = '\n[service.bank]\ncommand = ["{python}", "SERVICES/plain.py"]'
    with make_fleet(uninitialised + plain) as fleet:
        reports = fleet.flush(timeout=5)
        only_bank = fleet.flush(["bank"])
    assert (reports["shop"].state, reports["shop"].answered[0].dsn) == ("not-initialised", None)
    assert (reports["shop"].answered[0].sdk or "").startswith("sentry.python/2.")
    assert (reports["bank"].state, reports["bank"].answered[0].sdk) == ("no-sdk", None)
    assert reports["bank"].settled
    assert list(only_bank) == ["bank"]


def test_a_service_that_cannot_be_preloaded_has_no_agent(make_fleet: MakeFleet) -> None:
    with make_fleet('[service.shop]\ncommand = ["{python}", "-I", "SERVICES/plain.py"]') as fleet:
        report = fleet.flush(timeout=5)["shop"]
    assert report == FlushReport("shop", (), "no-agent", None)
    assert not report.settled


def test_a_service_that_has_exited_says_so(make_fleet: MakeFleet) -> None:
    with make_fleet(REPORTING + "]") as fleet:
        with pytest.raises(requests.ConnectionError):
            call(fleet, "/exit")
        # Not waited for: the process may still be on its way out.
        report = fleet.flush(timeout=5)["shop"]
        assert (report.state, report.exit_code) == ("exited", 3)
        assert {answer.state for answer in report.answered} <= {"gone"}
        assert report.settled
    assert fleet.flush(timeout=5)["shop"].state == "exited"


def test_a_service_that_does_not_answer_times_out(make_fleet: MakeFleet) -> None:
    with make_fleet("[fleet]\nstop_timeout = 0.1\n" + REPORTING + "]") as fleet:
        pid = fleet.instances["shop"].pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        report = fleet.flush(timeout=0.1)["shop"]
    assert report.state == "timed-out"
    assert "did not answer" in (report.answered[0].error or "")


def test_an_sdk_that_cannot_send_in_time_times_out(make_fleet: MakeFleet, collector: Collector) -> None:
    with make_fleet(REPORTING + "]") as fleet:
        call(fleet, "/log")
        report = fleet.flush(timeout=0.0)["shop"]
    assert report.state == "timed-out"


def test_an_unknown_service_is_named(make_fleet: MakeFleet) -> None:
    with (
        make_fleet('[service.shop]\ncommand = ["{python}", "SERVICES/plain.py"]') as fleet,
        pytest.raises(LookupError, match=r"no service 'shp'\. Did you mean 'shop'"),
    ):
        fleet.flush(["shp"])


def test_a_services_own_sitecustomize_and_path_are_kept(
    make_fleet: MakeFleet, tmp_path: Path, get: Callable[[str], Any]
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text('import os; os.environ["OWN"] = __name__')
    configuration = (
        '[service.shop]\ncommand = ["{python}", "SERVICES/plain.py"]\nenvironment = { PYTHONPATH = "{root}/own" }'
    )
    with make_fleet(configuration) as fleet:
        seen = get(fleet.instances["shop"].url + "/python")
        environment = get(fleet.instances["shop"].url + "/environment")
        assert fleet.flush(timeout=5)["shop"].state == "no-sdk"
    assert seen["sitecustomize"] == str(tmp_path / "own" / "sitecustomize.py")
    assert environment["OWN"] == "sitecustomize"
    assert str(tmp_path / "own") in seen["path"]
    assert not [entry for entry in seen["path"] if "agents" in entry]


def test_a_broken_sitecustomize_of_the_service_breaks_nothing_else(make_fleet: MakeFleet, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text('raise RuntimeError("broken by its owner")')
    configuration = (
        '[service.shop]\ncommand = ["{python}", "SERVICES/plain.py"]\nenvironment = { PYTHONPATH = "{root}/own" }'
    )
    with make_fleet(configuration) as fleet:
        assert fleet.flush(timeout=5)["shop"].state == "no-sdk"
        assert "broken by its owner" in fleet.instances["shop"].log_tail()


@pytest.mark.parametrize("runtime", ["python", "node"])
def test_an_agent_that_reaches_nobody_is_silent_unless_asked(
    make_fleet: MakeFleet, get: Callable[[str], Any], runtime: str
) -> None:
    words = {"python": '"{python}", "SERVICES/plain.py"', "node": '"node", "SERVICES/node.cjs", "none"'}[runtime]
    with make_fleet(f"[service.shop]\ncommand = [{words}]\n") as fleet:
        shop = fleet.instances["shop"]
        assert isinstance(shop, ProcessInstance)
        launch = shop.launch
    assert launch is not None
    environment = {**launch.environment, "SENTRY_HARNESS_AGENT": "127.0.0.1:9/token"}
    nothing = {"python": ["-c", ""], "node": ["-e", "setTimeout(() => {}, 100)"]}[runtime]
    assert run(launch.command[0], nothing, environment) == ""
    assert "refused" in run(launch.command[0], nothing, {**environment, "SENTRY_HARNESS_DEBUG": "1"}).lower()
    assert "agent" in run(
        launch.command[0], nothing, {**environment, "SENTRY_HARNESS_AGENT": "?", "SENTRY_HARNESS_DEBUG": "1"}
    )


def run(program: str, arguments: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout + done.stderr


def node_report(make_fleet: MakeFleet, kind: str) -> tuple[FlushReport, Any]:
    with make_fleet(f'{NODE}, "{kind}"]') as fleet:
        call(fleet, "/capture-later")
        report = fleet.flush(timeout=5)["shop"]
        return report, requests.get(fleet.instances["shop"].url, timeout=10).json()


def test_every_sdk_version_in_a_node_service_is_flushed(make_fleet: MakeFleet) -> None:
    report, seen = node_report(make_fleet, "two")
    assert sorted(seen["flushes"]) == [["10.1.0", 5000], ["11.0.0", 5000]]
    (answer,) = report.answered
    assert (report.state, answer.sdk, answer.dsn) == (
        *("flushed", "sentry.javascript.fake/11.0.0", "http://key@127.0.0.1/1"),
    )
    assert answer.runtime.startswith("node/")


@pytest.mark.parametrize(
    ("kind", "state", "sdk", "error"),
    [
        ("none", "no-sdk", None, None),
        ("not-initialised", "not-initialised", "sentry.javascript/11.0.0", None),
        ("unsent", "timed-out", "sentry.javascript.fake/11.0.0", None),
        ("failing", "failed", "sentry.javascript.fake/11.0.0", "Error: no way"),
    ],
)
def test_a_node_service_says_what_its_sdk_did(
    make_fleet: MakeFleet, kind: str, state: str, sdk: str | None, error: str | None
) -> None:
    report, _ = node_report(make_fleet, kind)
    (answer,) = report.answered
    assert (report.state, answer.state, answer.sdk, answer.error) == (state, state, sdk, error)


def test_what_node_captures_after_the_response_is_waited_for(make_fleet: MakeFleet) -> None:
    _, seen = node_report(make_fleet, "later")
    assert seen["flushes"] == [[True]]


def test_worker_threads_answer_when_they_have_an_sdk_and_may_block_when_they_have_none(make_fleet: MakeFleet) -> None:
    report, _ = node_report(make_fleet, "workers")
    assert sorted(answer.state for answer in report.answered) == ["no-sdk", "not-initialised"]


def test_cluster_workers_have_agents_of_their_own(make_fleet: MakeFleet) -> None:
    report, _ = node_report(make_fleet, "cluster")
    assert len({answer.pid for answer in report.answered}) == 2


def test_a_node_services_own_options_are_kept(make_fleet: MakeFleet, tmp_path: Path) -> None:
    (tmp_path / "own.cjs").write_text("globalThis.own = 'preloaded';")
    with make_fleet(f'{NODE}, "none"]\nenvironment = {{ NODE_OPTIONS = "--require {{root}}/own.cjs" }}') as fleet:
        seen = requests.get(fleet.instances["shop"].url, timeout=10).json()
        assert fleet.flush(timeout=5)["shop"].state == "no-sdk"
    assert seen["own"] == "preloaded"
    assert seen["parent"] is None, "a CommonJS program is still the main module"


@pytest.mark.skipif(not SENTRY_NODE.is_dir(), reason="the payment service's packages are not installed")
def test_what_the_node_sdk_had_batched_has_arrived_when_the_barrier_is_passed(
    make_fleet: MakeFleet, collector: Collector
) -> None:
    with make_fleet(f'{NODE}, "real", "{SENTRY_NODE}"]') as fleet:
        call(fleet, "/log")
        assert logs(collector) == {}
        report = fleet.flush(timeout=5)["shop"]
        assert logs(collector) == {"from node": 1}
    assert (report.answered[0].sdk or "").startswith("sentry.javascript.node/")
    assert report.answered[0].dsn == str(fleet.instances["shop"].dsn)
