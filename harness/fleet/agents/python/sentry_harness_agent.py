"""The agent inside a Python service: flushes the service's Sentry SDK when the harness asks for it.

It runs in a thread that waits on a connection to the harness, uses the standard library only, works on Python 3.7 and
newer, and never disturbs the service: if the harness cannot be reached, there is simply no agent. The protocol is
described in the harness's control server.
"""

from __future__ import annotations

import _thread
import json
import os
import socket
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

_CONNECT_TIMEOUT = 1.0
# A harness that finds its services running comes at any time.
_RETRY_PAUSE = 0.5
# What an application captures right after its response is sent is captured within a few turns of its event loop.
_TURNS = 5
_TURNS_TIMEOUT = 0.5
# A fork waits for a flush under way, as the child would inherit locks that nobody releases; but not for ever.
_FORK_PATIENCE = 1.0

# A service may replace these later (gevent does).
_start_thread = _thread.start_new_thread
_new_lock = _thread.allocate_lock
_sleep = time.sleep


def start() -> None:
    """Connect to the harness if there is one, here and in every process that is forked from this one."""
    address = os.environ.get("SENTRY_HARNESS_AGENT")
    if not address:
        return
    endpoint, _, secret = address.partition("/")
    host, _, port = endpoint.rpartition(":")
    token, _, mode = secret.partition("?")
    agent = _Agent(host.strip("[]"), int(port), token, retries=mode == "retry")
    agent.connect()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=agent.before_fork, after_in_parent=agent.after_fork_in_parent, after_in_child=agent.after_fork
        )


class _Agent:
    def __init__(self, host: str, port: int, token: str, *, retries: bool) -> None:
        self._host = host
        self._port = port
        self._token = token
        self._retries = retries
        self._socket: socket.socket | None = None
        self._busy = _new_lock()
        self._forking = False

    def connect(self) -> None:
        """Say hello before the service's own code runs, so that the harness knows of a process before its data."""
        connection = self._greet()
        if connection is not None or self._retries:
            _start_thread(self._attend, (connection,))

    def _attend(self, connection: socket.socket | None) -> None:
        """Answer whoever is there; where a harness may come later, also the next one."""
        while True:
            if connection is not None:
                self._serve(connection)
                connection.close()
            if not self._retries:
                return
            _sleep(_RETRY_PAUSE)
            connection = self._greet()

    def _greet(self) -> socket.socket | None:
        try:
            connection = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET, socket.SOCK_STREAM)
            connection.settimeout(_CONNECT_TIMEOUT)
            connection.connect((self._host, self._port))
            runtime = "python/" + ".".join(map(str, sys.version_info[:3]))
            hello = {"op": "hello", "token": self._token, "pid": os.getpid(), "runtime": runtime}
            connection.sendall(json.dumps(hello).encode() + b"\n")
            connection.settimeout(None)
            if self._retries:
                _notice_loss(connection)
            self._socket = connection
        except Exception as problem:  # noqa: BLE001 - never the service's business
            _debug(problem)
            return None
        return connection

    def before_fork(self) -> None:
        self._forking = self._busy.acquire(timeout=_FORK_PATIENCE)

    def after_fork_in_parent(self) -> None:
        if self._forking:
            self._busy.release()

    def after_fork(self) -> None:
        self._busy = _new_lock()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self.connect()

    def _serve(self, connection: socket.socket) -> None:
        try:
            unread = b""
            while True:
                data = connection.recv(4096)
                if not data:
                    return
                *lines, unread = (unread + data).split(b"\n")
                for line in lines:
                    request = json.loads(line)
                    with self._busy:
                        answer = _answer(request)
                    connection.sendall(json.dumps(answer).encode() + b"\n")
        except Exception as problem:  # noqa: BLE001 - never the service's business
            _debug(problem)


