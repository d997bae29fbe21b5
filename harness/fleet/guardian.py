"""The last resort: a process that ends the services when the harness dies without having done so.

A killed test run, a closed terminal or a cancelled CI job leaves no chance to clean up, and services in sessions of
their own would live on and hold their ports. So the fleet tells this process about each service that it starts. When
the harness is gone, for whatever reason, the pipe between them breaks, and everything that is still there is killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TextIO

_PACKAGE_ROOT = Path(__file__).parents[2]


class Guardian:
    """The harness's end of the pipe."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._telling = threading.Lock()

    def start(self) -> None:
        """Start the guarding process."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            env={**os.environ, "PYTHONPATH": str(_PACKAGE_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            # What ends the harness's whole process group must not end its guardian.
            start_new_session=True,
        )

    def watch(self, pid: int | None, agent_address: str) -> None:
        """Have a service ended if the harness is not there to do it.

        Args:
            pid: the process that was started; None for one that is about to be.
            agent_address: the value of the agent's variable in its environment.
        """
        self._tell({"watch": agent_address, "pid": pid})

    def release(self, agent_address: str) -> None:
        """A service has been ended in order."""
        self._tell({"release": agent_address})

    def stop(self) -> None:
        """Dismiss the guarding process; whatever it knew of is left alone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            with suppress(OSError):
                if self._process.stdin is not None:
                    self._process.stdin.close()
            self._process = None

    def _tell(self, message: dict[str, object]) -> None:
        with self._telling:
            if self._process is not None and self._process.stdin is not None:
                # A guardian that was killed guards nothing; that is no reason to end the run.
                with suppress(OSError):
                    self._process.stdin.write(json.dumps(message) + "\n")


def guard(told: TextIO) -> None:
    """Listen until the harness is gone, then kill what it left behind.

    Args:
        told: the pipe from the harness.
    """
    wards: dict[str, int | None] = {}
    for line in told:
        message = json.loads(line)
        if "watch" in message:
            wards[message["watch"]] = message["pid"]
        else:
            wards.pop(message["release"], None)
    if wards:
        from harness.fleet.tree import end_processes, members  # rarely needed, slow to import

        for agent_address, pid in wards.items():
            end_processes(lambda pid=pid, address=agent_address: members(pid, address), 0)  # type: ignore[misc]


if __name__ == "__main__":
    guard(sys.stdin)
