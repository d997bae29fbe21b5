"""Bringing services up: in dependency order, otherwise all at once, each on a port that it really gets."""

from __future__ import annotations

import graphlib
import os
import queue
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from harness.fleet.environment import service_environment
from harness.fleet.instance import StartFailure
from harness.fleet.placeholders import expand
from harness.fleet.ports import describe_listener, is_taken, reserve_port
from harness.fleet.process import Launch, ProcessInstance
from harness.fleet.readiness import StartCancelled, wait_until_ready
from harness.fleet.spec import FleetSpec

_PORT_ATTEMPTS = 3
_PORT_TAKEN = ("eaddrinuse", "address already in use", "address in use")


class Launcher:
    """Brings up instances that know each other.

    Args:
        spec: the fleet's configuration.
        instances: everybody by service name: the instances to bring up and those that they may refer to.
        expect: called with each instance just before it is started.
        watch: called with each instance as soon as it runs.
        cancelled: gives everything up when set.
    """

    def __init__(
        self,
        spec: FleetSpec,
        instances: Mapping[str, ProcessInstance],
        expect: Callable[[ProcessInstance], None],
        watch: Callable[[ProcessInstance], None],
        cancelled: threading.Event,
    ) -> None:
        self._spec = spec
        self._instances = instances
        self._expect = expect
        self._watch = watch
        self._cancelled = cancelled
        self._inherited = dict(os.environ)

    def bring_up(self, names: Collection[str]) -> None:
        """Start services and return when all are ready.

        Args:
            names: which ones.

        Raises:
            StartFailure: one or several failed; what was started meanwhile still runs.
            StartCancelled: it was cancelled.
        """
        _raise_together([problem for name in names if (problem := self._missing(name)) is not None])
        waiting = set(names)
        for _ in range(_PORT_ATTEMPTS):
            self._bring_up_in_order(waiting)
            # A service that had to take another port after others had been told its first one.
            waiting = {name for name in names if self._plan(name) != self._instances[name].launch}
            if not waiting:
                return
            for name in waiting:
                self._instances[name].end(self._spec.stop_timeout)
        raise StartFailure(
            f"The ports of the services were taken {_PORT_ATTEMPTS} times while they were being started."
        )

    def _plan(self, name: str) -> Launch:
        instance = self._instances[name]
        ports = {other: known.port for other, known in self._instances.items()}
        values = self._spec.placeholders(name, ports)
        return Launch(
            command=tuple(expand(word, values) for word in instance.spec.command),
            environment=service_environment(
                self._inherited,
                {key: expand(value, values) for key, value in instance.spec.environment.items()},
                port=instance.port,
                dsn=str(instance.dsn),
                sentry_environment=self._spec.sentry_environment,
                release=instance.spec.release,
                agent_address=instance.agent_address,
            ),
        )

    def _missing(self, name: str) -> StartFailure | None:
        try:
            self._instances[name].find_program(self._plan(name))
        except StartFailure as problem:
            return problem
        return None

    def _bring_up_in_order(self, names: Collection[str]) -> None:
        order = graphlib.TopologicalSorter(
            {name: [other for other in self._spec.services[name].depends_on if other in names] for name in names}
        )
        order.prepare()
        given_up = threading.Event()
        ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        attempts: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(len(names), thread_name_prefix="fleet-start") as pool:
            try:
                while order.is_active():
                    for name in order.get_ready():
                        attempts[name] = pool.submit(self._bring_up_one, name, given_up)
                        attempts[name].add_done_callback(lambda _, name=name: ended.put(name))  # type: ignore[misc]
                    name = ended.get()
                    if attempts[name].exception() is not None:
                        break
                    order.done(name)
            finally:
                given_up.set()
        problems = [problem for attempt in attempts.values() if (problem := attempt.exception()) is not None]
        _raise_together([problem for problem in problems if not isinstance(problem, StartCancelled)])
        if problems:
            raise problems[0]

    def _bring_up_one(self, name: str, given_up: threading.Event) -> None:
        instance = self._instances[name]

        def cancelled() -> bool:
            return given_up.is_set() or self._cancelled.is_set()

        for attempt in range(1, _PORT_ATTEMPTS + 1):
            if cancelled():
                raise StartCancelled(name)
            secure_port(instance)
            plan = self._plan(name)
            self._expect(instance)
            instance.start(plan)
            self._watch(instance)
            try:
                wait_until_ready(instance, self._spec.startup_timeout, cancelled)
            except StartFailure:
                may_move = instance.exit_code is not None and not instance.has_fixed_port
                instance.end(0)
                if attempt == _PORT_ATTEMPTS or not (may_move and _died_of_its_port(instance)):
                    raise
                instance.port = reserve_port()
            else:
                return


def secure_port(instance: ProcessInstance, *, may_move: bool = True) -> None:
    """Make sure that the instance can listen, on another port if need be.

    Args:
        instance: not running.
        may_move: whether it may take another port; one with a configured port never does.

    Raises:
        StartFailure: the port is taken and must not change; the message names the holder if the system tells.
    """
    if not is_taken(instance.port):
        return
    if may_move and not instance.has_fixed_port:
        instance.port = reserve_port()
        return
    holder = describe_listener(instance.port)
    remedy = (
        f"End it, or leave 'port' out under [service.{instance.spec.name}] to get a free one."
        if instance.has_fixed_port
        else "The other services know it by this port, so it cannot take another one."
    )
    raise StartFailure(
        f"Service '{instance.name}' could not be started: its port {instance.port} is in use by {holder}. {remedy}"
    )


def _died_of_its_port(instance: ProcessInstance) -> bool:
    log = instance.log_tail().lower()
    return is_taken(instance.port) or any(phrase in log for phrase in _PORT_TAKEN)


def _raise_together(problems: Collection[BaseException]) -> None:
    """Raise a single problem as it is, and several start failures as one."""
    if not problems:
        return
    if all(isinstance(problem, StartFailure) for problem in problems) and len(problems) > 1:
        raise StartFailure("\n\n".join(map(str, problems)))
    raise next(iter(problems))
