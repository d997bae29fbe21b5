"""Attaching to services that run already: they are flushed, or known not to be, and never ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from harness.collector.server import Collector
from harness.fleet.attachable import attachable_fleet
from harness.fleet.attached import AttachedPlatform
from harness.fleet.attachment import Attachment, Endpoint
from harness.fleet.choosing import choose
from harness.fleet.configuration import ConfigurationError
from harness.fleet.fleet import Fleet
from harness.fleet.instance import StartFailure
from harness.fleet.ports import reserve_port
from harness.fleet.possible import NotPossible
from harness.fleet.spec import FleetSpec, load_fleet_spec
from tests.fleet.surroundings import SERVICES
from tests.fleet.test_flush_barrier import logs

PYTHON = 'command = ["{python}", "SERVICES/reporting.py"]'


@pytest.fixture
def spec_of(tmp_path: Path) -> Callable[[str], FleetSpec]:
    def spec_of(shop: str) -> FleetSpec:
        (tmp_path / "harness.toml").write_text("[service.shop]\n" + shop.replace("SERVICES", str(SERVICES)))
        return load_fleet_spec(tmp_path / "harness.toml")

    return spec_of


@contextmanager
def attached(spec: FleetSpec, attachment: Attachment, directory: Path) -> Iterator[tuple[Fleet, Collector]]:
    """A harness that finds the services running."""
    with Collector(host=attachment.collector.host, port=attachment.collector.port) as own:

        def dsn_for(name: str) -> str:
            known = attachment.services.get(name)
            return str(own.register(name, known.dsn if known else None))

        with Fleet(spec, dsn_for=dsn_for, directory=directory, platform=AttachedPlatform(attachment)) as fleet:
            yield fleet, own


def test_one_harness_after_the_other_attaches_and_flushes(
    spec_of: Callable[[str], FleetSpec], tmp_path: Path
) -> None:
    spec = spec_of(PYTHON)
    with attachable_fleet(spec, tmp_path / "up") as (running, attachment):
        for _ in range(2):
            with attached(spec, attachment, tmp_path / "logs") as (fleet, collector):
                shop = fleet.instances["shop"]
                assert shop.url == running.instances["shop"].url
                requests.get(shop.url + "/log", timeout=10)
                assert logs(collector) == {}
                report = fleet.flush(timeout=5)["shop"]
                assert (report.state, report.settled) == ("flushed", True)
                assert [answer.dsn for answer in report.answered] == [str(attachment.services["shop"].dsn)]
                assert logs(collector) == {"from the service": 1}
                assert (shop.alive, shop.exit_code, shop.pid) == (True, None, running.instances["shop"].pid)
                assert fleet.resources("shop")[0].rss_bytes > 5_000_000
        assert running.instances["shop"].alive


def test_a_node_service_is_attached_to_as_well(spec_of: Callable[[str], FleetSpec], tmp_path: Path) -> None:
    spec = spec_of('command = ["node", "SERVICES/node.cjs", "none"]')
    with attachable_fleet(spec, tmp_path / "up") as (_, attachment):
        for _ in range(2):
            with attached(spec, attachment, tmp_path / "logs") as (fleet, _):
                (answer,) = fleet.flush(timeout=5)["shop"].answered
                assert (answer.state, answer.runtime.partition("/")[0]) == ("no-sdk", "node")


@pytest.mark.parametrize("token", ["wrong" * 8, None])
def test_without_the_right_token_nothing_is_certain(
    spec_of: Callable[[str], FleetSpec], tmp_path: Path, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.fleet.attached.AGENT_TIMEOUT", 1.5)
    spec = spec_of(PYTHON)
    with attachable_fleet(spec, tmp_path / "up") as (_, attachment):
        shop = replace(attachment.services["shop"], agent=token)
        stranger = replace(attachment, services={"shop": shop})
        with attached(spec, stranger, tmp_path / "logs") as (fleet, _):
            report = fleet.flush(timeout=5)["shop"]
            assert (report.state, report.settled, report.answered) == ("no-agent", False, ())


def test_a_service_that_is_not_there_is_named_with_its_url(
    spec_of: Callable[[str], FleetSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.fleet.attached.READY_TIMEOUT", 0.5)
    spec = spec_of(f'[attach.service.shop]\nurl = "http://127.0.0.1:{reserve_port()}"\n')
    assert spec.attach is not None
    with (
        pytest.raises(StartFailure, match=r"'shop' did not start: it was not ready within 0.5 s") as raised,
        attached(spec, spec.attach, tmp_path / "logs"),
    ):
        pass
    assert "'url' under [attach.service.shop]" in str(raised.value)


def test_no_service_is_started_anew(spec_of: Callable[[str], FleetSpec], tmp_path: Path) -> None:
    spec = spec_of(PYTHON)
    with (
        attachable_fleet(spec, tmp_path / "up") as (_, attachment),
        attached(spec, attachment, tmp_path / "logs") as (fleet, _),
        pytest.raises(NotPossible, match=r"--fleet=attach: no shop of one's own can be started"),
        fleet.isolated("shop"),
    ):
        pass


def test_an_address_that_is_taken_is_named(spec_of: Callable[[str], FleetSpec], tmp_path: Path) -> None:
    spec = spec_of(PYTHON)
    with attachable_fleet(spec, tmp_path / "up") as (_, attachment):
        taken = replace(attachment, control=attachment.collector)
        with (
            pytest.raises(StartFailure, match=r"Agents cannot be listened for at 127.0.0.1:\d+: .*Correct 'control'"),
            attached(spec, taken, tmp_path / "logs"),
        ):
            pass


def test_the_choice_tells_where_the_collector_is_to_listen(
    spec_of: Callable[[str], FleetSpec], tmp_path: Path
) -> None:
    spec = spec_of('[attach]\ncollector = "127.0.0.1:4"\n[attach.service.shop]\nurl = "http://127.0.0.1:1"\n')
    assert choose("attach", spec).collector == Endpoint("127.0.0.1", 4)
    (tmp_path / "other.toml").write_text(
        '[attach]\ncollector = "127.0.0.1:5"\n[attach.service.shop]\nurl = "http://127.0.0.1:1"\n'
        'dsn = "http://k@127.0.0.1:5/7"\n'
    )
    other = choose("attach", spec, attach=tmp_path / "other.toml")
    assert (other.collector, str(other.dsns["shop"])) == (Endpoint("127.0.0.1", 5), "http://k@127.0.0.1:5/7")
    with pytest.raises(ConfigurationError, match=r"'command' is missing"):
        choose("process", spec)
