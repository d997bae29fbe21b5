"""The fleet: all services, from start to end, on whatever platform they run."""

from __future__ import annotations

import atexit
import itertools
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Self

from harness.fleet.configuration import did_you_mean
from harness.fleet.flushing import FlushReport
from harness.fleet.instance import Order, ServiceInstance, StartFailure
from harness.fleet.platform import Platform
from harness.fleet.processes import ProcessPlatform
from harness.fleet.readiness import StartCancelled
from harness.fleet.spec import FleetSpec
from harness.telemetry.resources import ResourceSample
from harness.wire.dsn import Dsn

FLUSH_TIMEOUT = 10.0
_GIVEN_UP = "The start was given up because the fleet was stopped."


class FleetView:
    """Services as one scenario sees them: by service name, whichever instance stands for each.

    Args:
        spec: the fleet's configuration.
        platform: where the instances run.
        instances: the instance of each service.
        cancelled: set when the fleet is being stopped.
    """

    def __init__(
        self,
        spec: FleetSpec,
        platform: Platform,
        instances: Mapping[str, ServiceInstance],
        cancelled: threading.Event,
    ) -> None:
        self.spec = spec
        self._platform = platform
        self._instances = dict(instances)
        self._cancelled = cancelled

    @property
    def instances(self) -> Mapping[str, ServiceInstance]:
        """The instance of each service by the service's name."""
        return MappingProxyType(self._instances)

    def flush(self, names: Iterable[str] | None = None, timeout: float = FLUSH_TIMEOUT) -> dict[str, FlushReport]:
        """Flush barrier: let services send everything that their SDKs have captured so far.

        All are asked at once. A service that has died is no error, its report says so.

        Args:
            names: which services; all by default.
            timeout: seconds that each SDK may take.

        Returns:
            A report for each service by its name.

        Raises:
            LookupError: there is no such service.
        """
        chosen = list(self._instances if names is None else names)
        asked = {name: self._instance(name).begin_flush(timeout) for name in chosen}
        return {name: conclude() for name, conclude in asked.items()}

    def revive(self, service: str) -> ServiceInstance:
        """Start a service again that has died, on the same port and with the same DSN; a living one is left alone.

        After a request that kills the service, wait for its exit first: see `ServiceInstance.wait_exit`.

        Raises:
            LookupError: there is no such service.
            StartFailure: it did not start.
        """
        instance = self._instance(service)
        with instance.reviving:
            if not instance.alive:
                self._platform.revive(instance, self._cancelled)
        return instance

    def resources(self, name: str) -> list[ResourceSample]:
        """What the system saw of a service, about ten times a second over its whole life, oldest first.

        Args:
            name: a service, or an instance such as ``payment#1``, also one that has ended.

        Raises:
            LookupError: there is no such service or instance.
        """
        instance = self._instances.get(name)
        samples = self._platform.resources(name if instance is None else instance.name)
        if samples is None:
            raise self._unknown(name)
        return samples

    def _instance(self, service: str) -> ServiceInstance:
        if service not in self._instances:
            raise self._unknown(service)
        return self._instances[service]

    def _unknown(self, service: str) -> LookupError:
        known = self._instances or self.spec.services
        return LookupError(f"The fleet has no service '{service}'.{did_you_mean(service, known)}")


