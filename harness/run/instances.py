"""The running instances as tests see them: the shared ones, and those that a test has for itself."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import MappingProxyType

from harness.collector.faults import Fault, disconnected
from harness.collector.injecting import Injection
from harness.collector.server import Collector
from harness.fleet.fleet import Fleet, FleetView
from harness.fleet.operating import Operation
from harness.fleet.readiness import wait_until_ready
from harness.run.faulting import FaultsFromStart, flush_patience, inject, injections_of, require_services, withdraw
from harness.run.trace_book import TraceBook
from harness.telemetry.routing import trace_ids
from harness.verify.evidence import Evidence, ServiceFacts


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


@dataclass(frozen=True, slots=True)
class _Own:
    """Instances that a test has, or had, for itself."""

    view: FleetView
    services: tuple[str, ...]

    @property
    def instances(self) -> dict[str, str]:
        """Their names by that of the service."""
        return {name: self.view.instances[name].name for name in self.services}


@dataclass(frozen=True, slots=True)
class _Injected:
    """Faults that befall such instances, and how much had been injected into anything before."""

    own: _Own
    faults: tuple[Fault, ...]
    numbers: tuple[int, ...]
    before: int


class IsolatedInstances:
    """Keeps instances running from one call to another, because the test that has them may be another process.

    Whatever is still running when the fleet is stopped ends with it.

    Args:
        fleet: the fleet, started by the time `open` is called.
        collector: where its services report.
        book: the traces of this execution.
    """

    def __init__(self, fleet: Fleet, collector: Collector, book: TraceBook) -> None:
        self._fleet = fleet
        self._collector = collector
        self._book = book
        self._shown: set[str] = set()
        self._numbers = itertools.count(1)
        self._running: dict[str, ExitStack] = {}
        self._own: dict[str, _Own] = {}
        self._injected: dict[str, _Injected] = {}

    def open(
        self,
        services: Sequence[str],
        environment: Mapping[str, Mapping[str, str]],
        faults: Sequence[Fault] = (),
        definition: Mapping[str, Mapping[str, object]] = MappingProxyType({}),
    ) -> Isolated:
        """Start instances of services.

        Args:
            services: names of the services.
            environment: further variables by service.
            faults: what befalls them from their start until their end.
            definition: what of their definitions in the Compose file is to be otherwise, by service.

        Raises:
            LookupError: there is no such service.
            StartFailure: one of them did not start.
            InvalidScenario: a fault is meant for another service.
        """
        require_services(faults, services)
        with ExitStack() as starting:
            from_start = starting.enter_context(FaultsFromStart(self._collector, faults))
            view = starting.enter_context(
                self._fleet.isolated(
                    *services,
                    environment=environment,
                    definition=definition,
                    with_entry=False,
                    dsn_for=from_start.dsn_for,
                )
            )
            running = starting.pop_all()
        fresh = tuple(
            name for name, instance in view.instances.items() if instance is not self._fleet.instances[name]
        )
        key = f"isolated #{next(self._numbers)}"
        self._running[key], self._own[key] = running, _Own(view, fresh)
        return Isolated(key, addresses(view, fresh))

    def close(self, key: str) -> None:
        """End instances, after they have sent what they have."""
        self._running.pop(key).close()
        if key in self._shown:
            # What they sent at their end is as much the test's own as what was before.
            self.captured(key)

    def view(self, key: str) -> FleetView:
        """All services as instances see them: themselves, and of the others the shared ones."""
        return self._own[key].view

    def flush(self, key: str | None) -> None:
        """Let instances, or with None all that are shared, send everything that their SDKs hold."""
        if key is None:
            self._fleet.flush()
        else:
            own = self._own[key]
            own.view.flush(own.services)

    def log(self, key: str | None, service: str) -> str:
        """Everything that the instance of a service wrote to standard output and error."""
        view = self._fleet if key is None else self._own[key].view
        return view.instances[service].log()

    def operate(self, key: str, service: str, operation: Operation) -> None:
        """Do something to a container on purpose.

        Raises:
            NotPossible: it is none.
        """
        instance = self._own[key].view.instances[service]
        instance.operate(operation)
        if operation == "disconnect":
            # What was done on purpose excuses what is lost by it, as any fault that was injected.
            fault = disconnected(service=instance.name)
            self._collector.faults.record(Injection(time.time(), fault, instance.name, instance.dsn.project_id))

    def run_inside(self, key: str, service: str, command: Sequence[str]) -> str:
        """Run a command inside of a container; gives what it writes.

        Raises:
            NotPossible: it is none.
            RuntimeError: the command failed.
        """
        return self._own[key].view.instances[service].run_inside(command)

    def wait_exit(self, key: str, service: str, timeout: float) -> int | None:
        """Wait, so many seconds at most, until an instance ends; gives its exit code."""
        return self._own[key].view.instances[service].wait_exit(timeout)

    def wait_restarted(self, key: str, service: str, times: int, timeout: float) -> bool:
        """Wait, so many seconds at most, until an instance was started again so often, and is ready.

        Raises:
            NotPossible: it is no container.
            StartFailure: it did not become ready.
        """
        instance = self._own[key].view.instances[service]
        if not instance.wait_restarted(times, timeout):
            return False
        wait_until_ready(instance, timeout, lambda: False)
        return True

    def inject(self, key: str, faults: Sequence[Fault]) -> str:
        """Have faults befall instances from now on.

        Args:
            key: the instances.
            faults: what befalls them.

        Returns:
            A key for what was injected.

        Raises:
            InvalidFault: one of them belongs to the DSN that an instance starts with.
            InvalidScenario: one is meant for another service.
        """
        before = len(self._collector.faults.injections)
        numbers = inject(self._collector, faults, self._own[key].instances)
        injected = f"faults #{next(self._numbers)}"
        self._injected[injected] = _Injected(self._own[key], tuple(faults), tuple(numbers), before)
        return injected

    def withdraw(self, injected: str) -> None:
        """Take faults away; what they did can still be asked for."""
        withdraw(self._collector, self._injected[injected].numbers)

    def injections(self, injected: str, count: int, timeout: float) -> tuple[Injection, ...]:
        """What faults did since they were injected.

        Args:
            injected: the faults.
            count: how many requests they shall have befallen.
            timeout: seconds to wait for that.
        """
        held = self._injected[injected]
        instances = {instance: name for name, instance in held.own.instances.items()}
        meant = {replace(fault, service=instance) for fault in held.faults for instance in instances}

        def enough() -> tuple[Injection, ...] | None:
            found = self._collector.faults.injections[held.before :]
            own = tuple(
                replace(injection, service=instances[str(injection.service)])
                for injection in found
                if injection.fault in meant
            )
            return own if len(own) >= count else None

        return self._collector.inbox.wait_for(enough, timeout) or ()

    def captured(self, key: str) -> Evidence:
        """Everything that instances have sent and were put through, in all traces; also of those that have ended.

        Who looks at it takes it for his own: whatever trace it is in, nobody has lost it.

        Args:
            key: the instances; those that still run flush first.
        """
        own = self._own[key]
        names = {instance: name for name, instance in own.instances.items()}
        reports = {}
        if key in self._running:
            reports = own.view.flush(own.services, flush_patience(self._collector, names))
        instances = {name: own.view.instances[name] for name in own.services}
        projects = {instance.dsn.project_id: name for name, instance in instances.items()}
        arrivals = tuple(held for held in self._collector.inbox.arrivals() if held.project_id in projects)
        self._shown.add(key)
        self._book.adopt(*(found for held in arrivals if held.envelope for found in trace_ids(held.envelope)))
        senders = {arrival.project_id for arrival in arrivals}
        return Evidence(
            title=f"instances of {', '.join(own.services)}",
            target=own.services[0],
            trace_id=None,
            arrivals=arrivals,
            services={
                name: ServiceFacts(
                    name,
                    state=reports[name].state if name in reports else "exited",
                    url=instance.url,
                    exit_code=instance.exit_code,
                    fate=instance.fate(),
                    aliases=instance.addresses[1:],
                    ever_contacted=instance.dsn.project_id in senders,
                    release=instance.spec.release,
                    environment=own.view.spec.sentry_environment,
                    log_tail=instance.log_tail(),
                    resources=tuple(own.view.resources(instance.name)),
                )
                for name, instance in instances.items()
            },
            services_by_project=projects,
            faults=injections_of(self._collector, names),
        )
