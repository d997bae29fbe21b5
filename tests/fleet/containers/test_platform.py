"""Services as containers, on a real engine: up, used, ended, and nothing left."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.fleet.configuration import ConfigurationError
from harness.fleet.containers import platform as platform_module
from harness.fleet.containers.engine import Engine, NoEngine, find_engine
from harness.fleet.containers.instance import ContainerInstance
from harness.fleet.containers.remains import LABEL, own_mark, remove_remains
from harness.fleet.fleet import FleetView
from harness.fleet.instance import StartFailure
from harness.fleet.ports import reserve_port
from tests.fleet.containers.conftest import COMPOSE, HARNESS, IMAGE, MakeContainers

PATIENCE = 30.0


def get(view: FleetView, service: str, path: str) -> Any:
    return requests.get(view.instances[service].url + path, timeout=PATIENCE).json()


def container(view: FleetView, service: str) -> ContainerInstance:
    instance = view.instances[service]
    assert isinstance(instance, ContainerInstance)
    return instance


def left(engine: Engine, mark: str | None = None) -> list[str]:
    """What is there of a process's runs."""
    everything = {"label": LABEL}
    return [
        held["Id"]
        for held in (*engine.api.containers(all=True, filters=everything), *engine.api.networks(filters=everything))
        if held["Labels"][LABEL].startswith(mark or own_mark())
    ]


def test_services_come_up_are_flushed_seen_and_gone(make_containers: MakeContainers, engine: Engine) -> None:
    with make_containers() as fleet:
        shop, bank = container(fleet, "shop"), container(fleet, "bank")
        seen = get(fleet, "shop", "/environment")
        assert seen["SENTRY_DSN"] == str(shop.dsn)
        assert (seen["SENTRY_RELEASE"], seen["BANK_URL"]) == ("shop@verification", "http://bank:8001")
        assert shop.addresses[:2] == (f"127.0.0.1:{shop.port}", "shop:8000")
        assert all(re.fullmatch(r"\d+\.\d+\.\d+\.\d+:8000", address) for address in shop.addresses[2:])
        reports = fleet.flush(timeout=5)
        assert [answer.state for answer in reports["shop"].answered] == ["no-sdk"]
        # Nothing could be preloaded, so nothing is certain.
        assert (reports["bank"].state, reports["bank"].settled) == ("no-agent", False)
        assert "plain service" in shop.log_tail()
        assert bank.alive
        assert max(sample.rss_bytes for sample in fleet.resources("shop")) > 5_000_000
        assert left(engine) != []
    assert left(engine) == []
    assert "plain service" in shop.log_path.read_text()


def test_isolated_containers_know_one_another_and_see_this_machine(
    make_containers: MakeContainers, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "flags.json").write_text("{}")
    with make_containers() as fleet:
        variables = {"FLAGS": str(tmp_path / "flags.json"), "OWN": "http://127.0.0.1:9/x", "URL": "{bank.url}"}
        with fleet.isolated("shop", "bank", environment={"shop": variables}) as own:
            seen = get(own, "shop", "/environment")
            fresh = container(own, "bank")
            assert seen["BANK_URL"] == seen["URL"] == f"http://{fresh.addresses[1]}"
            assert fresh.addresses[1] != container(fleet, "bank").addresses[1]
            assert re.fullmatch(r"http://\d+\.\d+\.\d+\.\d+:\d+/x", seen["OWN"])
            assert (own.instances["shop"].url, own.instances["shop"].dsn) != (
                fleet.instances["shop"].url,
                fleet.instances["shop"].dsn,
            )
        assert not fresh.alive
        assert "plain service" in fresh.log_path.read_text()
        with fleet.isolated("shop") as own:
            assert own.instances["bank"] is fleet.instances["bank"]
            assert get(own, "shop", "/environment")["BANK_URL"] == "http://bank:8001"


def test_a_container_that_ends_says_so_and_is_started_again(make_containers: MakeContainers) -> None:
    with make_containers() as fleet:
        shop = container(fleet, "shop")
        url = shop.url
        with pytest.raises(requests.ConnectionError):
            get(fleet, "shop", "/exit/3")
        # Its restart policy is the harness's to follow.
        assert shop.wait_exit(PATIENCE) == 3
        assert (shop.ending(), shop.fate()) == ("it ended with exit code 3",) * 2
        fleet.revive("shop")
        assert (shop.url, shop.exit_code, get(fleet, "shop", "/ready")) == (url, None, 1)
        # No policy has done that.
        assert shop.fate() is None


def test_a_memory_limit_is_told_as_such(make_containers: MakeContainers) -> None:
    limit = {"mem_limit": "40m", "memswap_limit": "40m"}
    with make_containers() as fleet, fleet.isolated("shop", definition={"shop": limit}) as own:
        shop = container(own, "shop")
        with pytest.raises(requests.ConnectionError):
            get(own, "shop", "/hold/200000000")
        assert shop.wait_exit(PATIENCE) == 137
        assert shop.wait_until(lambda life: life.starved > 0, PATIENCE)
        assert shop.fate() == (
            "the kernel killed it because its memory limit of 40 MiB was reached (exit code 137, OOM)"
        )


def test_a_killed_container_is_brought_back_by_its_policy(make_containers: MakeContainers) -> None:
    definition = {"shop": {"restart": "always"}}
    with make_containers() as fleet, fleet.isolated("shop", definition=definition) as own:
        shop = container(own, "shop")
        first = shop.pid
        shop.kill(signal.SIGKILL)
        assert shop.wait_until(lambda life: life.deaths == 1 and life.status == "running", PATIENCE)
        assert shop.fate() == (
            "it was ended by SIGKILL (exit code 137); its restart policy has started it again once"
        )
        assert (shop.exit_code, shop.pid != first) == (None, True)


