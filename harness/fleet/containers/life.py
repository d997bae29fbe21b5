"""What became of a container, from what its engine says of it: plain functions, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from harness.fleet.instance import describe_exit

SIGNALLED = 128
"""What engines, as shells do, add to the number of the signal that ended a process."""

KILLED = SIGNALLED + 9

_ENDED = ("exited", "dead", "removing")
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Life:
    """What became of a container so far.

    Args:
        status: as the engine has it: "created", "running", "paused", "restarting", "exited", "dead".
        pid: its first process as the engine's machine sees it; 0 when there is none.
        exit_code: of its last end; None before the first.
        started_at: when it was last started, in seconds since the epoch.
        deaths: how often it ended since the harness started it.
        starved: how often the kernel ended one of its processes for want of memory since then.
        memory_limit: bytes that it may have; 0 without a limit.
        is_cut_off: whether it has lost its networks.
        seen_ended_at: when it ended, by the engine's clock, if that was seen before it was heard.
    """

    status: str = "created"
    pid: int = 0
    exit_code: int | None = None
    started_at: float = 0.0
    deaths: int = 0
    starved: int = 0
    memory_limit: int = 0
    is_cut_off: bool = False
    seen_ended_at: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it does not run, and nobody is about to start it again."""
        return self.status in _ENDED


def next_life(life: Life, state: Mapping[str, Any], event: str = "", code: int | None = None) -> Life:
    """What is known of a container once something has happened to it.

    Args:
        life: what was known before.
        state: what the engine says now, ``State`` of an inspected container.
        event: what has happened, as the engine calls it; empty when it was merely looked at.
        code: with which exit code it ended, if it did.
    """
    life = replace(
        life,
        status=state["Status"],
        pid=state.get("Pid") or 0,
        started_at=_seconds(state.get("StartedAt")) or life.started_at,
    )
    finished = state.get("FinishedAt")
    if event == "die" and finished is not None and finished == life.seen_ended_at:
        life = replace(life, exit_code=code, seen_ended_at=None)
    elif event == "die":
        life = replace(life, deaths=life.deaths + 1, exit_code=code)
    elif not event and life.has_ended and life.exit_code is None:
        life = replace(life, deaths=1, exit_code=state.get("ExitCode"), seen_ended_at=finished)
    if event == "oom":
        return replace(life, starved=life.starved + 1)
    # Engines tell it by an event, in the state, or both.
    return replace(life, starved=1) if life.deaths and state.get("OOMKilled") and not life.starved else life


def begun_anew(life: Life) -> Life:
    """What is known of a container that the harness itself starts again.

    Args:
        life: what was known before.
    """
    return replace(life, status="created", exit_code=None, deaths=0, starved=0)


def ending_of(life: Life) -> str:
    """How a container ended last, in words."""
    code = life.exit_code
    if life.starved and code == KILLED:
        allowed = f" of {life.memory_limit // _MEGABYTE} MiB" if life.memory_limit else ""
        return f"the kernel killed it because its memory limit{allowed} was reached (exit code {code}, OOM)"
    if code is not None and code > SIGNALLED:
        return f"{describe_exit(SIGNALLED - code)} (exit code {code})"
    return describe_exit(code or 0)


def fate_of(life: Life) -> str | None:
    """What befell a container, in words; None when there is nothing to tell."""
    told = []
    if life.deaths:
        told.append(ending_of(life))
    if life.deaths and not life.has_ended:
        times = "once" if life.deaths == 1 else f"{life.deaths} times"
        told.append(f"its restart policy has started it again {times}")
    if life.status == "paused":
        told.append("it is paused: its processes stand still")
    if life.is_cut_off:
        told.append("it is cut off from all networks")
    return "; ".join(told) or None


def _seconds(moment: Any) -> float:
    """RFC 3339 with nanoseconds, as the engine writes it, in seconds since the epoch; 0 for its "never"."""
    if not moment or str(moment).startswith("0001"):
        return 0.0
    whole, _, fraction = str(moment).removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00").timestamp()
