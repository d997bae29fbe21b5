"""One execution for many test processes: the controlling process serves it, workers reach it by address and key."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.managers import BaseManager
from types import MappingProxyType
from typing import Any, Protocol, cast

from harness.collector.faults import Fault
from harness.collector.injecting import Injection
from harness.fleet.operating import Operation
from harness.run.execution import Execution
from harness.run.instances import Isolated, ServiceAddress
from harness.run.observing import Moment, Observation, Visit
from harness.run.scenario import Scenario, Trigger
from harness.verify.evidence import Evidence


class Scenarios(Protocol):
    """What a test process needs of an execution, be it in this process or in the controlling one."""

    def begin(self, scenarios: Iterable[Scenario], *, complete: bool) -> None:
        """Announce the selected scenarios."""

    def evidence(self, key: str) -> Evidence:
        """The evidence of a scenario, once it is complete."""

    def refresh(self, key: str) -> Evidence:
        """The evidence after another flush barrier."""

    def trigger(self, triggers: Sequence[Trigger], own: str | None = None) -> list[str]:
        """Send requests from within a test."""

    def services(self) -> dict[str, ServiceAddress]:
        """The running services."""

    def isolate(
        self,
        services: Sequence[str],
        environment: Mapping[str, Mapping[str, str]],
        faults: Sequence[Fault] = (),
        definition: Mapping[str, Mapping[str, object]] = MappingProxyType({}),
    ) -> Isolated:
        """Start instances of services for a test alone."""

    def release(self, key: str) -> None:
        """End such instances."""

    def flush(self, key: str | None) -> None:
        """Let such instances, or all shared ones, send everything they have."""

    def log(self, key: str | None, service: str) -> str:
        """What such an instance, or the shared one, has written."""

    def operate(self, key: str, service: str, operation: Operation) -> None:
        """Do something to such a container on purpose."""

    def run_inside(self, key: str, service: str, command: Sequence[str]) -> str:
        """Run a command inside of such a container."""

    def wait_exit(self, key: str, service: str, timeout: float) -> int | None:
        """Wait until such an instance ends."""

    def wait_restarted(self, key: str, service: str, times: int, timeout: float) -> bool:
        """Wait until such a container was started again."""

    def inject(self, key: str, faults: Sequence[Fault]) -> str:
        """Have faults befall such instances."""

    def withdraw(self, injected: str) -> None:
        """Take such faults away."""

    def injections(self, injected: str, count: int = 0, timeout: float = 0.0) -> tuple[Injection, ...]:
        """What such faults did."""

    def captured(self, key: str) -> Evidence:
        """Everything that such instances have sent."""

    def token(self, claims: Mapping[str, Any]) -> str:
        """A token as triggers get it."""

    def visit(self, service: str, isolated: Sequence[str] = ()) -> Visit:
        """Make a service ready for a page in a browser."""

    def leave(self, visit: str) -> None:
        """End a visit, with the services that were started for it."""

    def moment(self) -> Moment:
        """Now, as evidence counts it."""

    def adopt(self, trace_ids: Sequence[str]) -> None:
        """Take traces that a page started for this run's own."""

    def observe(self, observation: Observation) -> str:
        """Begin to gather the evidence of what a page did; gives a key for it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the execution is served, with the key that opens it; plain data for a worker's start-up message."""

    host: str
    port: int
    key: str


class _Manager(BaseManager):
    pass


class ExecutionServer:
    """Serves an execution on a loopback port to the test processes of the same run."""

    def __init__(self, execution: Execution) -> None:
        key = secrets.token_hex(16)

        class ServingManager(BaseManager):
            """A class of its own for each execution, because registrations belong to the class."""

        ServingManager.register("execution", callable=lambda: execution, exposed=_EXPOSED)
        self._server = ServingManager(("127.0.0.1", 0), authkey=key.encode()).get_server()
        host, port = cast("tuple[str, int]", self._server.address)
        self.address = Address(host, port, key)
        threading.Thread(target=self._serve, name="execution-server", daemon=True).start()

    def _serve(self) -> None:
        # BaseManager's server ends its loop by exiting; here it runs in a thread of the controlling process.
        with suppress(SystemExit):
            self._server.serve_forever()


_EXPOSED = tuple(name for name in vars(Scenarios) if not name.startswith("_"))
_Manager.register("execution", exposed=_EXPOSED)


def connect(address: Address) -> Scenarios:
    """The execution that the controlling process serves.

    Raises:
        OSError: it is gone.
    """
    manager = _Manager((address.host, address.port), authkey=address.key.encode())
    manager.connect()
    return cast("Scenarios", manager.execution())  # type: ignore[attr-defined]
