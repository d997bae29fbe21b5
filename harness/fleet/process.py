"""A service as a process of this machine: its start and its end."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import psutil

from harness.fleet.control import ControlServer
from harness.fleet.instance import DYING, Order, ServiceInstance, StartFailure
from harness.fleet.ports import LOOPBACK, describe_listener, find_listener
from harness.fleet.tree import descendants, end_processes, members


@dataclass(frozen=True, slots=True)
class Launch:
    """Exactly what a process is started with.

    Args:
        command: program and arguments.
        environment: all its variables.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]


class ProcessInstance(ServiceInstance):
    """A service as a process.

    Args:
        order: what was wanted.
        control: where its agents report.
        port: where it listens.
    """

    def __init__(self, order: Order, control: ControlServer, *, port: int) -> None:
        super().__init__(order, control)
        self.spec = replace(order.service, environment={**order.service.environment, **order.variables})
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._launch: Launch | None = None
        self._seen: dict[int, psutil.Process] = {}

    @property
    def url(self) -> str:
        """Its base URL, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @port.setter
    def port(self, port: int) -> None:
        self._port = port

    @property
    def has_fixed_port(self) -> bool:
        """Whether its port is the one that the configuration asks for."""
        return self.port == self.spec.port

    @property
    def pid(self) -> int | None:
        """The process that was started for it, alive or not; None before the first start."""
        return None if self._process is None else self._process.pid

    @property
    def started_at(self) -> float:
        """When it was last started, in seconds since the epoch; 0 before the first start."""
        return self._started_at

    @property
    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs or before its start."""
        return None if self._process is None else self._process.poll()

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def launch(self) -> Launch | None:
        """What it was last started with."""
        return self._launch

    def wait_exit(self, timeout: float) -> int | None:
        """Wait until the process ends.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Its exit code, or None when it still runs.
        """
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def start(self, launch: Launch) -> None:
        """Start the process; it is not ready yet.

        Args:
            launch: with what.

        Raises:
            StartFailure: the program or the directory does not exist, or the system refuses to run it.
        """
        program = self.find_program(launch)
        with self.log_path.open("wb" if self._process is None else "ab") as log:
            if self._process is not None:
                log.write(f"--- {self.name} is started again ---\n".encode())
                log.flush()
            self._launch = launch
            self._started_at = time.time()
            try:
                self._process = subprocess.Popen(
                    launch.command,
                    executable=program,
                    cwd=self.spec.directory,
                    env=launch.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # A session of its own: Ctrl-C reaches it through the fleet only, and its members can be found.
                    start_new_session=True,
                )
            except OSError as refused:
                raise StartFailure(
                    f"Service '{self.name}' could not be started: {' '.join(launch.command)}: {refused.strerror}. "
                    f"Check 'command' under [service.{self.spec.name}]."
                ) from refused

    def find_program(self, launch: Launch) -> str:
        """Where the program of the command is.

        Raises:
            StartFailure: it, or the directory to run it in, does not exist.
        """
        where = f"under [service.{self.spec.name}]"
        if not self.spec.directory.is_dir():
            raise StartFailure(
                f"Service '{self.name}' could not be started: its directory {self.spec.directory} does not exist. "
                f"Correct 'directory' {where}; it is relative to the configuration file."
            )
        wanted = launch.command[0]
        if "/" in wanted:
            found = shutil.which(self.spec.directory / wanted)
            remedy = f"Check that the file exists and is executable, or correct 'command' {where}."
        else:
            found = shutil.which(wanted, path=launch.environment.get("PATH"))
            remedy = f"Install it, put its directory on PATH, or give its full path in 'command' {where}."
        if found is None:
            raise StartFailure(
                f"Service '{self.name}' could not be started: no program '{wanted}' was found. {remedy}"
            )
        return str(found)

    def processes(self) -> list[psutil.Process]:
        """Its process and the descendants of it, as far as they are known by their parents."""
        found = descendants(self.pid) if self.pid is not None and self.alive else []
        self._seen.update({process.pid: process for process in found})
        return found

    def end(self, patience: float) -> list[psutil.Process]:
        """End the process and everything it started; nothing happens when nothing is left.

        Args:
            patience: seconds between SIGTERM and SIGKILL.

        Returns:
            Processes that resisted.
        """
        if self._process is None:
            return []
        resisted = end_processes(self._everything, patience)
        # Its threads may still be on their way out when the process as such has ended.
        self.wait_exit(DYING)
        self._seen.clear()
        return resisted

    def particulars(self) -> dict[str, str]:
        """How it was started."""
        command = " ".join(self._launch.command if self._launch is not None else self.spec.command)
        return {"command": command, "directory": str(self.spec.directory)}

    def intruder(self) -> str | None:
        """Who answers at its port and cannot be it, because he is older."""
        listener = find_listener(self.port)
        try:
            started = psutil.Process(self.pid).create_time()
            is_older = listener is not None and listener.create_time() < started
        except psutil.Error:
            return None
        return describe_listener(self.port) if is_older else None

    def _everything(self) -> Iterable[psutil.Process]:
        leader = self.pid
        return [*self._seen.values(), *(members(leader, self.agent_address) if leader is not None else ())]
