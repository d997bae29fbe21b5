"""One running service: its process, its log, its end."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.fleet.control import ControlServer
from harness.fleet.flushing import FlushReport, summarise
from harness.fleet.ports import LOOPBACK
from harness.fleet.spec import ServiceSpec
from harness.fleet.tree import descendants, end_processes, members
from harness.wire.dsn import Dsn

# The agents of a process vanish a moment before the process itself does.
_DYING = 2.0
_LOG_TAIL_BYTES = 64 * 1024


class StartFailure(RuntimeError):
    """A service, or several, could not be started; the message has all that is needed to see why."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Exactly what a process is started with.

    Args:
        command: program and arguments.
        environment: all its variables.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]


class ServiceInstance:
    """A service as a process. The fleet makes, starts and ends it; everybody may look at it and flush it.

    Args:
        name: its name: that of the service, or ``<service>#<number>`` for an isolated one.
        spec: the service.
        port: where it listens.
        dsn: where its SDK sends to.
        log_path: the file that takes its standard output and error.
        control: where its agents report.
    """

    def __init__(
        self, name: str, spec: ServiceSpec, *, port: int, dsn: Dsn, log_path: Path, control: ControlServer
    ) -> None:
        self.name = name
        self.spec = spec
        self.port = port
        self.dsn = dsn
        self.log_path = log_path
        self.agent_address = control.enrol(name)
        self._control = control
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._launch: Launch | None = None
        self._seen: dict[int, psutil.Process] = {}
        self.reviving = threading.Lock()

    @property
    def url(self) -> str:
        """Its base URL, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

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

    def log_tail(self, lines: int = 30) -> str:
        """The last lines that it wrote to standard output and error."""
        try:
            with self.log_path.open("rb") as log:
                log.seek(max(0, self.log_path.stat().st_size - _LOG_TAIL_BYTES))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def flush(self, timeout: float = 5.0) -> FlushReport:
        """Let it send everything that its SDK has captured so far, and wait until that is done.

        A service that has died, or dies meanwhile, is no error: the report says so.

        Args:
            timeout: seconds that its SDK may take once it is asked.
        """
        return self.begin_flush(timeout)()

    def begin_flush(self, timeout: float) -> Callable[[], FlushReport]:
        """Ask it to flush, see `flush`; what is returned waits for the outcome and gives the report."""
        asked = self._control.flush(self.name, timeout)

        def conclude() -> FlushReport:
            try:
                answers = asked.result()
            except CancelledError:
                answers = ()
            if all(answer.state == "gone" for answer in answers) and self._control.has_had_agents(self.name):
                self.wait_exit(_DYING)
            return summarise(self.name, answers, self.exit_code)

        return conclude

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
        self.wait_exit(_DYING)
        self._seen.clear()
        return resisted

    def describe_failure(self, what: str) -> str:
        """A message about a failed start: what happened, how it was started, what it last said."""
        command = " ".join(self._launch.command if self._launch is not None else self.spec.command)
        log = "\n".join(f"    {line}" for line in self.log_tail().splitlines()) or "    (nothing)"
        return (
            f"Service '{self.name}' did not start: {what}.\n"
            f"  command:   {command}\n"
            f"  directory: {self.spec.directory}\n"
            f"  log:       {self.log_path}, its last lines:\n{log}"
        )

    def _everything(self) -> Iterable[psutil.Process]:
        leader = self.pid
        return [*self._seen.values(), *(members(leader, self.agent_address) if leader is not None else ())]


def describe_exit(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        return f"it was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was ended by signal {-code}"
