"""Process trees: who belongs to a service, and how all of them are ended."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

from harness.fleet.environment import AGENT_VARIABLE

_PACE = 0.02
_KILL_PATIENCE = 3.0


def descendants(pid: int) -> list[psutil.Process]:
    """A process and everything it started, as far as the chain of parents is whole; empty when it is gone."""
    try:
        leader = psutil.Process(pid)
        return [leader, *leader.children(recursive=True)]
    except psutil.Error:
        return []


def members(pid: int | None, agent_address: str) -> list[psutil.Process]:
    """Every living process of a service, also when the one that started them is gone.

    They are known by their parents, by the session that the service was started in, or by the environment variable
    that all of them inherit; a process would have to leave all three to be missed.

    Args:
        pid: the process that was started for the service, dead or alive; None when it is not known.
        agent_address: the value of the agent's variable that this service got and no other.
    """
    found = {} if pid is None else {process.pid: process for process in descendants(pid)}
    for process in psutil.process_iter():
        if process.pid not in found and process.pid != os.getpid() and _belongs(process, pid, agent_address):
            found[process.pid] = process
    return [process for process in found.values() if _is_alive(process)]


def end_processes(find: Callable[[], Iterable[psutil.Process]], patience: float) -> list[psutil.Process]:
    """End processes: politely, then by force.

    Args:
        find: tells who is to be ended; asked again before the force, for those that were started meanwhile.
        patience: seconds between SIGTERM and SIGKILL; 0 kills at once.

    Returns:
        Those that could not be ended: somebody else's, or stuck in the kernel.
    """
    # A child that outlives its parent is no longer found through it, so the first look is kept.
    known: dict[int, psutil.Process] = {}

    def remaining() -> list[psutil.Process]:
        known.update({process.pid: process for process in find()})
        return [process for process in known.values() if _is_alive(process)]

    if patience > 0:
        asked = remaining()
        for process in asked:
            with suppress(psutil.Error):
                process.terminate()
        _wait_until_gone(asked, patience)
    deadline = time.monotonic() + _KILL_PATIENCE
    while (left := remaining()) and time.monotonic() < deadline:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        _wait_until_gone(left, deadline - time.monotonic())
    return left


def _belongs(process: psutil.Process, leader: int | None, agent_address: str) -> bool:
    with suppress(OSError, psutil.Error):
        if os.getsid(process.pid) == leader:
            return True
        return process.environ().get(AGENT_VARIABLE) == agent_address
    return False


def _is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie does not, and in a container nobody may ever collect it."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait_until_gone(processes: Iterable[psutil.Process], patience: float) -> None:
    deadline = time.monotonic() + patience
    never = threading.Event()
    while any(map(_is_alive, processes)) and time.monotonic() < deadline:
        never.wait(_PACE)
