"""Checking a machine's return to player by brute force."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from game_engine.slot import SlotMachine

ROUNDS_BETWEEN_LOOKS = 200


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """How many rounds were played, what they returned, and what that took."""

    rounds: int
    rtp_percent: float
    wall_ms: float
    cpu_ms: float


def simulate_rtp(machine: SlotMachine, rng: random.Random, milliseconds: int) -> SimulationResult:
    """Play rounds without a break for so long, on the calling thread."""
    wall_start, cpu_start = time.perf_counter(), time.thread_time()
    deadline = wall_start + milliseconds / 1000
    rounds = paid = 0
    while time.perf_counter() < deadline:
        paid += _play(machine, rng, ROUNDS_BETWEEN_LOOKS)
        rounds += ROUNDS_BETWEEN_LOOKS
    return SimulationResult(
        rounds=rounds,
        rtp_percent=round(100 * paid / rounds, 2),
        wall_ms=round((time.perf_counter() - wall_start) * 1000, 1),
        cpu_ms=round((time.thread_time() - cpu_start) * 1000, 1),
    )


def _play(machine: SlotMachine, rng: random.Random, rounds: int) -> int:
    return sum(machine.spin(rng).multiplier for _ in range(rounds))
