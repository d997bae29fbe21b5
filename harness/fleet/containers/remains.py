"""What a killed run has left on the engine: recognised by its label, removed by the next run."""

from __future__ import annotations

import os
import socket

import psutil

from harness.fleet.containers.engine import Engine

LABEL = "io.github.sentry-verification-harness.run"


def own_mark(project: str = "") -> str:
    """What this process labels everything with: by it everybody knows whether it still runs.

    Args:
        project: the project that something is of; one process may have several.
    """
    return f"{_mark(os.getpid(), psutil.Process().create_time())}/{project}"


def remove_remains(engine: Engine) -> list[str]:
    """Remove what runs on this machine have left behind that are no more.

    Args:
        engine: where to look.

    Returns:
        Their marks.
    """
    dead = sorted(mark for mark in engine.labels(LABEL) if _is_dead(mark))
    for mark in dead:
        engine.remove(f"{LABEL}={mark}")
    return dead


def _mark(pid: int, created: float) -> str:
    return f"{socket.gethostname()}/{pid}/{created:.2f}"


def _is_dead(mark: str) -> bool:
    """Whether a run has ended; one of another machine is none of our business."""
    process = mark.rpartition("/")[0]
    host, _, rest = process.partition("/")
    pid = rest.partition("/")[0]
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        return _mark(int(pid), psutil.Process(int(pid)).create_time()) != process
    except psutil.NoSuchProcess:
        return True
