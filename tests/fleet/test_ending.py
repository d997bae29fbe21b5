"""Ending a fleet: everything that a service started is gone afterwards, whatever happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.fleet.instance import StartFailure
from tests.fleet.surroundings import SERVICES, Gate, MakeFleet

PLAIN = 'command = ["{python}", "SERVICES/plain.py"'
QUICK = "[fleet]\nstop_timeout = 0.3\n"


def test_a_stopped_fleet_has_ended_by_sigterm(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(f"[service.shop]\n{PLAIN}]\n[service.bank]\n{PLAIN}]")
    with fleet:
        assert {instance.exit_code for instance in fleet.instances.values()} == {None}
        # The terminal's Ctrl-C goes to its own session: services are ended by the fleet alone.
        assert all(os.getsid(instance.pid or 0) == instance.pid for instance in fleet.instances.values())
    assert {instance.exit_code for instance in fleet.instances.values()} == {-signal.SIGTERM}
    fleet.stop()


def test_children_that_ignore_sigterm_are_killed_when_the_patience_is_over(
    make_fleet: MakeFleet, get: Callable[[str], Any], is_gone: Callable[[int], bool]
) -> None:
    fleet = make_fleet(f'{QUICK}[service.shop]\n{PLAIN}, "stubborn"]')
    fleet.start()
    shop = fleet.instances["shop"]
    child = get(f"{shop.url}/child")
    assert not is_gone(child)
    started = time.monotonic()
    fleet.stop()
    assert 0.3 < time.monotonic() - started < 3
    assert is_gone(child)
    assert shop.exit_code == -signal.SIGKILL


def test_children_are_ended_though_the_process_that_started_them_died_before(
    make_fleet: MakeFleet, get: Callable[[str], Any], is_gone: Callable[[int], bool]
) -> None:
    fleet = make_fleet(f"{QUICK}[service.shop]\n{PLAIN}]")
    fleet.start()
    shop = fleet.instances["shop"]
    child = get(f"{shop.url}/child")
    with pytest.raises(OSError, match="RemoteDisconnected"):
        get(f"{shop.url}/exit/0")
    assert shop.wait_exit(5) == 0
    assert not is_gone(child)
    fleet.stop()
    assert is_gone(child)


@pytest.mark.parametrize(
    ("script", "escape"),
    [
        ('"$0" "$1" & wait', "a shell's child"),
        ('setsid "$0" "$1" & exec sleep 1000', "a session of its own"),
        ('env -i PORT="$PORT" PATH="$PATH" "$0" "$1" & exec sleep 1000', "an empty environment"),
        ('setsid env -i PORT="$PORT" PATH="$PATH" "$0" "$1" & exec sleep 1000', "both"),
    ],
)
def test_a_command_that_starts_the_real_server_is_ended_as_a_whole(
    make_fleet: MakeFleet,
    get: Callable[[str], Any],
    is_gone: Callable[[int], bool],
    eventually: Callable[..., None],
    script: str,
    escape: str,
) -> None:
    words = ["sh", "-c", script, "{python}", "SERVICES/plain.py"]
    fleet = make_fleet(f"{QUICK}[service.shop]\ncommand = {words}\n")
    fleet.start()
    shop = fleet.instances["shop"]
    server = get(f"{shop.url}/pid")
    assert server != shop.pid
    assert shop.pid is not None
    if escape == "both":
        eventually(lambda: fleet.resources("shop")[-1].threads >= 2, "a sample of both processes")
    psutil.Process(shop.pid).kill()
    shop.wait_exit(5)
    assert not is_gone(server), escape
    fleet.stop()
    assert is_gone(server), escape


def test_a_fleet_may_be_stopped_before_it_is_up(make_fleet: MakeFleet, gate: Gate) -> None:
    fleet = make_fleet(f'{QUICK}[service.shop]\n{PLAIN}, "gate={gate.address}"]\n[service.bank]\n{PLAIN}]')
    with ThreadPoolExecutor(1) as pool:
        start = pool.submit(fleet.start)
        gate.wait_for_one()
        fleet.stop()
        with pytest.raises(StartFailure, match="given up because the fleet was stopped"):
            start.result()
    assert not any(instance.alive for instance in fleet.instances.values())
    assert fleet.instances["shop"].exit_code is not None


def test_a_fleet_that_was_never_started_can_be_stopped(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(f"[service.shop]\n{PLAIN}]")
    fleet.stop()
    with pytest.raises(RuntimeError, match="not after it was stopped"):
        fleet.start()


PROGRAM = """
import sys
from pathlib import Path
from harness.fleet.fleet import Fleet
from harness.fleet.spec import load_fleet_spec

