"""The servers that are compared, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Self

import psutil
from ephemeral_port_reserve import reserve  # type: ignore[import-untyped]  # the package has no type information

from harness.collector.connection import Connection
from harness.collector.connections import Connections, Patience
from harness.collector.messages import Answer
from harness.collector.server import Collector

COLLECTOR, KENT, SPOTLIGHT, BARE, CEILING = "collector", "kent", "Spotlight", "bare uvicorn", "ceiling"
SPOTLIGHT_PACKAGE = Path(__file__).parent / "spotlight"
_SPOTLIGHT_COMMAND = SPOTLIGHT_PACKAGE / "node_modules" / ".bin" / "spotlight"
_BINARIES = Path(sys.executable).parent
_ANSWER = b'{"id":"0123456789abcdef0123456789abcdef"}'
_START_SECONDS = 30


def _command(name: str, port: int) -> list[str]:
    if name == KENT:
        return [str(_BINARIES / "kent-server"), "run", "--port", str(port)]
    if name == SPOTLIGHT:
        return [str(_SPOTLIGHT_COMMAND), "server", "-p", str(port)]
    if name == BARE:
        return [
            *(sys.executable, "-m", "uvicorn", "benchmarks.ingest_servers:bare", "--port", str(port)),
            *("--http", "httptools", "--loop", "uvloop", "--no-access-log", "--lifespan", "off"),
        ]
    return [sys.executable, "-m", "benchmarks.ingest_servers", name, str(port)]


def missing_spotlight() -> str | None:
    """Why Spotlight cannot be measured here; None when it can."""
    if _SPOTLIGHT_COMMAND.exists():
        return None
    return f"it is not installed: npm ci --prefix {SPOTLIGHT_PACKAGE}"


class Server:
    """A server process, ready for requests inside the block.

    Args:
        name: Which one.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = reserve("127.0.0.1")
        self._output: deque[str] = deque(maxlen=20)
        self._process = subprocess.Popen(
            _command(name, self.port),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # What a server logs must be read, or it stands still when the pipe is full.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        deadline = time.monotonic() + _START_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise SystemExit(f"{self.name} did not start:\n" + "".join(self._output))
            time.sleep(0.02)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def cpu_seconds(self) -> float:
        """CPU time that the server has used since it was started."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def received(self) -> int:
        """Let a collector end, and ask it how many envelopes are in its inbox."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._reader.join()
        return int(self._output[-1])

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._output.extend(self._process.stdout)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


async def bare(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """The least that a fake Sentry on an ASGI server could do: decompress, parse, keep the last."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers, item, payload, *_ = zlib.decompress(body, wbits=31).split(b"\n")
    event_id = json.loads(headers)["event_id"]
    scope["state"] = (json.loads(item), json.loads(payload))
    answer = json.dumps({"id": event_id}).encode()
    length = str(len(answer)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"application/json"), (b"content-length", length)],
        }
    )
    await send({"type": "http.response.body", "body": answer})


def _serve_collector(port: int) -> None:
    with Collector(port=port, open=True) as collector:
        sys.stdin.read()
        print(len(collector.inbox), flush=True)


async def _serve_ceiling(port: int) -> None:
    """The collector's HTTP with nothing behind it: shows how much the load generator can do."""
    answer = Answer(200, _ANSWER, "application/json")
    connections = Connections(Patience())
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(lambda _: answer, lambda _request, _refused: answer, lambda _: None, connections),
        "127.0.0.1",
        port,
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == COLLECTOR:
        _serve_collector(int(sys.argv[2]))
    else:
        asyncio.run(_serve_ceiling(int(sys.argv[2])))
