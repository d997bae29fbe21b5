"""Pages' stays at services: which instances each page reaches."""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextlib import ExitStack

from harness.fleet.fleet import Fleet, FleetView
from harness.fleet.instance import StartFailure
from harness.run.observing import Visit
from harness.run.scenario import InvalidScenario


class Visits:
    """Keeps what was started for pages until they leave; any thread may call.

    Args:
        fleet: the shared fleet.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._lock = threading.Lock()
        self._opened = 0
        self._held: dict[str, tuple[FleetView, ExitStack]] = {}

    def open(self, service: str, isolated: Collection[str]) -> Visit:
        """Begin a stay.

        Args:
            service: the service whose page it is.
            isolated: services to start anew for this page alone; its own and the entry service then are as well.

        Raises:
            InvalidScenario: one of them does not start.
        """
        stack = ExitStack()
        view: FleetView = self._fleet
        if isolated:
            try:
                view = stack.enter_context(self._fleet.isolated(service, *isolated))
            except StartFailure as problem:
                raise InvalidScenario(str(problem)) from problem
        with self._lock:
            self._opened += 1
            key = f"{service} visit {self._opened}"
            self._held[key] = (view, stack)
        return Visit(key, view.instances[service].url, isolated=bool(isolated))

    def view(self, key: str) -> FleetView:
        """The instances that a page reaches."""
        with self._lock:
            return self._held[key][0]

    def leave(self, key: str) -> None:
        """End a stay, and what was started for it."""
        with self._lock:
            _, stack = self._held.pop(key)
        stack.close()