def test_a_paused_container_is_not_waited_for(make_containers: MakeContainers) -> None:
    with make_containers() as fleet:
        shop = container(fleet, "shop")
        shop.pause()
        report = fleet.flush(["shop"], timeout=60)["shop"]
        assert (report.state, report.settled) == ("timed-out", False)
        assert shop.fate() == "it is paused: its processes stand still"
        shop.unpause()
        assert (shop.fate(), fleet.flush(["shop"])["shop"].state) == (None, "no-sdk")


def test_a_container_comes_back_to_its_networks_with_its_agent(make_containers: MakeContainers) -> None:
    with make_containers() as fleet, fleet.isolated("shop") as own:
        shop = container(own, "shop")
        shop.disconnect()
        assert shop.fate() == "it is cut off from all networks"
        assert own.flush(["shop"], timeout=60)["shop"].state == "timed-out"
        shop.reconnect()
        assert (shop.fate(), own.flush(["shop"])["shop"].state) == (None, "no-sdk")
        assert get(own, "shop", "/ready") == 1


def test_a_service_that_ends_at_once_is_shown_with_its_log(make_containers: MakeContainers, engine: Engine) -> None:
    broken = COMPOSE.replace("/services/plain.py]\n    restart", "/services/plain.py, raise=sold out]\n    restart")
    with pytest.raises(StartFailure, match=r"Service 'shop' did not start: it ended with exit code 1") as raised:
        make_containers(broken).start()
    assert "RuntimeError: sold out at port 8000" in str(raised.value)
    assert left(engine) == []


def test_what_services_need_is_shown_with_its_log_when_it_is_unhealthy(
    make_containers: MakeContainers, engine: Engine
) -> None:
    needy = COMPOSE.replace("depends_on: [bank]", "depends_on: { store: { condition: service_healthy } }")
    needy += """
  store:
    <<: *service
    command: [sh, -c, "echo the store is closed; sleep 60"]
    healthcheck: { test: [CMD, "false"], interval: 1s, retries: 1 }
"""
    with pytest.raises(StartFailure, match=r"The container of 'store' \(unhealthy\) said last") as raised:
        make_containers(needy).start()
    assert "the store is closed" in str(raised.value)
    assert left(engine) == []


def test_a_port_that_is_snatched_is_given_up(
    make_containers: MakeContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as snatched:
        ports = iter([snatched.getsockname()[1]])
        monkeypatch.setattr(platform_module, "reserve_port", lambda: next(ports, None) or reserve_port())
        with make_containers() as fleet:
            assert fleet.instances["shop"].port != snatched.getsockname()[1]
            assert get(fleet, "shop", "/ready") == 1


def test_a_start_that_is_given_up_leaves_nothing(make_containers: MakeContainers, engine: Engine) -> None:
    hanging = COMPOSE.replace("/services/plain.py]\n    restart", "/services/plain.py, hang=]\n    restart")
    fleet = make_containers(hanging)
    outcome: list[BaseException] = []

    def start() -> None:
        try:
            fleet.start()
        except StartFailure as failure:
            outcome.append(failure)

    starting = threading.Thread(target=start)
    starting.start()
    for _ in range(3000):
        if len(left(engine)) >= 4:
            break
    fleet.stop()
    starting.join(PATIENCE)
    assert "given up" in str(outcome[0])
    assert left(engine) == []


def test_what_a_killed_run_left_the_next_one_removes(make_containers: MakeContainers, engine: Engine) -> None:
    fleet = make_containers()
    root = fleet.spec.root
    script = """
import os, signal, sys
from pathlib import Path
from harness.fleet.choosing import choose
from harness.fleet.containers.remains import own_mark
from harness.fleet.fleet import Fleet
from harness.fleet.spec import load_fleet_spec

spec = load_fleet_spec(Path("harness.toml"))
platform = choose("compose", spec).platform
fleet = Fleet(spec, dsn_for=lambda _: "http://k@127.0.0.1:9/1", directory=Path("logs"), platform=platform)
fleet.start()
print(own_mark(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    mark = done.stdout.strip()
    assert len(left(engine, mark)) >= 3
    # Our own is not touched, nor that of somebody else's machine.
    assert [removed for removed in remove_remains(engine) if removed.startswith(mark)] != []
    assert left(engine, mark) == []


def test_a_service_that_the_file_lacks_is_named(make_containers: MakeContainers) -> None:
    with pytest.raises(ConfigurationError, match=r"compose.yml has no service 'cashier'"):
        make_containers(harness=HARNESS + "[service.cashier]\n").start()


def test_a_file_that_compose_does_not_read_is_shown_with_what_it_says(make_containers: MakeContainers) -> None:
    with pytest.raises(StartFailure, match=r"(?s)cannot be prepared: 'docker compose config' failed .*imagee"):
        make_containers(COMPOSE.replace("image:", "imagee:")).start()


def test_an_image_that_cannot_be_built_is_shown_with_what_it_says(
    make_containers: MakeContainers, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo no luck; false\n")
    with pytest.raises(StartFailure, match=r"(?s)'docker compose build' failed .*no luck"):
        make_containers(re.sub(r"image: .*", "build: .", COMPOSE)).start()


def test_without_an_engine_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    with monkeypatch.context() as nowhere:
        nowhere.setenv("DOCKER_HOST", "unix:///no/such/socket")
        with pytest.raises(NoEngine, match=r"none answers at unix:///no/such/socket: .* point DOCKER_HOST to it"):
            find_engine()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoEngine, match=r"no program 'docker' on PATH"):
        find_engine()
