"""Who asks services while Sentry fails: the same round of requests again and again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import requests

from harness.fixtures.fleet import RunningFleet

AT_ONCE = 8
_PATIENCE = 20.0
_numbers = count(1)
_session = requests.Session()
# A proxy of the environment has no business between a test and a service on the same machine.
_session.trust_env = False


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, and the status that it is answered with in good times."""

    method: str
    path: str
    status: int
    json: Mapping[str, Any] | None = None
    is_debug: bool = False


def asks_of(service: str) -> tuple[Ask, ...]:
    """A round of requests to a service: its business, and at last one that ends in an error."""
    crash = Ask("GET", "/debug/crash", 500, is_debug=True)
    if service == "analytics":
        event = {"event_type": "spin", "player_id": "player-1", "amount_cents": 250}
        return Ask("POST", "/events", 201, event), Ask("GET", "/daily-stats?day=2026-03-14", 200), crash
    credit = {"player_id": "player-1", "type": "credit", "amount_cents": 1, "currency": "EUR"}
    booking = {**credit, "reference": f"outage-{next(_numbers)}"}
    return Ask("POST", "/process", 200, booking), Ask("GET", "/balance/player-1", 200), crash


@dataclass(slots=True)
class Caller:
    """Asks one service again and again.

    Args:
        name: the service.
        url: where it is.
        token: opens its debug endpoints.
    """

    name: str
    url: str
    token: str = field(repr=False)
    rounds: int = 0
    seconds: list[float] = field(default_factory=list)
    unexpected: Counter[str] = field(default_factory=Counter)
    last_request_id: str = ""

    def ask_all(self) -> None:
        """One round."""
        self.rounds += 1
        for ask in asks_of(self.name):
            self._ask(ask)

    def cause_error(self) -> None:
        """The last request of a round alone."""
        self._ask(asks_of(self.name)[-1])

    def cause_errors(self, number: int) -> None:
        """Cause many errors, several at the same time.

        Args:
            number: how many; a multiple of `AT_ONCE`.
        """
        crowd = [Caller(self.name, self.url, self.token) for _ in range(AT_ONCE)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda each: [each.cause_error() for _ in range(number // AT_ONCE)], crowd))
        for each in crowd:
            self.unexpected += each.unexpected

    def _ask(self, ask: Ask) -> None:
        self.last_request_id = f"{self.name}-{next(_numbers)}"
        headers = {"X-Request-Id": self.last_request_id, "Connection": "close"}
        if ask.is_debug:
            headers["Authorization"] = f"Bearer {self.token}"
        began = time.perf_counter()
        try:
            answer = _session.request(
                ask.method,
                self.url + ask.path,
                json=ask.json,
                headers=headers,
                timeout=_PATIENCE,
            )
        except requests.RequestException as problem:
            self.unexpected[f"{ask.method} {ask.path}: {problem}"] += 1
            return
        self.seconds.append(time.perf_counter() - began)
        if answer.status_code != ask.status:
            self.unexpected[f"{ask.method} {ask.path}: {answer.status_code}: {answer.text[:200]}"] += 1


def callers(own: RunningFleet) -> dict[str, Caller]:
    """A caller for each of some services."""
    token = own.token()
    return {name: Caller(name, own[name].url, token) for name in own}


def interleave(
    healthy: Mapping[str, Caller], failing: Mapping[str, Caller], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Ask both by turns, so that whatever else the machine does befalls both.

    Returns:
        Seconds that each answer took of failing, and of healthy services.
    """
    both = (failing, healthy)
    before = [{name: len(asking[name].seconds) for name in failing} for asking in both]
    for _ in range(rounds):
        for name in failing:
            healthy[name].ask_all()
            failing[name].ask_all()
    of_failing, of_healthy = (
        {name: asking[name].seconds[number:] for name, number in numbers.items()}
        for asking, numbers in zip(both, before, strict=True)
    )
    return of_failing, of_healthy
