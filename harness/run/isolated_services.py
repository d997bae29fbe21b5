"""What a test may ask of an execution about instances that it has for itself; see `harness.run.instances`."""

from __future__ import annotations

from collections.abc import Sequence

from harness.collector.faults import Fault
from harness.collector.injecting import Injection
from harness.fleet.operating import Operation
from harness.run.instances import IsolatedInstances
from harness.verify.evidence import Evidence


class IsolatedServices:
    """The part of an execution that is about such instances, once they are started.

    Args:
        isolated: the instances.
    """

    def __init__(self, isolated: IsolatedInstances) -> None:
        self._isolated = isolated

    def release(self, key: str) -> None:
        """End the instances that `isolate` started."""
        self._isolated.close(key)

    def flush(self, key: str | None) -> None:
        """Let isolated instances, or with None all services, send everything they have."""
        self._isolated.flush(key)

    def log(self, key: str | None, service: str) -> str:
        """Everything that an isolated instance, or with None the shared one, wrote to standard output and error."""
        return self._isolated.log(key, service)

    def operate(self, key: str, service: str, operation: Operation) -> None:
        """Do something to the container of an isolated instance on purpose."""
        self._isolated.operate(key, service, operation)

    def run_inside(self, key: str, service: str, command: Sequence[str]) -> str:
        """Run a command inside of the container of an isolated instance; gives what it writes."""
        return self._isolated.run_inside(key, service, command)

    def wait_exit(self, key: str, service: str, timeout: float) -> int | None:
        """Wait, so many seconds at most, until an isolated instance ends; gives its exit code."""
        return self._isolated.wait_exit(key, service, timeout)

    def wait_restarted(self, key: str, service: str, times: int, timeout: float) -> bool:
        """Wait, so many seconds at most, until an isolated container was started again so often, and is ready."""
        return self._isolated.wait_restarted(key, service, times, timeout)

    def inject(self, key: str, faults: Sequence[Fault]) -> str:
        """Have faults befall isolated instances from now on; gives a key for them.

        Raises:
            InvalidFault: one of them belongs to the DSN that an instance starts with.
            InvalidScenario: one is meant for another service.
        """
        return self._isolated.inject(key, faults)

    def withdraw(self, injected: str) -> None:
        """Take such faults away."""
        self._isolated.withdraw(injected)

    def injections(self, injected: str, count: int = 0, timeout: float = 0.0) -> tuple[Injection, ...]:
        """What such faults did, once that are so many requests or the time, in seconds, is over."""
        return self._isolated.injections(injected, count, timeout)

    def captured(self, key: str) -> Evidence:
        """Everything that isolated instances have sent and were put through, after a flush barrier."""
        return self._isolated.captured(key)
