"""The running instances as tests see them: the shared ones, and those that a test has for itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from harness.fleet.fleet import Fleet, FleetView


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """Where a running service is, and what it reports as."""

    name: str
    url: str
    dsn: str
    release: str
    environment: str


@dataclass(frozen=True, slots=True)
class Isolated:
    """Instances that a test has for itself; plain data that travels between processes.

    Args:
        key: by which they are flushed and ended.
        services: each by the name of its service.
    """

    key: str
    services: Mapping[str, ServiceAddress]


def addresses(view: FleetView, names: Iterable[str]) -> dict[str, ServiceAddress]:
    """The addresses of some services, by name, as a view of the fleet has them."""
    return {
        name: ServiceAddress(
            name, instance.url, str(instance.dsn), instance.spec.release, view.spec.sentry_environment
        )
        for name in names
        for instance in [view.instances[name]]
    }


class IsolatedInstances:
    """Keeps instances running from one call to another, because the test that has them may be another process.

    Whatever is still running when the fleet is stopped ends with it.

    Args:
        fleet: the fleet, started by the time `open` is called.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._numbers = itertools.count(1)
        self._open: dict[str, tuple[ExitStack, FleetView, list[str]]] = {}

    def open(self, services: Sequence[str], environment: Mapping[str, Mapping[str, str]]) -> Isolated:
        """Start instances of services.

        Args:
            services: names of the services.
            environment: further variables by service.

        Raises:
            LookupError: there is no such service.
            StartFailure: one of them did not start.
        """
        running = ExitStack()
        view = running.enter_context(self._fleet.isolated(*services, environment=environment, with_entry=False))
        fresh = [name for name, instance in view.instances.items() if instance is not self._fleet.instances[name]]
        key = f"isolated #{next(self._numbers)}"
        self._open[key] = running, view, fresh
        return Isolated(key, addresses(view, fresh))

    def close(self, key: str) -> None:
        """End instances, after they have sent what they have."""
        running, _, _ = self._open.pop(key)
        running.close()

    def flush(self, key: str | None) -> None:
        """Let instances, or with None all that are shared, send everything that their SDKs hold."""
        if key is None:
            self._fleet.flush()
        else:
            _, view, fresh = self._open[key]
            view.flush(fresh)

    def log(self, key: str | None, service: str) -> str:
        """Everything that the instance of a service wrote to standard output and error."""
        view = self._fleet if key is None else self._open[key][1]
        return view.instances[service].log_path.read_text(encoding="utf-8", errors="replace")
