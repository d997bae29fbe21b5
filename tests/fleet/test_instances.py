"""Instances over their life: isolated ones, revived ones, and what the system sees of them."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from harness.collector.server import Collector
from harness.fleet.instance import StartFailure
from harness.fleet.ports import reserve_port
from tests.fleet.surroundings import MakeFleet

Get = Callable[[str], Any]

PLAIN = 'command = ["{python}", "SERVICES/plain.py"'
GATEWAY = f"""
[fleet]
entry = "gateway"
stop_timeout = 0.5
[service.gateway]
{PLAIN}]
environment = {{ SHOP = "{{shop.url}}", BANK = "{{bank.url}}" }}
[service.shop]
{PLAIN}]
route = "/shop"
environment = {{ GATEWAY = "{{gateway.url}}" }}
[service.bank]
{PLAIN}]
route = "/bank"
[service.aside]
{PLAIN}]
"""


def kill(get: Get, url: str) -> None:
    with pytest.raises(requests.ConnectionError):
        get(f"{url}/exit/3")


def test_an_isolated_service_has_an_entry_of_its_own_and_shares_the_rest(
    make_fleet: MakeFleet, get: Get, collector: Collector
) -> None:
    with make_fleet(GATEWAY) as fleet:
        with fleet.isolated("shop") as view:
            shop, gateway = view.instances["shop"], view.instances["gateway"]
            assert (shop.name, gateway.name) == ("shop#1", "gateway#1")
            assert view.instances["bank"] is fleet.instances["bank"]
            seen = get(f"{gateway.url}/environment")
            assert (seen["SHOP"], seen["BANK"]) == (shop.url, fleet.instances["bank"].url)
            assert get(f"{shop.url}/environment")["GATEWAY"] == gateway.url != fleet.instances["gateway"].url
            assert collector.service_of(shop.dsn.project_id) == "shop#1"
            assert seen["SENTRY_DSN"] == str(gateway.dsn)
            assert shop.log_path.name == "shop.1.log"
            kill(get, shop.url)
            assert shop.wait_exit(5) == 3
            assert view.flush(["shop", "bank"])["shop"].state == "exited"
        assert gateway.exit_code is not None
        assert {instance.exit_code for instance in fleet.instances.values()} == {None}
        assert fleet.resources("shop#1")
        with fleet.isolated("shop") as second:
            assert second.instances["shop"].name == "shop#2"


def test_a_service_that_is_called_directly_needs_no_entry_of_its_own(make_fleet: MakeFleet) -> None:
    with make_fleet(GATEWAY) as fleet:
        with fleet.isolated("aside") as view:
            assert [name for name in fleet.instances if view.instances[name] is not fleet.instances[name]] == [
                "aside"
            ]
        with fleet.isolated("gateway") as view:
            assert view.instances["shop"] is fleet.instances["shop"]
            assert view.instances["gateway"].name == "gateway#1"


def test_several_services_may_be_had_at_once_with_one_entry(make_fleet: MakeFleet, get: Get) -> None:
    with make_fleet(GATEWAY) as fleet, fleet.isolated("aside", "shop", "bank", "shop") as view:
        own = [name for name in fleet.instances if view.instances[name] is not fleet.instances[name]]
        assert own == ["gateway", "shop", "bank", "aside"]
        seen = get(f"{view.instances['gateway'].url}/environment")
        assert (seen["SHOP"], seen["BANK"]) == (view.instances["shop"].url, view.instances["bank"].url)


def test_isolated_instances_may_be_had_at_the_same_time_and_take_free_ports(make_fleet: MakeFleet, get: Get) -> None:
    with make_fleet(f"[service.shop]\n{PLAIN}]\nport = {reserve_port()}") as fleet:

        def pid() -> Any:
            with fleet.isolated("shop") as view:
                return view.instances["shop"].name, get(f"{view.instances['shop'].url}/pid")

        with ThreadPoolExecutor(3) as pool:
            seen = dict(attempt.result() for attempt in [pool.submit(pid) for _ in range(3)])
        assert set(seen) == {"shop#1", "shop#2", "shop#3"}
        assert len({*seen.values(), fleet.instances["shop"].pid}) == 4


def test_an_isolated_instance_that_does_not_start_leaves_nothing_behind(
    make_fleet: MakeFleet, is_gone: Callable[[int], bool]
) -> None:
    # The first one takes what the second one would need.
    script = 'mkdir "$0" && exec "$1" "$2"'
    words = ["sh", "-c", script, "{root}/taken", "{python}", "SERVICES/plain.py"]
    with make_fleet(f"[service.shop]\ncommand = {words}") as fleet:
        with pytest.raises(StartFailure, match="'shop#1' did not start"), fleet.isolated("shop"):
            pytest.fail("there is nothing to work with")
        assert fleet.instances["shop"].alive


def test_nothing_can_be_isolated_from_a_fleet_that_was_not_started(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(f"[service.shop]\n{PLAIN}]")
    with pytest.raises(RuntimeError, match="must be started before"), fleet.isolated("shop"):
        pytest.fail("there is nothing to work with")


def test_a_fleet_that_stops_ends_isolated_instances_too(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(f"[service.shop]\n{PLAIN}]")
    fleet.start()
    with fleet.isolated("shop") as view:
        fleet.stop()
        assert view.instances["shop"].exit_code is not None
    with pytest.raises(StartFailure, match="the fleet was stopped"), fleet.isolated("shop"):
        pytest.fail("there is nothing to work with")


def test_a_dead_service_is_revived_at_its_port(
    make_fleet: MakeFleet, get: Get, is_gone: Callable[[int], bool]
) -> None:
    with make_fleet(f"[service.shop]\n{PLAIN}]") as fleet:
        shop = fleet.instances["shop"]
        url, dsn, first = shop.url, shop.dsn, shop.pid
        assert fleet.revive("shop").pid == first
        child = get(f"{url}/child")
        kill(get, url)
        assert shop.wait_exit(5) == 3
        revived = fleet.revive("shop")
        assert (revived, revived.url, revived.dsn, revived.exit_code) == (shop, url, dsn, None)
        assert get(f"{url}/pid") == shop.pid != first
        assert is_gone(child), "what the dead one had left behind"
        assert fleet.flush(timeout=5)["shop"].state == "no-sdk"
        assert "--- shop is started again ---" in shop.log_tail()
    assert shop.exit_code is not None


def test_a_revival_at_a_port_that_was_taken_meanwhile_fails_with_its_holder(make_fleet: MakeFleet, get: Get) -> None:
    with make_fleet(f"[service.shop]\n{PLAIN}]") as fleet:
        shop = fleet.instances["shop"]
        kill(get, shop.url)
        shop.wait_exit(5)
        with (
            socket.create_server(("127.0.0.1", shop.port)),
            pytest.raises(
                StartFailure, match=rf"its port {shop.port} is in use by process {os.getpid()} .*know it by"
            ),
        ):
            fleet.revive("shop")
        with pytest.raises(LookupError, match=r"no service 'shopp'\. Did you mean 'shop'"):
            fleet.revive("shopp")


def test_resources_are_sampled_over_the_whole_process_tree(
    make_fleet: MakeFleet, get: Get, eventually: Callable[..., None]
) -> None:
    with make_fleet(f"[fleet]\nstop_timeout = 0.2\n[service.shop]\n{PLAIN}]") as fleet:
        url = fleet.instances["shop"].url
        before = fleet.resources("shop")
        assert before, "the first sample is there when the fleet is"
        started_at = fleet.instances["shop"].started_at
        assert started_at - 0.1 < before[0].at < started_at + 0.5
        base = max(sample.rss_bytes for sample in before)
        get(f"{url}/hold/40000000")
        eventually(lambda: fleet.resources("shop")[-1].rss_bytes > base + 38_000_000, "40 MB in the samples")
        assert any(sample.cpu_percent > 5 for sample in fleet.resources("shop")), "starting Python takes CPU"
        get(f"{url}/child")
        eventually(lambda: fleet.resources("shop")[-1].rss_bytes > base + 65_000_000, "the child's 30 MB as well")
        assert fleet.resources("shop")[-1].threads > before[0].threads
        kill(get, url)
        fleet.instances["shop"].wait_exit(5)
        samples = fleet.resources("shop")
        with pytest.raises(LookupError, match=r"no service 'shpo'\. Did you mean 'shop'"):
            fleet.resources("shpo")
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(samples)]
    assert all(gap > 0 for gap in gaps)
    assert sorted(gaps)[len(gaps) // 2] < 0.3, "about ten samples a second"
