"""One running service as everybody sees it, wherever it runs: its address, its log, its end, its flush."""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from harness.fleet.control import ControlServer
from harness.fleet.flushing import FlushReport, summarise
from harness.fleet.operating import Operation
from harness.fleet.possible import NotPossible
from harness.fleet.spec import ServiceSpec
from harness.wire.dsn import Dsn

DYING = 2.0
"""Seconds that a process may take to end once its agents are gone."""

_LOG_TAIL_BYTES = 64 * 1024


class StartFailure(RuntimeError):
    """A service, or several, could not be started; the message has all that is needed to see why."""


@dataclass(frozen=True, slots=True)
class Order:
    """An instance that is wanted.

    Args:
        name: what it is to be called: as the service, or ``<service>#<number>`` for an isolated one.
        service: the service.
        dsn: where its SDK shall send to.
        log_path: the file that takes what it writes to standard output and error.
        variables: further variables of its environment, which win over the configured ones.
        definition: what of its definition in the Compose file is to be otherwise; containers only.
        isolated: whether it is for one scenario or test alone.
    """

    name: str
    service: ServiceSpec
    dsn: Dsn
    log_path: Path
    variables: dict[str, str] = field(default_factory=dict)
    definition: dict[str, object] = field(default_factory=dict)
    isolated: bool = False


class ServiceInstance(ABC):
    """A service that runs, or is about to. Its platform starts and ends it; everybody may look at it and flush it.

    Args:
        order: what was wanted.
        control: where its agents report.
        agent_token: by which they are known, if one was agreed on beforehand.
    """

    def __init__(self, order: Order, control: ControlServer, agent_token: str | None = None) -> None:
        self.order = order
        self.name = order.name
        self.spec = order.service
        self.dsn = order.dsn
        self.log_path = order.log_path
        self.agent_address = control.enrol(order.name, agent_token)
        self.reviving = threading.Lock()
        self._control = control

    @property
    @abstractmethod
    def url(self) -> str:
        """Its base URL as this machine reaches it, without a slash at the end."""

    @property
    def port(self) -> int:
        """The port of its URL."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def listens_at(self) -> tuple[str, int]:
        """Host and port that accept connections as soon as it does itself."""
        return str(urlsplit(self.url).hostname), self.port

    @property
    def addresses(self) -> tuple[str, ...]:
        """Host and port of every address that it is called at, this machine's first."""
        return (urlsplit(self.url).netloc,)

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """Its first process, alive or not; None when it is not known on this machine."""

    @property
    @abstractmethod
    def started_at(self) -> float:
        """When it was last started, in seconds since the epoch; 0 when that is not known or was not yet."""

    @property
    @abstractmethod
    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs or before its start."""

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether it was started and has not ended."""

    @abstractmethod
    def wait_exit(self, timeout: float) -> int | None:
        """Wait until it ends.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Its exit code, or None when it still runs.
        """

    def wait_restarted(self, times: int, timeout: float) -> bool:
        """Wait until whoever runs it has started it again.

        Args:
            times: how often since its first start.
            timeout: seconds to wait at most.

        Returns:
            Whether that was so.

        Raises:
            NotPossible: nobody would.
        """
        del times, timeout
        raise NotPossible(f"{self.name} is no container with a restart policy; --fleet=compose has some")

    def operate(self, operation: Operation) -> None:
        """Do something to it that only befalls containers.

        Raises:
            NotPossible: it is none.
        """
        raise NotPossible(f"{self.name} is no container, so it cannot {operation}; --fleet=compose has some")

    def run_inside(self, command: Sequence[str]) -> str:
        """Run a command inside of its container.

        Args:
            command: program and arguments.

        Returns:
            What the command writes.

        Raises:
            NotPossible: it has no container.
            RuntimeError: the command failed; the message has what it wrote.
        """
        del command
        raise NotPossible(f"{self.name} has no container to run anything in; --fleet=compose has some")

    @abstractmethod
    def particulars(self) -> dict[str, str]:
        """What somebody needs to know who looks for the cause of its failed start, by a word for each."""

    def ending(self) -> str | None:
        """How it ended, in words; None while it runs."""
        code = self.exit_code
        return None if code is None else describe_exit(code)

    def fate(self) -> str | None:
        """What befell it that its exit code does not tell, in words; None when there is nothing to tell."""
        return None

    def intruder(self) -> str | None:
        """Who else answers at its port, in words; None when nobody does."""
        return None

    def processes(self) -> list[psutil.Process]:
        """Its processes, as far as this machine knows them."""
        return []

    def log(self) -> str:
        """Everything that it wrote to standard output and error."""
        try:
            return self.log_path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def log_tail(self, lines: int = 30) -> str:
        """The last lines that it wrote to standard output and error."""
        try:
            with self.log_path.open("rb") as log:
                log.seek(max(0, self.log_path.stat().st_size - _LOG_TAIL_BYTES))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return last_lines(text, lines)

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
                # The agents of a process vanish a moment before the process itself does.
                self.wait_exit(DYING)
            return summarise(self.name, answers, self.exit_code)

        return conclude

    def describe_failure(self, what: str) -> str:
        """A message about a failed start: what happened, how it was started, what it last said."""
        log = "\n".join(f"    {line}" for line in self.log_tail().splitlines()) or "    (nothing)"
        particulars = {**self.particulars(), "log": f"{self.log_path}, its last lines:\n{log}"}
        width = max(map(len, particulars)) + 1
        told = "\n".join(f"  {word + ':':<{width}} {text}" for word, text in particulars.items())
        return f"Service '{self.name}' did not start: {what}.\n{told}"


def last_lines(text: str, lines: int) -> str:
    """The end of a text.

    Args:
        text: of any length.
        lines: how many lines of it.
    """
    return "\n".join(text.splitlines()[-lines:])


def describe_exit(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        return f"it was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was ended by signal {-code}"
