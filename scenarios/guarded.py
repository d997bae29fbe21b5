"""A platform of one's own, and what is seen of it from outside: its answers, its telemetry, its log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.collector.server import Collector
from harness.fixtures.fleet import RunningFleet
from scenarios.raw_http import Answer, Header, ask

SERVICES = ("gateway", "game-engine", "analytics", "payment")
WAYS = (*SERVICES, *(f"{service} through the gateway" for service in SERVICES[1:]))
LOADS = {
    "game-engine": "/debug/cpu-spike?ms=300",
    "analytics": "/debug/memory-spike",
    "payment": "/debug/memory-leak",
}


@dataclass(frozen=True, slots=True)
class Guarded:
    """Running services that report to a collector of their own."""

    fleet: RunningFleet
    collector: Collector

    def base(self, way: str) -> str:
        """The URL before the path of an endpoint, for a service or for ``<service> through the gateway``."""
        service, _, through = way.partition(" ")
        return f"{self.fleet['gateway'].url}/api/v1/{service}" if through else self.fleet[service].url

    def ask(self, way: str, target: str, *headers: Header, method: str = "GET") -> Answer:
        """Send a raw request."""
        return ask(self.base(way), target, headers, method=method)

    def call(self, way: str, target: str = "/debug/crash", **claims: Any) -> Answer:
        """Send a request with a good token."""
        return self.ask(way, target, ("Authorization", f"Bearer {self.fleet.token(**claims)}"))

    def items(self, since: int = 0) -> list[tuple[str, bytes]]:
        """Type and payload of everything that the services have sent, once they have flushed it.

        Args:
            since: how much of it is not to be seen, as `mark` said.
        """
        self.fleet.flush()
        return [
            (item.type, item.payload)
            for arrival in self.collector.inbox.arrivals(since=since)
            if arrival.envelope is not None
            for item in arrival.envelope.items
        ]

    def mark(self) -> int:
        """How much has been sent until now."""
        self.fleet.flush()
        return len(self.collector.inbox)

    def audit(self, service: str) -> list[dict[str, Any]]:
        """The lines of a service's log that tell who asked for debug endpoints."""
        # A line is written once its request has been answered, which may be after the client has read the answer.
        self.fleet.flush()
        lines = [line for line in self.fleet.log(service).splitlines() if "debug.trigger" in line]
        return [json.loads(line) for line in lines]


def service_of(way: str) -> str:
    """The service at the end of a way."""
    return way.partition(" ")[0]


@contextmanager
def guarded_fleet(fleet: RunningFleet, variables: Mapping[str, Mapping[str, str]]) -> Iterator[Guarded]:
    """Fresh instances of services that report to a fresh collector.

    Args:
        fleet: the running fleet.
        variables: the services, and what each has in its environment beside what it always has.
    """
    with Collector(open=True) as collector:
        # Each instance counts by itself, also where all of them have a Redis.
        always = {"DEBUG_LIMITS_URL": ""}
        environment = {
            name: {**always, "SENTRY_DSN": str(collector.register(name)), **own} for name, own in variables.items()
        }
        with fleet.isolated(*variables, environment=environment) as running:
            yield Guarded(running, collector)
