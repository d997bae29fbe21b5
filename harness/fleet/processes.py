"""Services as processes of this machine: the platform that needs nothing else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping

from harness.fleet.attachment import Endpoint
from harness.fleet.control import ControlServer
from harness.fleet.guardian import Guardian
from harness.fleet.instance import Order, ServiceInstance, StartFailure
from harness.fleet.launching import Launcher, secure_port
from harness.fleet.ports import reserve_port
from harness.fleet.possible import NotPossible
from harness.fleet.process import ProcessInstance
from harness.fleet.readiness import wait_until_ready
from harness.fleet.sampling import Sampler
from harness.fleet.spec import FleetSpec
from harness.telemetry.resources import ResourceSample

_log = logging.getLogger(__name__)


class ProcessPlatform:
    """Runs each instance as a process; see `harness.fleet.platform.Platform`.

    Args:
        spec: the fleet's configuration.
        later: where another harness will listen for the services' agents, in the place of this one.
    """

    def __init__(self, spec: FleetSpec, *, later: Endpoint | None = None) -> None:
        self._spec = spec
        self._listens = later is None
        self._control = ControlServer(later.host, later.port, awaited=True) if later else ControlServer()
        self._sampler = Sampler()
        self._guardian = Guardian()

    def start(self, cancelled: threading.Event) -> None:
        """Start what works for all instances: their agents' server, the sampler, the guardian."""
        del cancelled  # it is done at once
        self._guardian.start()
        if self._listens:
            self._control.start()
        self._sampler.start()

    def stop(self) -> None:
        """Stop it all."""
        self._sampler.stop()
        self._control.stop()
        self._guardian.stop()

    def abandon(self, instances: Collection[ServiceInstance]) -> None:
        """Kill instances and dismiss the guardian, without any thread."""
        for instance in instances:
            _process(instance).end(0)
        self._guardian.stop()

    def make(self, order: Order) -> ProcessInstance:
        """An instance on a port of its own: the configured one, where it is not for one test alone."""
        if order.definition:
            raise NotPossible(
                f"{order.service.name} has no definition to change: its fleet consists of processes; --fleet=compose "
                "runs containers."
            )
        fixed = None if order.isolated else order.service.port
        return ProcessInstance(order, self._control, port=reserve_port() if fixed is None else fixed)

    def bring_up(
        self, instances: Mapping[str, ServiceInstance], names: Collection[str], cancelled: threading.Event
    ) -> None:
        """Start instances in the order of their dependencies, otherwise all at once."""
        known = {name: _process(instance) for name, instance in instances.items()}
        Launcher(self._spec, known, self._expect, self._watch, cancelled).bring_up(names)

    def revive(self, instance: ServiceInstance, cancelled: threading.Event) -> None:
        """Start an instance again on the same port."""
        process = _process(instance)
        if process.launch is None:
            raise StartFailure(f"Service '{instance.name}' cannot be started again: it was never started.")
        process.end(0)
        secure_port(process, may_move=False)
        self._expect(process)
        process.start(process.launch)
        self._watch(process)
        try:
            wait_until_ready(process, self._spec.startup_timeout, cancelled.is_set)
        except BaseException:
            process.end(0)
            raise

    def end(self, instance: ServiceInstance, patience: float) -> None:
        """Flush an instance, and end its processes: by SIGTERM, then by force."""
        process = _process(instance)
        if patience > 0 and process.alive:
            process.flush(patience)
        for resisting in process.end(patience):
            _log.warning("process %d of service '%s' could not be ended", resisting.pid, instance.name)
        self._guardian.release(instance.agent_address)

    def resources(self, instance: str) -> list[ResourceSample] | None:
        """What the system saw of an instance, about ten times a second over its whole life."""
        return self._sampler.samples(instance)

    def _expect(self, instance: ProcessInstance) -> None:
        """Be ready for an instance that is about to be started: whoever kills the harness picks no moment."""
        self._guardian.watch(None, instance.agent_address)

    def _watch(self, instance: ProcessInstance) -> None:
        """Look after an instance that has just been started."""
        if instance.pid is not None:
            self._guardian.watch(instance.pid, instance.agent_address)
        self._sampler.watch(instance)


def _process(instance: ServiceInstance) -> ProcessInstance:
    if not isinstance(instance, ProcessInstance):
        raise TypeError(f"{instance.name} is no process of this platform")
    return instance
