"""Passages: what listens on this machine's loopback interface is led through to the containers that need it.

A test that gives its own instances the address of something of its own, a collector or a database on 127.0.0.1, need
not know whether they are containers.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Mapping
from contextlib import suppress

_LOOPBACK_ADDRESS = re.compile(r"(?<![\w.])(?P<host>127\.0\.0\.1|localhost|\[::1\]):(?P<port>\d{1,5})(?!\d)")
_CHUNK = 64 * 1024


class Passages:
    """Listens at an address that containers reach, and connects on to loopback, in a thread of its own.

    Args:
        host: the address to listen on.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._ports: dict[tuple[str, int], int] = {}
        self._servers: list[asyncio.Server] = []
        self._leading: set[asyncio.Task[None]] = set()
        self._opening = threading.Lock()
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet-passages", daemon=True)

    def start(self) -> None:
        """Be ready to open passages."""
        self._thread.start()
        self._is_up.wait()

    def stop(self) -> None:
        """Close everything; nothing happens when it was not started, or is stopped."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def lead_through(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Variables with a passage in the place of each loopback address that has a port.

        Args:
            variables: names and values.

        Raises:
            OSError: no passage can be opened.
        """

        def passage(found: re.Match[str]) -> str:
            host = "::1" if found["host"] == "[::1]" else "127.0.0.1"
            return f"{self._host}:{self._open(host, int(found['port']))}"

        return {name: _LOOPBACK_ADDRESS.sub(passage, value) for name, value in variables.items()}

    def _open(self, host: str, port: int) -> int:
        with self._opening:
            if (host, port) not in self._ports:
                listening = asyncio.run_coroutine_threadsafe(self._listen(host, port), self._loop)
                self._ports[host, port] = listening.result()
            return self._ports[host, port]

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._is_up.set()
        await self._stopping.wait()
        for server in self._servers:
            server.close()
        carrying = asyncio.all_tasks() - {asyncio.current_task()}
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)
        # What was just closed is gone after one more turn.
        await asyncio.sleep(0)

    async def _listen(self, host: str, port: int) -> int:
        async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Nothing else holds what merely waits for bytes: it would be collected as garbage, with its connections.
            if (task := asyncio.current_task()) is not None:
                self._leading.add(task)
                task.add_done_callback(self._leading.discard)
            try:
                onward_reader, onward_writer = await asyncio.open_connection(host, port)
            except OSError:
                # As whoever is not there would: the connection comes to nothing.
                writer.transport.abort()
                return
            try:
                await asyncio.gather(_carry(reader, onward_writer), _carry(onward_reader, writer))
                for each in (writer, onward_writer):
                    each.close()
                    with suppress(OSError):
                        await each.wait_closed()
            finally:
                # What is closed already stays so.
                writer.transport.abort()
                onward_writer.transport.abort()

        server = await asyncio.start_server(lead, self._host, 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        # Broken on one side is broken on the other.
        writer.transport.abort()
