"""What the fleet's tests share: where the small services are, and a gate that holds them up."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from harness.fleet.fleet import Fleet

SERVICES = Path(__file__).parent / "services"

MakeFleet = Callable[[str], Fleet]


class Gate:
    """Where a service that was given `gate={gate.address}` waits until the test lets it go on."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self._waiting: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def wait_for_one(self) -> str:
        """The release of the next service that arrives."""
        waiting, _ = self._listener.accept()
        self._waiting.append(waiting)
        return waiting.recv(100).decode()

    def open(self) -> None:
        """Let everybody go on who has arrived."""
        while self._waiting:
            self._waiting.pop().close()

    def close(self) -> None:
        self.open()
        self._listener.close()
