"""Faults of instances that a scenario or a test has for itself: from before their start until after their end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Self

from harness.collector.faults import Fault
from harness.collector.injecting import Injection
from harness.collector.server import Collector
from harness.fleet.configuration import did_you_mean
from harness.fleet.fleet import FLUSH_TIMEOUT, FleetView
from harness.run.scenario import InvalidScenario

HANG_PATIENCE = 2.0
"""Seconds that an SDK may take to flush whose requests are never answered: it takes all that it is given."""


class FaultsFromStart:
    """Faults that are in force when instances start, for the length of a ``with`` block.

    Each instance that a fault is meant for gets it by itself: one of three requests befalls three of each.

    Args:
        collector: where the instances report.
        faults: what befalls them.
    """

    def __init__(self, collector: Collector, faults: Sequence[Fault]) -> None:
        self._collector = collector
        self._faults = faults
        self._started: set[str] = set()
        self._numbers: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        withdraw(self._collector, self._numbers)

    def dsn_for(self, instance: str) -> str:
        """The DSN of an instance that is about to start, whose faults are in force from now on.

        Args:
            instance: its name, such as ``payment#1``.

        Raises:
            InvalidFault: a fault of the address cannot be made on this machine.
        """
        service = instance.partition("#")[0]
        self._started.add(service)
        own = [fault for fault in self._faults if fault.service in (None, service)]
        self._numbers += [
            self._collector.faults.add(replace(fault, service=instance)) for fault in own if not fault.is_of_address
        ]
        misdirecting = next((fault for fault in own if fault.is_of_address), None)
        if misdirecting is None:
            return str(self._collector.register(instance))
        return str(self._collector.misdirect(instance, replace(misdirecting, service=instance)))

    def require_known_services(self) -> None:
        """Refuse faults that befall nobody, once the instances are started.

        Raises:
            InvalidScenario: one is meant for a service that has no instance of its own.
        """
        require_services(self._faults, self._started)


def require_services(faults: Iterable[Fault], known: Collection[str]) -> None:
    """Refuse faults for services that have no instance of their own.

    Raises:
        InvalidScenario: there is one; the message says which services there are.
    """
    for fault in faults:
        if fault.service is not None and fault.service not in known:
            guess = did_you_mean(fault.service, known)
            raise InvalidScenario(
                f"a fault ({fault}) is meant for {fault.service!r}, which has no instance of its own here.{guess}"
            )


def inject(collector: Collector, faults: Sequence[Fault], instances: Mapping[str, str]) -> list[int]:
    """Have faults befall running instances from now on.

    Args:
        collector: where they report.
        faults: what befalls them.
        instances: their names by that of the service.

    Returns:
        Numbers by which the faults are taken away.

    Raises:
        InvalidFault: one of them belongs to a DSN.
        InvalidScenario: one is meant for another service.
    """
    require_services(faults, instances)
    numbers: list[int] = []
    try:
        for fault in faults:
            for service, instance in instances.items():
                if fault.service in (None, service):
                    numbers.append(collector.faults.add(replace(fault, service=instance)))
    except BaseException:
        # What was added before one is refused must not stay.
        withdraw(collector, numbers)
        raise
    return numbers


def withdraw(collector: Collector, numbers: Iterable[int]) -> None:
    """Take faults away."""
    for number in numbers:
        collector.faults.remove(number)


def injections_of(collector: Collector, instances: Mapping[str, str], since: float = 0.0) -> tuple[Injection, ...]:
    """What faults did to instances, which in it have the names of their services.

    Args:
        collector: where they report.
        instances: the names of services by that of the instance.
        since: only what still counts at that time, in seconds since the epoch: what happened later, a fault of the
            address, and a rate limit that an SDK has to keep to.
    """
    return tuple(
        replace(injection, service=instances[injection.service])
        for injection in collector.faults.injections
        if injection.service is not None
        and injection.service in instances
        and (injection.at >= since or injection.request is None or injection.fault.is_rate_limit)
    )


def flush_patience(collector: Collector, instances: Mapping[str, str]) -> float:
    """Seconds that the SDKs of instances may take to flush.

    Args:
        collector: where they report.
        instances: the names of services by that of the instance.
    """
    done = (injection.fault for injection in injections_of(collector, instances))
    to_come = (held.fault for held in collector.faults.in_force if held.fault.service in instances)
    return HANG_PATIENCE if any(fault.kind == "hang" for fault in (*done, *to_come)) else FLUSH_TIMEOUT


def names_of(view: FleetView) -> dict[str, str]:
    """The names of services by that of the instance, as a view of the fleet has them."""
    return {instance.name: name for name, instance in view.instances.items()}
