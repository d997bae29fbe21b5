"""What a flush barrier found out, and how single answers become one report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

AgentState = Literal["flushed", "no-sdk", "not-initialised", "timed-out", "failed", "gone"]
FlushState = Literal["flushed", "no-sdk", "not-initialised", "no-agent", "exited", "timed-out", "failed"]

# What one process says decides for the whole instance in this order: a launcher such as npm has no SDK, but the
# server that it started has; and one worker that could not send all it had spoils the certainty for all.
_DECISIVE: tuple[FlushState, ...] = ("failed", "timed-out", "flushed", "not-initialised", "no-sdk")


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """What the agent in one process of a service said to a flush.

    Args:
        pid: the process.
        runtime: its language and version, such as ``python/3.11.7``.
        state: "flushed": everything captured so far was sent; "no-sdk": no Sentry SDK is loaded; "not-initialised":
            one is loaded, but `init` was not called; "timed-out": no answer, or not everything sent, in time;
            "failed": the SDK raised (see `error`); "gone": the process ended before it answered.
        sdk: name and version of the SDK, such as ``sentry.python.tornado/2.75.0``.
        dsn: where the SDK sends to; an SDK that is initialised without one sends nothing.
        error: what went wrong, if something did.
        loop_blocked: its event loop did not turn, so what it had yet to capture may be missing.
    """

    pid: int
    runtime: str
    state: AgentState
    sdk: str | None = None
    dsn: str | None = None
    error: str | None = None
    loop_blocked: bool = False


@dataclass(frozen=True, slots=True)
class FlushReport:
    """The outcome of a flush barrier for one service instance.

    Args:
        instance: the instance's name.
        answered: what the agent in each of its processes said.
        state: the verdict over all of them. "flushed": nothing that was captured before is still on its way;
            "exited": the process has ended, so nothing more will come; "no-agent": nothing could be preloaded, so
            nothing is certain; for the others see `AgentAnswer`.
        exit_code: the process's exit code if it has ended; negative for a signal.
    """

    instance: str
    answered: tuple[AgentAnswer, ...]
    state: FlushState
    exit_code: int | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing that was captured before the flush can still arrive."""
        return self.state in ("flushed", "no-sdk", "not-initialised", "exited") and not any(
            answer.loop_blocked for answer in self.answered
        )


def read_answer(pid: int, runtime: str, message: Mapping[str, Any]) -> AgentAnswer:
    """Read the line that an agent answered a flush with."""
    sdk, error = message.get("sdk"), message.get("error")
    state: AgentState
    if message.get("ok") is not True:
        state = "failed"
    elif sdk is None:
        state = "no-sdk"
    elif message.get("initialised") is not True:
        state = "not-initialised"
    else:
        state = "flushed" if message.get("flushed") is True else "timed-out"
    return AgentAnswer(
        pid=pid,
        runtime=runtime,
        state=state,
        sdk=None if sdk is None else str(sdk),
        dsn=None if message.get("dsn") is None else str(message["dsn"]),
        error=None if error is None else str(error),
        loop_blocked=message.get("loop") == "blocked",
    )


def summarise(instance: str, answers: tuple[AgentAnswer, ...], exit_code: int | None) -> FlushReport:
    """One report from the answers of an instance's processes.

    Args:
        instance: the instance's name.
        answers: one for each process that has, or had at the time, an agent.
        exit_code: of the process that was started for the service; None while it runs.
    """
    states = {answer.state for answer in answers}
    state: FlushState = next((state for state in _DECISIVE if state in states), "no-agent")
    if state == "no-agent" and exit_code is not None:
        state = "exited"
    return FlushReport(instance, answers, state, exit_code)
