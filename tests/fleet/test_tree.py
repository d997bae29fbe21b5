"""Who belongs to a service when the process that started everything is gone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import psutil
import pytest

from harness.fleet.environment import AGENT_VARIABLE
from harness.fleet.tree import end_processes, members

ADDRESS = "127.0.0.1:1/the-token-of-this-service"


@pytest.fixture
def orphan(request: pytest.FixtureRequest, eventually: Callable[..., None]) -> Iterator[tuple[int, int]]:
    """The pid of a leader that has ended, and that of what it left behind; the parameter says how it was started."""
    leader = subprocess.Popen(
        ["sh", "-c", f"{request.param} sleep 1000 > /dev/null & echo $!"],
        env={**os.environ, AGENT_VARIABLE: ADDRESS},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    child = int(leader.communicate()[0])
    eventually(lambda: psutil.Process(child).name() == "sleep", "the child's escape")
    yield leader.pid, child
    psutil.Process(child).kill()


@pytest.mark.parametrize(
    ("orphan", "sign"),
    [("env -i", "its session"), ("setsid", "its environment")],
    indirect=["orphan"],
)
def test_an_orphan_is_known_by(orphan: tuple[int, int], sign: str) -> None:
    leader, child = orphan
    assert [process.pid for process in members(leader, ADDRESS)] == [child], sign


@pytest.mark.parametrize("orphan", ["setsid"], indirect=True)
def test_a_stranger_is_left_alone(orphan: tuple[int, int]) -> None:
    leader, child = orphan
    assert members(leader, "127.0.0.1:1/the-token-of-another-service") == []
    assert end_processes(list, patience=0) == []
    assert psutil.Process(child).status() != psutil.STATUS_ZOMBIE


def test_what_cannot_be_ended_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.fleet.tree._KILL_PATIENCE", 0.1)
    monkeypatch.setattr(psutil.Process, "kill", lambda self: (_ for _ in ()).throw(psutil.AccessDenied(self.pid)))
    process = psutil.Popen(["sleep", "1000"])
    assert end_processes(lambda: [process], patience=0) == [process]
    monkeypatch.undo()
    assert end_processes(lambda: [process], patience=0) == []
    process.wait()