spec = load_fleet_spec(Path("harness.toml"))
fleet = Fleet(spec, dsn_for=lambda name: "http://key@127.0.0.1:9/1", directory=Path("."))
try:
    fleet.start()
except KeyboardInterrupt:
    print("interrupted", *(instance.exit_code for instance in fleet.instances.values()), flush=True)
    raise
print(fleet.instances["shop"].pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Runs a fleet in a process of its own, which the test may then treat badly."""
    running: list[subprocess.Popen[str]] = []

    def run(configuration: str) -> subprocess.Popen[str]:
        (tmp_path / "harness.toml").write_text(configuration.replace("SERVICES", str(SERVICES)))
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM],
                cwd=tmp_path,
                env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.communicate()


def read_pid(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_services_do_not_outlive_a_program_that_forgets_to_stop_them(
    program: Callable[..., subprocess.Popen[str]], is_gone: Callable[[int], bool]
) -> None:
    process = program(f"[service.shop]\n{PLAIN}]")
    shop = read_pid(process)
    # Nor is it the guardian's merit: that is for programs that could not.
    (guardian,) = (
        child for child in psutil.Process(process.pid).children() if "harness.fleet.guardian" in child.cmdline()
    )
    guardian.kill()
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert is_gone(shop)


def test_services_do_not_outlive_a_program_that_is_killed(
    program: Callable[..., subprocess.Popen[str]],
    is_gone: Callable[[int], bool],
    eventually: Callable[..., None],
) -> None:
    process = program(f'[service.shop]\n{PLAIN}, "stubborn"]\n[service.bank]\n{PLAIN}]')
    shop = read_pid(process)
    left_behind = psutil.Process(process.pid).children()
    assert len(left_behind) == 3, "two services and their guardian"
    assert shop in [each.pid for each in left_behind]
    process.kill()
    process.wait(10)
    eventually(lambda: all(is_gone(each.pid) for each in left_behind), "the end of services and guardian")


def test_guardian_knows_a_service_before_it_runs(
    is_gone: Callable[[int], bool], eventually: Callable[..., None]
) -> None:
    """A harness that is killed just after the start of a service had no time to tell of its process."""
    program = """
        import os, signal, subprocess, sys
        from harness.fleet.environment import AGENT_VARIABLE
        from harness.fleet.guardian import Guardian

        guardian = Guardian()
        guardian.start()
        guardian.watch(None, "agent-of-the-test")
        environment = {**os.environ, AGENT_VARIABLE: "agent-of-the-test"}
        process = subprocess.Popen(["sleep", "1000"], env=environment, stdout=2, start_new_session=True)
        print(process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    eventually(lambda: is_gone(int(killed.stdout)), "the end of what was started")


def test_ctrl_c_while_the_fleet_starts_ends_what_was_started(
    program: Callable[..., subprocess.Popen[str]], gate: Gate
) -> None:
    process = program(f'[service.shop]\n{PLAIN}, "gate={gate.address}"]')
    gate.wait_for_one()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=10)
    assert output == f"interrupted {-signal.SIGKILL}\n"
    assert errors.rstrip().endswith("KeyboardInterrupt")


def test_a_second_ctrl_c_while_the_fleet_ends_leaves_nothing_behind(
    make_fleet: MakeFleet,
) -> None:
    fleet = make_fleet(f'[fleet]\nstop_timeout = 30\n[service.shop]\n{PLAIN}, "stubborn"]')
    fleet.start()
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fleet.stop()
    assert time.monotonic() - started < 10
    assert fleet.instances["shop"].exit_code == -signal.SIGKILL
