"""What a fleet needs of the place where its services run: processes of this machine, containers, or elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import Protocol

from harness.fleet.instance import Order, ServiceInstance
from harness.telemetry.resources import ResourceSample


class Platform(Protocol):
    """Where services run. All methods but `start` and `stop` may be called from any thread."""

    def start(self, cancelled: threading.Event) -> None:
        """Make ready for instances.

        Args:
            cancelled: gives it up when set.

        Raises:
            StartFailure: the platform is not there, or cannot be used; the message says what to do.
            StartCancelled: it was cancelled.
        """

    def stop(self) -> None:
        """Leave nothing behind; may be called in any state, and again."""

    def abandon(self, instances: Collection[ServiceInstance]) -> None:
        """End instances at once, when the interpreter exits and no thread can be started any more."""

    def make(self, order: Order) -> ServiceInstance:
        """An instance that is not yet started.

        Raises:
            NotPossible: the platform has no such instances.
        """

    def bring_up(
        self, instances: Mapping[str, ServiceInstance], names: Collection[str], cancelled: threading.Event
    ) -> None:
        """Start instances and return when all are ready.

        Args:
            instances: everybody by the name of the service: those to start, and those that they may refer to.
            names: the services to start.
            cancelled: gives everything up when set.

        Raises:
            StartFailure: one or several failed; what was started meanwhile still runs.
            StartCancelled: it was cancelled.
        """

    def revive(self, instance: ServiceInstance, cancelled: threading.Event) -> None:
        """Start an instance again that has ended, at the same address and with the same DSN.

        Raises:
            StartFailure: it did not start.
            StartCancelled: it was cancelled.
        """

    def end(self, instance: ServiceInstance, patience: float) -> None:
        """Let an instance send what it has, and end it with everything it started.

        Args:
            instance: in any state.
            patience: seconds that it may take; with 0 it is ended by force.
        """

    def resources(self, instance: str) -> list[ResourceSample] | None:
        """What the system saw of an instance, oldest first; None when it was never watched."""
