"""Real sockets and real processes, spoken to byte by byte, so that a test decides who says what when."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

SERVICES = Path(__file__).parents[2] / "services"
FOLDERS = ("observability", "game_engine", "analytics", "gateway")
SECONDS = 10.0

# Nothing listens there: the SDK is on, as in production, and what it sends is lost.
UNREACHABLE_DSN = "http://key@127.0.0.1:9/1"


class Conversation:
    """One connection of which the test is one end."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.connection.settimeout(SECONDS)
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.connection.close()

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def read_until(self, mark: bytes) -> bytes:
        """Everything up to and including `mark`; fails when the peer closes before."""
        while mark not in self._unread:
            received = self.connection.recv(65536)
            assert received, f"the connection ended after {self._unread!r}, before {mark!r}"
            self._unread += received
        before, _, self._unread = self._unread.partition(mark)
        return before + mark

    def read_head(self) -> tuple[str, list[tuple[str, str]]]:
        """The first line and the headers, names in lower case."""
        first, *lines = self.read_until(b"\r\n\r\n").decode("latin-1").strip().split("\r\n")
        return first, [(line.partition(":")[0].lower(), line.partition(":")[2].strip()) for line in lines]

    def read_exactly(self, length: int) -> bytes:
        while len(self._unread) < length:
            received = self.connection.recv(65536)
            assert received, f"the connection ended after {self._unread!r}"
            self._unread += received
        data, self._unread = self._unread[:length], self._unread[length:]
        return data

    def read_to_end(self) -> bytes:
        """Everything until the peer closes."""
        while received := self.connection.recv(65536):
            self._unread += received
        data, self._unread = self._unread, b""
        return data

    def read_json(self) -> Any:
        """The JSON body of a message with a Content-Length, whose head is read here too."""
        return self.read_message()[2]

    def read_message(self) -> tuple[str, dict[str, str], Any]:
        """First line, headers and JSON body of a message with a Content-Length."""
        first, headers = self.read_head()
        body = self.read_exactly(int(dict(headers)["content-length"]))
        return first, dict(headers), json.loads(body)

    def answer_json(self, status: str, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(text), text))


class Listener:
    """A server of which the test is the server."""

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(SECONDS)
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def accept(self) -> Conversation:
        return Conversation(self._socket.accept()[0])


class ServiceProcess:
    """A Python service as a real process, listening on a port that it chose itself."""

    def __init__(self, module: str, environment: dict[str, str]) -> None:
        self._module = module
        self._environment = environment

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(str(SERVICES / folder) for folder in FOLDERS),
                "PORT": "0",
                "SENTRY_DSN": UNREACHABLE_DSN,
                **self._environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        announced = re.search(r"listening on http://127\.0\.0\.1:(\d+)", self._process.stdout.readline())
        assert announced is not None, f"{self._module} did not say where it listens"
        self.port = int(announced[1])
        self._lines: list[dict[str, Any]] = []
        self._has_written = threading.Condition()
        # A process that nobody listens to stops at its next log line, once the pipe is full.
        self._draining = threading.Thread(target=self._drain, name=f"output of {self._module}")
        self._draining.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            exit_code = self._process.wait(SECONDS)
        finally:
            self._process.kill()
            self._draining.join()
            assert self._process.stdout is not None
            self._process.stdout.close()
        assert kind is not None or exit_code == 0, f"{self._module} ended with {exit_code} on SIGTERM"

    def _drain(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._has_written:
                self._lines.append(json.loads(line))
                self._has_written.notify_all()

    def logged(self, message: str, count: int) -> list[dict[str, Any]]:
        """The lines of its log with this message, once there are so many; fails when they do not come."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self._lines if line["message"] == message]

        with self._has_written:
            assert self._has_written.wait_for(lambda: len(found()) >= count, SECONDS), f"logged: {self._lines}"
            return found()

    def connect(self) -> Conversation:
        """A new connection to the service."""
        return Conversation(socket.create_connection(("127.0.0.1", self.port)))

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Conversation:
        """Send a request; what comes back is the caller's to read."""
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: service.test",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        conversation = self.connect()
        conversation.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        return conversation


class StartService(Protocol):
    def __call__(self, module: str, **environment: str) -> ServiceProcess: ...
