"""The fleet: all services as processes, from start to end."""

from __future__ import annotations

import atexit
import itertools
import logging
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
from harness.fleet.control import ControlServer
from harness.fleet.flushing import FlushReport
from harness.fleet.guardian import Guardian
from harness.fleet.launching import Launcher, secure_port
from harness.fleet.ports import reserve_port
from harness.fleet.process import ServiceInstance, StartFailure
from harness.fleet.readiness import StartCancelled, wait_until_ready
from harness.fleet.sampling import Sampler
from harness.fleet.spec import FleetSpec
from harness.telemetry.resources import ResourceSample
from harness.wire.dsn import Dsn

_log = logging.getLogger(__name__)

FLUSH_TIMEOUT = 10.0


class _Staff:
    """What works for all instances of a running fleet: their agents' server, the sampler, the guardian."""

    def __init__(self) -> None:
        self.control = ControlServer()
        self.sampler = Sampler()
        self.guardian = Guardian()

    def start(self) -> None:
        self.guardian.start()
        self.control.start()
        self.sampler.start()

    def stop(self) -> None:
        self.sampler.stop()
        self.control.stop()
        self.guardian.stop()

    def expect(self, instance: ServiceInstance) -> None:
        """Be ready for an instance that is about to be started: whoever kills the harness picks no moment."""
        self.guardian.watch(None, instance.agent_address)

    def watch(self, instance: ServiceInstance) -> None:
        """Look after an instance that has just been started."""
        if instance.pid is not None:
            self.guardian.watch(instance.pid, instance.agent_address)
        self.sampler.watch(instance)

    def end(self, instance: ServiceInstance, patience: float) -> None:
        """Let an instance send what it has, and end it with everything it started."""
        if patience > 0 and instance.alive:
            instance.flush(patience)
        for process in instance.end(patience):
            _log.warning("process %d of service '%s' could not be ended", process.pid, instance.name)
        self.guardian.release(instance.agent_address)


class FleetView:
    """Services as one scenario sees them: by service name, whichever instance stands for each.

    Args:
        spec: the fleet's configuration.
        staff: what works for all instances.
        instances: the instance of each service.
        cancelled: set when the fleet is being stopped.
    """

    def __init__(
        self, spec: FleetSpec, staff: _Staff, instances: Mapping[str, ServiceInstance], cancelled: threading.Event
    ) -> None:
        self.spec = spec
        self._staff = staff
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
            if instance.alive:
                return instance
            if instance.launch is None:
                raise StartFailure(f"Service '{service}' cannot be started again: it was never started.")
            instance.end(0)
            secure_port(instance, may_move=False)
            self._staff.expect(instance)
            instance.start(instance.launch)
            self._staff.watch(instance)
            try:
                wait_until_ready(instance, self.spec.startup_timeout, self._cancelled.is_set)
            except BaseException:
                instance.end(0)
                raise
        return instance

    def resources(self, name: str) -> list[ResourceSample]:
        """What the system saw of a service, about ten times a second over its whole life, oldest first.

        Args:
            name: a service, or an instance such as ``payment#1``, also one that has ended.

        Raises:
            LookupError: there is no such service or instance.
        """
        instance = self._instances.get(name)
        samples = self._staff.sampler.samples(name if instance is None else instance.name)
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
    """All services of a configuration as real processes.

    Use it as a context manager, or call `start` and `stop`. All methods may be called from any thread; `stop` also
    while `start` is under way, which then raises.

    Args:
        spec: the configuration.
        dsn_for: gives the DSN for an instance. It is called once for each instance with the instance's name: that of
            the service (``payment``) for the shared ones, ``payment#1``, ``payment#2``, ... for isolated ones.
        directory: where the log of each instance is written: ``payment.log``, ``payment.1.log``; made if missing.
    """

    def __init__(self, spec: FleetSpec, *, dsn_for: Callable[[str], str], directory: Path) -> None:
        super().__init__(spec, _Staff(), {}, threading.Event())
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
                self._staff.start()
                for service in self.spec.services.values():
                    port = service.port if service.port is not None else reserve_port()
                    self._instances[service.name] = self._new_instance(service.name, service.name, port)
                self._launch(self._instances, list(self.spec.services))
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
        with_entry: bool = True,
        dsn_for: Callable[[str], str] | None = None,
    ) -> Iterator[FleetView]:
        """Fresh instances of services, for something that kills, blocks or configures them.

        The fresh ones know each other; everything else is shared with the fleet. They get DSNs of their own, see
        `dsn_for`, and free ports even where the configuration has a fixed one.

        Args:
            services: the services to have for oneself.
            environment: further variables by service, with placeholders; they win over the configured ones.
            with_entry: also the entry service, where requests to one of these go through it.
            dsn_for: gives the DSNs of these instances instead of the fleet's own.

        Raises:
            LookupError: there is no such service, or variables are given for one that is not to be isolated.
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
        if astray := [name for name in variables if name not in names]:
            raise LookupError(f"Variables are given for '{astray[0]}', which is not among the isolated services.")
        fresh = {
            name: self._new_instance(
                name,
                f"{name}#{next(self._numbers[name])}",
                reserve_port(),
                variables.get(name, {}),
                dsn_for=dsn_for,
            )
            for name in names
        }
        view = FleetView(self.spec, self._staff, {**self._instances, **fresh}, self._cancelled)
        self._isolated.update(fresh.values())
        try:
            self._launch(view.instances, names)
            yield view
        finally:
            self._end(fresh.values(), self.spec.stop_timeout)
            self._isolated.difference_update(fresh.values())

    def _new_instance(
        self,
        service: str,
        name: str,
        port: int,
        variables: Mapping[str, str] = MappingProxyType({}),
        *,
        dsn_for: Callable[[str], str] | None = None,
    ) -> ServiceInstance:
        configured = self.spec.services[service]
        return ServiceInstance(
            name,
            replace(configured, environment={**configured.environment, **variables}),
            port=port,
            dsn=Dsn.parse((dsn_for or self._dsn_for)(name)),
            log_path=self._directory.absolute() / f"{name.replace('#', '.')}.log",
            control=self._staff.control,
        )

    def _launch(self, instances: Mapping[str, ServiceInstance], names: Collection[str]) -> None:
        try:
            Launcher(self.spec, instances, self._staff.expect, self._staff.watch, self._cancelled).bring_up(names)
        except StartCancelled:
            raise StartFailure("The start was given up because the fleet was stopped.") from None

    def _end(self, instances: Collection[ServiceInstance], patience: float) -> None:
        pool = ThreadPoolExecutor(max(1, len(instances)), thread_name_prefix="fleet-stop")
        try:
            for ended in [pool.submit(self._staff.end, instance, patience) for instance in instances]:
                ended.result()
        except BaseException:
            # A second Ctrl-C: no more patience, but nothing is left behind either.
            _kill(instances)
            raise
        finally:
            pool.shutdown()

    def _shut_down(self, patience: float) -> None:
        try:
            self._end([*self._instances.values(), *self._isolated], patience)
        finally:
            self._running = False
            self._cancelled.set()
            self._staff.stop()
            atexit.unregister(self._end_at_exit)

    def _end_at_exit(self) -> None:
        """Called when the interpreter exits and nobody has stopped the fleet: no thread can be started any more."""
        if os.getpid() == self._owner:
            _kill([*self._instances.values(), *self._isolated])
            self._staff.guardian.stop()


def _kill(instances: Iterable[ServiceInstance]) -> None:
    for instance in instances:
        instance.end(0)
