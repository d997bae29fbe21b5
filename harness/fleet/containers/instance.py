"""A service as a container: what state it is in, what it says, and what is done to it on purpose."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
from docker.errors import APIError, NotFound

from harness.fleet.containers.engine import Engine
from harness.fleet.containers.life import Life, begun_anew, ending_of, fate_of, next_life
from harness.fleet.control import ControlServer
from harness.fleet.flushing import FlushReport
from harness.fleet.instance import Order, ServiceInstance, last_lines
from harness.fleet.operating import Operation
from harness.fleet.tree import descendants

_RECONNECT_TIMEOUT = 30.0


class ContainerInstance(ServiceInstance):
    """A service as a container.

    Args:
        order: what was wanted.
        control: where its agents report.
        engine: what runs it.
        port: its port on this machine.
        inside: host and port at which other containers reach it.
    """

    def __init__(self, order: Order, control: ControlServer, *, engine: Engine, port: int, inside: str) -> None:
        super().__init__(order, control)
        self.compose_name = inside.partition(":")[0]
        self.published = port
        self._inside = inside
        self._engine = engine
        self._id: str | None = None
        self._life = Life()
        self._changed = threading.Condition()
        self._inner_addresses: list[str] = []
        self._networks: dict[str, list[str]] = {}
        self._is_over = False

    @property
    def url(self) -> str:
        """Its base URL on this machine."""
        return f"http://127.0.0.1:{self.published}"

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where this machine reaches it, and where other containers do: by its name, or what that stands for."""
        port = self._inside.rpartition(":")[2]
        return (*super().addresses, self._inside, *(f"{address}:{port}" for address in self._inner_addresses))

    @property
    def id(self) -> str | None:
        """The container's id; None before its start."""
        return self._id

    @property
    def life(self) -> Life:
        """What became of it so far."""
        return self._life

    @property
    def pid(self) -> int | None:
        """Its first process, if its engine is on this machine."""
        pid = self._life.pid
        return pid if pid and self._id is not None and _is_of_container(pid, self._id) else None

    @property
    def started_at(self) -> float:
        """When it was last started."""
        return self._life.started_at

    @property
    def exit_code(self) -> int | None:
        """Its exit code while it does not run."""
        return self._life.exit_code if self._life.has_ended else None

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended for good."""
        return self._id is not None and not (self._is_over or self._life.has_ended or self._life.status == "created")

    def wait_exit(self, timeout: float) -> int | None:
        """Wait until it ends."""
        with self._changed:
            self._changed.wait_for(lambda: self.exit_code is not None, timeout)
            return self.exit_code

    def wait_until(self, holds: Callable[[Life], bool], timeout: float) -> bool:
        """Wait until something holds of its life.

        Args:
            holds: tells whether it does.
            timeout: seconds to wait at most.
        """
        with self._changed:
            return self._changed.wait_for(lambda: holds(self._life), timeout)

    def bind(self, container_id: str) -> None:
        """It has become a container."""
        known = self._engine.api.inspect_container(container_id)
        networks = known["NetworkSettings"]["Networks"].values()
        self._inner_addresses = [held["IPAddress"] for held in networks if held["IPAddress"]]
        self._id = container_id
        self._is_over = False
        self._live(lambda life: replace(life, memory_limit=known["HostConfig"]["Memory"]))
        self.learn()

    def begin_anew(self) -> None:
        """It is about to be started again by whoever had it started."""
        self._live(begun_anew)

    def learn(self, event: str = "", code: int | None = None) -> None:
        """Take in what has happened to the container.

        Args:
            event: what the engine calls it.
            code: with which exit code it ended, if it did.
        """
        if self._id is None:
            return
        try:
            state = self._engine.api.inspect_container(self._id)["State"]
        except NotFound:
            state = {"Status": "removing", "Pid": 0}
        self._live(lambda life: next_life(life, state, event, code))

    def fate(self) -> str | None:
        """What befell the container, in words."""
        return fate_of(self._life)

    def ending(self) -> str | None:
        """How it ended, in words."""
        return None if self.exit_code is None else ending_of(self._life)

    def particulars(self) -> dict[str, str]:
        """What runs it."""
        return {"container": f"'{self.compose_name}', {(self._id or 'not created')[:12]}"}

    def processes(self) -> list[psutil.Process]:
        """Its processes, if its engine is on this machine."""
        pid = self.pid
        return descendants(pid) if pid is not None else []

    def log(self) -> str:
        """Everything that it wrote to standard output and error."""
        return self._log("all") if self._has_log() else super().log()

    def log_tail(self, lines: int = 30) -> str:
        """The last lines that it wrote."""
        return last_lines(self._log(lines), lines) if self._has_log() else super().log_tail(lines)

    def keep_log(self) -> None:
        """Write its log where those of processes are, before the container goes."""
        self.log_path.write_text(self.log(), encoding="utf-8")
        self._is_over = True

    def begin_flush(self, timeout: float) -> Callable[[], FlushReport]:
        """Ask it to flush; one that stands still or hears nothing is not waited for."""
        if self._life.status == "paused" or self._life.is_cut_off:
            return lambda: FlushReport(self.name, (), "timed-out", self.exit_code)
        return super().begin_flush(timeout)

    def wait_restarted(self, times: int, timeout: float) -> bool:
        """Wait until its restart policy has started it again."""
        return self.wait_until(lambda life: life.deaths >= times and life.status == "running", timeout)

    def operate(self, operation: Operation) -> None:
        """Do something to it on purpose."""
        match operation:
            case "pause":
                self.pause()
            case "unpause":
                self.unpause()
            case "kill":
                self.kill(signal.SIGKILL)
            case "disconnect":
                self.disconnect()
            case "reconnect":
                self.reconnect()

    def run_inside(self, command: Sequence[str]) -> str:
        """Run a command inside of it."""
        # Without the agents: what is run beside the service is none of its processes.
        plain = {"PYTHONPATH": "", "NODE_OPTIONS": ""}
        created = self._engine.api.exec_create(self._id, list(command), environment=plain)
        written: bytes = self._engine.api.exec_start(created)
        output = written.decode(errors="replace")
        code = self._engine.api.exec_inspect(created)["ExitCode"]
        if code != 0:
            raise RuntimeError(f"{command[0]} inside of '{self.name}' ended with exit code {code}: {output}")
        return output

    def pause(self) -> None:
        """Let its processes stand still."""
        self._engine.api.pause(self._id)
        self.learn("pause")

    def unpause(self) -> None:
        """Let them go on."""
        self._engine.api.unpause(self._id)
        self.learn("unpause")

    def kill(self, number: int) -> None:
        """Send a signal to its first process; its restart policy holds, as it does when a process dies by itself.

        Args:
            number: the signal.
        """
        pid = self.pid
        if pid is None:
            self._engine.api.kill(self._id, number)
        else:
            psutil.Process(pid).send_signal(number)

    def disconnect(self) -> None:
        """Cut it off from all networks."""
        connected = self._engine.api.inspect_container(self._id)["NetworkSettings"]["Networks"]
        for network, held in connected.items():
            own = [alias for alias in held["Aliases"] or [] if not (self._id or "").startswith(alias)]
            self._networks[network] = own
            self._engine.api.disconnect_container_from_network(self._id, network, force=True)
        self._live(lambda life: replace(life, is_cut_off=True))
        self._control.forget(self.name)

    def reconnect(self) -> None:
        """Put it back on the networks that it was cut off from, and wait until its agents have come back."""
        had_agents = self._control.has_had_agents(self.name)
        for network, aliases in self._networks.items():
            self._engine.api.connect_container_to_network(self._id, network, aliases=aliases)
        self._networks = {}
        self._live(lambda life: replace(life, is_cut_off=False))
        if had_agents:
            self._control.wait_for_agents(self.name, _RECONNECT_TIMEOUT)

    def _live(self, change: Callable[[Life], Life]) -> None:
        """Go on living, and tell those who wait for it."""
        with self._changed:
            self._life = change(self._life)
            self._changed.notify_all()

    def _has_log(self) -> bool:
        return self._id is not None and not self._is_over

    def _log(self, tail: int | str) -> str:
        try:
            text: bytes = self._engine.api.logs(self._id, stdout=True, stderr=True, tail=tail)
        except APIError:
            return ""
        return text.decode(errors="replace")


def _is_of_container(pid: int, container_id: str) -> bool:
    """Whether a process of this machine is one of a container, and not one that another machine calls the same."""
    try:
        return container_id in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False
