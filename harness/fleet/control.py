"""The control server: where the agents inside the services connect to, and how they are asked to flush.

An agent connects out, so a service needs no port for it. It says who it is with one JSON line and from then on
answers requests, one JSON line each::

    {"op": "hello", "token": "...", "pid": 12, "runtime": "python/3.11.7"}
    <- {"id": 1, "op": "flush", "timeout": 5.0}
    -> {"id": 1, "ok": true, "sdk": "sentry.python/2.75.0", "initialised": true, "flushed": true, "dsn": "http://..."}

The token says which service instance the process belongs to.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from harness.fleet.flushing import AgentAnswer, AgentState, read_answer
from harness.fleet.ports import LOOPBACK

RETRY = "?retry"
"""At the end of what agents are given: they are to try again until somebody listens."""

GREETING_TIMEOUT = 10.0
"""Seconds that a connection may take to say who it is."""

_LONGEST_LINE = 64 * 1024
# An agent that is alive answers even when its SDK ran into the timeout; the way there and back takes a moment.
_ANSWER_MARGIN = 1.0
# From a connection in the listen queue to its first line having been read.
_TURNS_TO_HELLO = 4


@dataclass(eq=False, slots=True)
class _Channel:
    """The agents of one service instance, and the flush rounds over them."""

    agents: set[_Agent] = field(default_factory=set)
    had_agents: bool = False
    arrived: threading.Event = field(default_factory=threading.Event)
    current: asyncio.Task[tuple[AgentAnswer, ...]] | None = None
    following: asyncio.Task[tuple[AgentAnswer, ...]] | None = None


class ControlServer:
    """Accepts the agents' connections in a thread of its own.

    Args:
        host: the address to listen on, and the one that agents connect to.
        port: where to listen; 0 for any free port.
        awaited: agents that do not find it, or lose it, try again and again: it may start after them.
    """

    def __init__(self, host: str = LOOPBACK, port: int = 0, *, awaited: bool = False) -> None:
        self._awaited = awaited
        self._host = host
        self._port = port
        self._channels: dict[str, _Channel] = {}
        self._channel_of_token: dict[str, _Channel] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listening = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="fleet-control", daemon=True)

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._thread.start()
        self._listening.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Drop all agents; flushes that are under way are cancelled."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def enrol(self, instance: str, token: str | None = None) -> str:
        """Expect agents of a service instance.

        Args:
            instance: its name.
            token: the token that its agents have already; a new one by default.

        Returns:
            The value of the environment variable from which the instance's agents learn all they need.
        """
        token = token or secrets.token_hex(16)
        channel = self._channels.setdefault(instance, _Channel())
        self._channel_of_token[token] = channel
        return f"{self._host}:{self._port}/{token}{RETRY if self._awaited else ''}"

    def has_had_agents(self, instance: str) -> bool:
        """Whether any process of the instance ever had an agent."""
        return self._channels[instance].had_agents

    def wait_for_agents(self, instance: str, timeout: float) -> bool:
        """Wait until an agent of an instance has come, since the beginning or since they were forgotten.

        Args:
            instance: a name that was given to `enrol`.
            timeout: seconds to wait at most.

        Returns:
            Whether one has.
        """
        return self._channels[instance].arrived.wait(timeout)

    def forget(self, instance: str) -> None:
        """Drop the agents of an instance that can be reached no more, and expect them anew.

        Args:
            instance: a name that was given to `enrol`.
        """
        channel = self._channels[instance]
        channel.arrived.clear()
        if self._loop is not None and self._thread.is_alive():
            for agent in tuple(channel.agents):
                self._loop.call_soon_threadsafe(agent.leave)

    def flush(self, instance: str, timeout: float) -> Future[tuple[AgentAnswer, ...]]:
        """Ask all agents of an instance to flush.

        A request that arrives while a round is under way gets the next one, together with all others that wait for
        it: the round under way may have begun before the data was there that this request is about.

        Args:
            instance: a name that was given to `enrol`.
            timeout: seconds that each SDK may take.

        Returns:
            The answer of each process that had an agent when the round began; cancelled when the server stops.
        """
        if self._loop is None or not self._thread.is_alive():
            return _nobody()
        return asyncio.run_coroutine_threadsafe(self._flush(self._channels[instance], timeout), self._loop)

    def find_channel(self, token: str) -> _Channel | None:
        """The channel that a token gives access to."""
        return self._channel_of_token.get(token)

    async def _flush(self, channel: _Channel, patience: float) -> tuple[AgentAnswer, ...]:
        if channel.following is None:
            if channel.current is None or channel.current.done():
                channel.current = asyncio.ensure_future(_round(channel, patience))
                return await channel.current
            channel.following = asyncio.ensure_future(_following_round(channel, patience))
        return await channel.following

    def _serve(self) -> None:
        loop = self._loop = asyncio.new_event_loop()
        try:
            server = loop.run_until_complete(
                loop.create_server(lambda: _Agent(self), self._host, self._port, backlog=512)
            )
            self._port = server.sockets[0].getsockname()[1]
        except OSError as failure:
            self._failure = failure
            loop.close()
            return
        finally:
            self._listening.set()
        loop.run_forever()
        server.close()
        loop.run_until_complete(self._dismiss())
        loop.close()

    async def _dismiss(self) -> None:
        rounds = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rounds:
            task.cancel()
        for channel in self._channels.values():
            for agent in tuple(channel.agents):
                agent.leave()
        await asyncio.gather(*rounds, return_exceptions=True)
        await _turn()


def _nobody() -> Future[tuple[AgentAnswer, ...]]:
    answers: Future[tuple[AgentAnswer, ...]] = Future()
    answers.set_result(())
    return answers


async def _round(channel: _Channel, patience: float) -> tuple[AgentAnswer, ...]:
    # A process that has just been forked has said hello before it did anything else; let that be read first.
    for _ in range(_TURNS_TO_HELLO):
        await _turn()
    return tuple(await asyncio.gather(*(agent.flush(patience) for agent in tuple(channel.agents))))


async def _following_round(channel: _Channel, patience: float) -> tuple[AgentAnswer, ...]:
    if channel.current is not None:
        await asyncio.wait([channel.current])
    channel.current, channel.following = channel.following, None
    return await _round(channel, patience)


async def _turn() -> None:
    loop = asyncio.get_running_loop()
    turned = loop.create_future()
    loop.call_soon(turned.set_result, None)
    await turned


class _Agent(asyncio.Protocol):
    """The connection to the agent in one process."""

    def __init__(self, server: ControlServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._unread = b""
        self._channel: _Channel | None = None
        self._pid = 0
        self._runtime = ""
        self._waiting: dict[int, asyncio.Future[AgentAnswer]] = {}
        self._last_id = 0

    async def flush(self, patience: float) -> AgentAnswer:
        """Ask this process to flush; never raises."""
        self._last_id += 1
        number = self._last_id
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        if self._transport is not None:
            request = {"id": number, "op": "flush", "timeout": patience}
            self._transport.write(json.dumps(request).encode() + b"\n")
        try:
            return await asyncio.wait_for(answer, patience + _ANSWER_MARGIN)
        except TimeoutError:
            return self._without_answer("timed-out", "the process did not answer: blocked, stopped or overloaded")
        finally:
            del self._waiting[number]

    def leave(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; who it is becomes known with the first line."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            # Where containers connect to it, others can too: whoever has nothing to say is not kept.
            asyncio.get_running_loop().call_later(GREETING_TIMEOUT, self._require_greeting)

    def data_received(self, data: bytes) -> None:
        """Read the lines that are complete."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        if len(self._unread) > _LONGEST_LINE:
            self.leave()
            return
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                message = None
            if not isinstance(message, dict) or not self._take(message):
                self.leave()
                return

    def connection_lost(self, exc: Exception | None) -> None:
        """The process ended, or closed its end."""
        del exc  # whether it was in order makes no difference
        if self._channel is not None:
            self._channel.agents.discard(self)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(self._without_answer("gone", "the process ended before it answered"))

    def _require_greeting(self) -> None:
        if self._channel is None:
            self.leave()

    def _take(self, message: dict[str, Any]) -> bool:
        """Act on a message; False when it is not one that an agent of ours would send."""
        if self._channel is None:
            channel = self._server.find_channel(str(message.get("token")))
            if channel is None or not isinstance(message.get("pid"), int):
                return False
            self._channel, self._pid, self._runtime = channel, message["pid"], str(message.get("runtime"))
            channel.agents.add(self)
            channel.had_agents = True
            channel.arrived.set()
            return True
        number = message.get("id")
        answer = self._waiting.get(number) if isinstance(number, int) else None
        if answer is not None and not answer.done():
            answer.set_result(read_answer(self._pid, self._runtime, message))
        return True

    def _without_answer(self, state: AgentState, error: str) -> AgentAnswer:
        return AgentAnswer(self._pid, self._runtime, state, error=error)