def _notice_loss(connection: socket.socket) -> None:
    """Have a connection broken by the system once the other end is silent, as when a container loses its network."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 5)):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    answer = {"id": request.get("id"), "ok": True}
    if request.get("op") != "flush":
        return {**answer, "ok": False, "error": f"unknown operation {request.get('op')!r}"}
    try:
        if not _let_loops_turn():
            answer["loop"] = "blocked"
        answer.update(_flush(float(request["timeout"])))
    except Exception as problem:  # noqa: BLE001 - the harness shall know, the service shall not
        answer.update(ok=False, error=repr(problem))
    return answer


def _flush(timeout: float) -> dict[str, Any]:
    sdk = sys.modules.get("sentry_sdk")
    if sdk is None:
        return {"sdk": None, "flushed": False}
    info = getattr(sys.modules.get("sentry_sdk.client"), "SDK_INFO", None) or {}
    name = f"{info.get('name', 'sentry.python')}/{info.get('version', getattr(sdk, 'VERSION', '?'))}"
    client = _client(sdk)
    if client is None:
        return {"sdk": name, "initialised": False, "flushed": False}
    started = time.monotonic()
    loop = getattr(getattr(client, "transport", None), "loop", None)
    if loop is not None:
        # The asynchronous transport can only be flushed in the event loop that it lives in.
        flushing = sys.modules["asyncio"].run_coroutine_threadsafe(client.flush_async(timeout=timeout), loop)
        flushing.result(timeout + _TURNS_TIMEOUT)
    else:
        client.flush(timeout=timeout)
    # The SDK does not say whether it sent everything or gave up; it gives up at the timeout and not before.
    flushed = time.monotonic() - started < timeout
    dsn = client.options.get("dsn")
    return {"sdk": name, "initialised": True, "flushed": flushed, "dsn": None if dsn is None else str(dsn)}


def _client(sdk: Any) -> Any:
    """The live client, None before `init`; version 2 gives a client that records nothing then, version 1 None."""
    if hasattr(sdk, "get_client"):
        client = sdk.get_client()
        return client if client.is_active() else None
    return sdk.Hub.main.client if hasattr(sdk, "Hub") else None


def _let_loops_turn() -> bool:
    """Let every running asyncio loop turn a few times; False when one of them is blocked."""
    deadline = time.monotonic() + _TURNS_TIMEOUT
    waiting = []
    for loop in _running_loops():
        turned = _new_lock()
        turned.acquire()

        def turn(left: int, loop: Any = loop, turned: Any = turned) -> None:
            if left:
                loop.call_soon(turn, left - 1)
            else:
                turned.release()

        try:
            loop.call_soon_threadsafe(turn, _TURNS)
        except RuntimeError:  # closed in this very moment
            continue
        waiting.append(turned)
    return all(turned.acquire(timeout=max(0.0, deadline - time.monotonic())) for turned in waiting)


def _running_loops() -> list[Any]:
    """The event loops that run in any thread, found on the stacks as nothing else tells another thread's loop.

    A loop written in C, as uvloop's, has no frame of its own, but what runs it (`asyncio.Runner`, Tornado) holds it.
    """
    loop_type = getattr(sys.modules.get("asyncio"), "AbstractEventLoop", None)
    if loop_type is None:
        return []
    found = {}
    for frame in sys._current_frames().values():
        # From the outermost frame on, so that the handlers that a loop runs are not looked into.
        for loop in (loop for each in reversed(list(_stack(frame))) for loop in _loops_in(each, loop_type)):
            found[id(loop)] = loop
            break
    return list(found.values())


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _loops_in(frame: FrameType, loop_type: type) -> Iterator[Any]:
    for value in list(frame.f_locals.values()):
        try:
            held = list(vars(value).values())
        except Exception:  # noqa: BLE001 - no attributes, or a proxy to something that is not there now
            held = []
        for candidate in (value, *held):
            # Not isinstance: it would ask proxies for their class, and run a service's code.
            if issubclass(type(candidate), loop_type) and candidate.is_running():
                yield candidate


def _debug(problem: object) -> None:
    if os.environ.get("SENTRY_HARNESS_DEBUG") and sys.stderr is not None:
        sys.stderr.write(f"sentry-harness agent: {problem!r}\n")
