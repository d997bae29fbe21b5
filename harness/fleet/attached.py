"""Services that run already, started by somebody else: they are reached and flushed, never started or ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping

import psutil

from harness.collector.server import is_loopback
from harness.fleet.attachment import AttachedService, Attachment
from harness.fleet.control import ControlServer
from harness.fleet.instance import Order, ServiceInstance, StartFailure
from harness.fleet.ports import LOOPBACK, find_listener
from harness.fleet.possible import NotPossible
from harness.fleet.readiness import wait_until_all_ready
from harness.fleet.sampling import Sampler
from harness.fleet.tree import descendants
from harness.telemetry.resources import ResourceSample

_log = logging.getLogger(__name__)

READY_TIMEOUT = 10.0
"""Seconds that a service may take to answer that is said to run already."""

AGENT_TIMEOUT = 5.0
"""Seconds that an agent may take to come: it tries twice a second."""


class AttachedInstance(ServiceInstance):
    """A service that somebody else has started.

    Args:
        order: what was wanted.
        control: where its agents report.
        service: where it is.
    """

    def __init__(self, order: Order, control: ControlServer, service: AttachedService) -> None:
        super().__init__(order, control, service.agent)
        self._service = service
        self._pid: int | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return self._service.url

    @property
    def pid(self) -> int | None:
        """What listens at its port, if that is this machine's."""
        return self._pid

    @property
    def started_at(self) -> float:
        """Not known."""
        return 0.0

    @property
    def exit_code(self) -> int | None:
        """Not known: whoever started it knows."""
        return None

    @property
    def alive(self) -> bool:
        """It is said to run, so it is asked."""
        return True

    def locate(self) -> None:
        """See which process it is, if it runs on this machine."""
        host, port = self.listens_at
        listener = find_listener(port) if is_loopback(host) else None
        self._pid = None if listener is None else listener.pid

    def processes(self) -> list[psutil.Process]:
        """That process, with what it has started."""
        return [] if self._pid is None else descendants(self._pid)

    def wait_exit(self, timeout: float) -> int | None:
        """Nobody tells when it ends, so it is not waited for."""
        del timeout
        return None

    def particulars(self) -> dict[str, str]:
        """Where it should be."""
        return {"url": self.url, "configured": f"'url' under [attach.service.{self.spec.name}]"}

    def log_tail(self, lines: int = 30) -> str:
        """Its log is where it was started."""
        del lines
        return ""


class AttachedPlatform:
    """Attaches to services; see `harness.fleet.platform.Platform`.

    Args:
        attachment: where they are.
    """

    def __init__(self, attachment: Attachment) -> None:
        self._attachment = attachment
        self._listens = attachment.control is not None
        endpoint = attachment.control
        self._control = ControlServer(endpoint.host, endpoint.port) if endpoint else ControlServer(LOOPBACK)
        self._sampler = Sampler()

    def start(self, cancelled: threading.Event) -> None:
        """Listen for agents, and begin to sample what runs on this machine.

        Raises:
            StartFailure: the address cannot be listened on.
        """
        del cancelled  # it is done at once
        self._sampler.start()
        if not self._listens:
            return
        try:
            self._control.start()
        except OSError as refused:
            raise StartFailure(
                f"Agents cannot be listened for at {self._attachment.control}: {refused.strerror}. "
                "Correct 'control' under [attach], or end what listens there."
            ) from refused

    def stop(self) -> None:
        """Leave the services alone."""
        self._sampler.stop()
        self._control.stop()

    def abandon(self, instances: Collection[ServiceInstance]) -> None:
        """Nothing is to be ended."""

    def make(self, order: Order) -> AttachedInstance:
        """The service that runs.

        Raises:
            NotPossible: a fresh instance is wanted.
        """
        if order.isolated:
            raise NotPossible(
                f"--fleet=attach: no {order.service.name} of one's own can be started; others than attach can do it"
            )
        return AttachedInstance(order, self._control, self._attachment.services[order.service.name])

    def bring_up(
        self, instances: Mapping[str, ServiceInstance], names: Collection[str], cancelled: threading.Event
    ) -> None:
        """Make sure that all answer, and let their agents come."""
        wait_until_all_ready([instances[name] for name in names], READY_TIMEOUT, cancelled.is_set)
        for name in names:
            if isinstance(instance := instances[name], AttachedInstance):
                instance.locate()
                self._sampler.watch(instance)
            token = self._attachment.services[name].agent
            if token is not None and not self._control.wait_for_agents(instances[name].name, AGENT_TIMEOUT):
                _log.warning("no agent of '%s' has come to %s", name, self._attachment.control)

    def revive(self, instance: ServiceInstance, cancelled: threading.Event) -> None:
        """It is never known to have ended."""
        del cancelled
        raise NotPossible(f"--fleet=attach does not start {instance.name} again")

    def end(self, instance: ServiceInstance, patience: float) -> None:
        """Let it send what it has; it goes on."""
        if patience > 0:
            instance.flush(patience)

    def resources(self, instance: str) -> list[ResourceSample] | None:
        """What the system saw of a service on this machine; nothing of one elsewhere."""
        return self._sampler.samples(instance)