class Fleet(FleetView):
    """All services of a configuration, really running.

    Use it as a context manager, or call `start` and `stop`. All methods may be called from any thread; `stop` also
    while `start` is under way, which then raises.

    Args:
        spec: the configuration.
        dsn_for: gives the DSN for an instance. It is called once for each instance with the instance's name: that of
            the service (``payment``) for the shared ones, ``payment#1``, ``payment#2``, ... for isolated ones.
        directory: where the log of each instance is written: ``payment.log``, ``payment.1.log``; made if missing.
        platform: where they run; as processes of this machine by default.
    """

    def __init__(
        self,
        spec: FleetSpec,
        *,
        dsn_for: Callable[[str], str],
        directory: Path,
        platform: Platform | None = None,
    ) -> None:
        super().__init__(spec, platform or ProcessPlatform(spec), {}, threading.Event())
        self._dsn_for = dsn_for
        self._directory = directory
        self._numbers = {name: itertools.count(1) for name in spec.services}
        self._isolated: set[ServiceInstance] = set()
        self._lifecycle = threading.Lock()
        self._running = False
        self._owner = 0

    def start(self) -> None:
        """Start all services and return when all are ready; on any failure everything is ended again.

        Raises:
            StartFailure: one or several services did not start; the message has what is needed to see why.
            RuntimeError: it was started before.
        """
        with self._lifecycle:
            if self._running or self._cancelled.is_set():
                raise RuntimeError("A fleet is started once, and not after it was stopped; make another one.")
            self._running, self._owner = True, os.getpid()
            atexit.register(self._end_at_exit)
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
                self._platform.start(self._cancelled)
                for name in self.spec.services:
                    self._instances[name] = self._platform.make(self._order(name, name, self._dsn_for))
                self._launch(self._instances, list(self.spec.services))
            except StartCancelled:
                self._shut_down(patience=0)
                raise StartFailure(_GIVEN_UP) from None
            except BaseException:
                self._shut_down(patience=0)
                raise

    def stop(self) -> None:
        """Flush and end all services with everything they started; may be called in any state, and again."""
        self._cancelled.set()
        with self._lifecycle:
            if self._running:
                self._shut_down(self.spec.stop_timeout)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @contextmanager
    def isolated(
        self,
        *services: str,
        environment: Mapping[str, Mapping[str, str]] | None = None,
        definition: Mapping[str, Mapping[str, object]] | None = None,
        with_entry: bool = True,
        dsn_for: Callable[[str], str] | None = None,
    ) -> Iterator[FleetView]:
        """Fresh instances of services, for something that kills, blocks or configures them.

        The fresh ones know each other; everything else is shared with the fleet. They get DSNs of their own, see
        `dsn_for`, and free ports even where the configuration has a fixed one.

        Args:
            services: the services to have for oneself.
            environment: further variables by service, with placeholders; they win over the configured ones.
            definition: what of a service's definition in the Compose file is to be otherwise, by service.
            with_entry: also the entry service, where requests to one of these go through it.
            dsn_for: gives the DSNs of these instances instead of the fleet's own.

        Raises:
            LookupError: there is no such service, or variables are given for one that is not to be isolated.
            NotPossible: the services run where none can be started, or not in containers and `definition` is given.
            StartFailure: one of them, or the entry service, did not start.
            RuntimeError: the fleet was not started.
        """
        if not self._instances:
            raise RuntimeError("A fleet must be started before one of its services can be had in isolation.")
        names = list(dict.fromkeys(services))
        routed = [name for name in names if self._instance(name).spec.route is not None]
        if with_entry and self.spec.entry is not None and self.spec.entry not in names and routed:
            names.append(self.spec.entry)
        variables = environment or {}
        for what, given in (("Variables are", variables), ("A definition is", definition or {})):
            if astray := [name for name in given if name not in names]:
                raise LookupError(f"{what} given for '{astray[0]}', which is not among the isolated services.")
        fresh = {}
        for name in names:
            order = self._order(name, f"{name}#{next(self._numbers[name])}", dsn_for or self._dsn_for)
            own, changed = dict(variables.get(name, {})), dict((definition or {}).get(name, {}))
            fresh[name] = self._platform.make(replace(order, variables=own, definition=changed, isolated=True))
        view = FleetView(self.spec, self._platform, {**self._instances, **fresh}, self._cancelled)
        self._isolated.update(fresh.values())
        try:
            self._launch(view.instances, names)
            yield view
        finally:
            self._end(fresh.values(), self.spec.stop_timeout)
            self._isolated.difference_update(fresh.values())

    def _order(self, service: str, name: str, dsn_for: Callable[[str], str]) -> Order:
        log_path = self._directory.absolute() / f"{name.replace('#', '.')}.log"
        return Order(name, self.spec.services[service], Dsn.parse(dsn_for(name)), log_path)

    def _launch(self, instances: Mapping[str, ServiceInstance], names: Collection[str]) -> None:
        try:
            self._platform.bring_up(instances, names, self._cancelled)
        except StartCancelled:
            raise StartFailure(_GIVEN_UP) from None

    def _end(self, instances: Collection[ServiceInstance], patience: float) -> None:
        pool = ThreadPoolExecutor(max(1, len(instances)), thread_name_prefix="fleet-stop")
        try:
            for ended in [pool.submit(self._platform.end, instance, patience) for instance in instances]:
                ended.result()
        except BaseException:
            # A second Ctrl-C: no more patience, but nothing is left behind either.
            for instance in instances:
                self._platform.end(instance, 0)
            raise
        finally:
            pool.shutdown()

    def _shut_down(self, patience: float) -> None:
        try:
            self._end([*self._instances.values(), *self._isolated], patience)
        finally:
            self._running = False
            self._cancelled.set()
            self._platform.stop()
            atexit.unregister(self._end_at_exit)

    def _end_at_exit(self) -> None:
        """Called when the interpreter exits and nobody has stopped the fleet: no thread can be started any more."""
        if os.getpid() == self._owner:
            self._platform.abandon([*self._instances.values(), *self._isolated])
