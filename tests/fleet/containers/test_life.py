"""What is made of what an engine says of a container, and the words for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.fleet.containers.life import Life, begun_anew, ending_of, fate_of, next_life

RUNNING = {"Status": "running", "Pid": 7, "StartedAt": "2026-01-31T10:00:00.123456789Z", "ExitCode": 0}
EXITED = {**RUNNING, "Status": "exited", "Pid": 0, "ExitCode": 3, "FinishedAt": "2026-01-31T10:00:01Z"}
UP = next_life(Life(), RUNNING, "start")
STARVED = "the kernel killed it because its memory limit of 64 MiB was reached (exit code 137, OOM)"


def test_a_container_that_runs_has_nothing_to_tell() -> None:
    assert (UP.status, UP.pid, UP.exit_code, UP.has_ended) == ("running", 7, None, False)
    assert UP.started_at == pytest.approx(1769853600.123456)
    assert fate_of(UP) is None
    never = next_life(Life(), {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z"})
    assert (never.started_at, fate_of(never)) == (0.0, None)


def test_an_end_is_told_with_its_exit_code() -> None:
    ended = next_life(UP, EXITED, "die", 3)
    assert (ended.has_ended, ended.exit_code, ended.deaths) == (True, 3, 1)
    assert fate_of(ended) == ending_of(ended) == "it ended with exit code 3"
    assert next_life(ended, EXITED) == ended


def test_an_end_that_nobody_heard_of_is_seen() -> None:
    seen = next_life(UP, EXITED)
    assert fate_of(seen) == "it ended with exit code 3"
    # Heard of it later, it is the same end.
    assert next_life(seen, EXITED, "die", 3).deaths == 1
    assert next_life(seen, {**EXITED, "FinishedAt": "2026-01-31T10:00:09Z"}, "die", 3).deaths == 2
    unheard = next_life(replace(UP, memory_limit=64 << 20), {**EXITED, "ExitCode": 137, "OOMKilled": True})
    assert fate_of(unheard) == STARVED


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "it ended with exit code 0"),
        (1, "it ended with exit code 1"),
        (137, "it was ended by SIGKILL (exit code 137)"),
        (143, "it was ended by SIGTERM (exit code 143)"),
        (255, "it was ended by signal 127 (exit code 255)"),
    ],
)
def test_ends_in_words(code: int, words: str) -> None:
    assert fate_of(next_life(UP, {**EXITED, "ExitCode": code}, "die", code)) == words


@pytest.mark.parametrize(
    "events",
    [
        [("oom", None, {}), ("die", 137, {})],
        [("die", 137, {}), ("oom", None, {})],
        [("die", 137, {"OOMKilled": True})],
        [("oom", None, {}), ("die", 137, {"OOMKilled": True})],
    ],
)
def test_want_of_memory_is_told_however_it_is_heard_of(events: list[tuple[str, int | None, dict[str, Any]]]) -> None:
    life = replace(UP, memory_limit=64 << 20)
    for event, code, more in events:
        life = next_life(life, {**EXITED, **more}, event, code)
    assert (fate_of(life), life.starved) == (STARVED, 1)


def test_a_child_that_starved_is_not_the_end_of_the_container() -> None:
    life = next_life(next_life(UP, RUNNING, "oom"), EXITED, "die", 1)
    assert fate_of(life) == "it ended with exit code 1"


def test_restarts_are_counted_until_the_harness_starts_it_itself() -> None:
    life = next_life(next_life(UP, {**EXITED, "Status": "restarting"}, "die", 1), RUNNING, "start")
    assert fate_of(life) == "it ended with exit code 1; its restart policy has started it again once"
    life = next_life(next_life(life, {**EXITED, "Status": "restarting"}, "die", 2), RUNNING, "start")
    assert fate_of(life) == "it ended with exit code 2; its restart policy has started it again 2 times"
    assert fate_of(next_life(begun_anew(life), RUNNING, "start")) is None


def test_what_stands_still_or_hears_nothing_is_told() -> None:
    assert fate_of(next_life(UP, {**RUNNING, "Status": "paused"}, "pause")) == (
        "it is paused: its processes stand still"
    )
    assert fate_of(replace(UP, is_cut_off=True)) == "it is cut off from all networks"
