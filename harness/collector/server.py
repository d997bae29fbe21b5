"""The collector: a Sentry to send to, in a thread of this process."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import re
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from typing import Self

from harness.collector.broken_addresses import BrokenAddresses, self_signed_context
from harness.collector.connection import Connection
from harness.collector.connections import Connections, Patience
from harness.collector.faults import Fault
from harness.collector.inbox import Inbox
from harness.collector.ingest import Ingest, Refusal
from harness.collector.injecting import Faults, Injection
from harness.collector.projects import Projects
from harness.wire.dsn import Dsn

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound to by default
_BACKLOG = 1024
# Accepted before the event loop turns to them: few, so that `Connections` can make room in time.
_ACCEPTED_AT_ONCE = 8
_SHORTEST_KEY = 16
_KEY = re.compile(rf"[A-Za-z0-9]{{{_SHORTEST_KEY},128}}")


class CollectorError(RuntimeError):
    """The collector cannot do what it was asked to; the message says why and what to do."""


class Collector:
    """A server that speaks Sentry's ingest protocol and records everything that is sent to it.

    It serves in a background thread, handles no signals, and may be stopped and started again on the same port.

    Args:
        host: Address or name to listen on.
        port: Port to listen on, 0 for any that is free.
        open: Accept every project and key, not only those of registered services.
        inbox: Where what arrives is kept; an inbox of its own by default.
        key: The public key that everybody has to use who was not given a DSN by `register`; without it the collector
            listens on the loopback interface only.
        patience: How long clients may take.

    Raises:
        CollectorError: It would listen on a network without a key, or the key is too easy to guess.
        steerable: Let this machine add and remove faults over HTTP, see `harness.collector.fault_endpoint`.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        open: bool = False,  # noqa: A002 - Collector(open=True) says what it means
        inbox: Inbox | None = None,
        key: str | None = None,
        patience: Patience | None = None,
        steerable: bool = False,
    ) -> None:
        _require_key(host, key)
        self.inbox = Inbox() if inbox is None else inbox
        self.faults = Faults()
        self._host = host
        self._port = port
        self._patience = patience or Patience()
        self._projects = Projects(open_to_all=open, key=key)
        self._ingest = Ingest(self.inbox, self._projects, self.faults, steerable=steerable)
        self._thread: threading.Thread | None = None
        self._broken = BrokenAddresses(host)
        self._tls_port: int | None = None
        self._securing = threading.Lock()
        self._connections: Connections
        self._servers: list[asyncio.Server]
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event

    def start(self) -> None:
        """Listen; requests are accepted when this returns.

        Raises:
            CollectorError: The collector runs already, or cannot listen where it should.
        """
        if self._thread is not None:
            raise CollectorError(f"the collector is already running at {self.url}")
        listener = _listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(listener, started), name=f"collector-{self._port}", daemon=True
        )
        self._thread.start()
        started.result()

    def stop(self) -> None:
        """Close all connections and stop listening; a collector that does not run stays as it is."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None
        self._broken.close()
        self._tls_port = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port that the collector listens on; known once it was started.

        Raises:
            CollectorError: It was to be any free port, and the collector was not started yet.
        """
        if self._port == 0:
            raise CollectorError("the collector has no port yet: start it before asking for its address or a DSN")
        return self._port

    @property
    def url(self) -> str:
        """Where the collector is reached from this machine, without a slash at the end; as for `port`."""
        host = _WILDCARDS.get(self._host, self._host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def refusals(self) -> list[Refusal]:
        """Requests that were not accepted, in order."""
        return self._ingest.refusals

    def register(self, service: str, given: Dsn | None = None) -> Dsn:
        """Give a service a DSN of its own, so that what it sends is known to be its.

        Args:
            service: Name of the service; one name always gets the same DSN.
            given: The DSN that it has already, whose address leads here; a new one by default.

        Returns:
            The DSN to configure the service's SDK with.

        Raises:
            CollectorError: The collector was not started yet.
        """
        if given is not None:
            self._projects.register(service, (given.project_id, given.public_key))
            return given
        project = self._projects.register(service)
        return Dsn.parse(f"{self.url.replace('://', f'://{project.public_key}@')}/{project.project_id}")

    def misdirect(self, service: str, fault: Fault) -> Dsn:
        """Give a service a DSN by which nothing it sends arrives.

        Args:
            service: Name of the service, as for `register`.
            fault: What is wrong with the address: `connection_refused`, `wrong_certificate` or `dns_failure`.

        Returns:
            The DSN; its key and its project are those that `register` gives.

        Raises:
            CollectorError: The collector does not run.
            InvalidFault: The fault belongs to requests, or `cryptography` is missing that it needs.
        """
        sound = self.register(service)
        secured = self._listen_with_tls() if fault.kind == "wrong-certificate" else None
        dsn = self._broken.dsn(sound, fault, secured)
        self.faults.record(Injection(time.time(), fault, service, sound.project_id))
        return dsn

    def service_of(self, project_id: str) -> str | None:
        """Name the service that was given a project.

        Args:
            project_id: The project, as in `Arrival.project_id`.

        Returns:
            The service's name, None for a project that no service was given.
        """
        return self._projects.service_of(project_id)

    def _run(self, listener: socket.socket, started: Future[None]) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve(listener, started))

    async def _serve(self, listener: socket.socket, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._connections = Connections(self._patience)
        self._servers = [await self._serve_on(listener)]
        started.set_result(None)
        await self._connections.watch(self._stopping)
        for server in self._servers:
            server.close()
        await self._connections.close()
        for server in self._servers:
            await server.wait_closed()

    async def _serve_on(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> asyncio.Server:
        ingest = self._ingest
        server = await self._loop.create_server(
            lambda: Connection(ingest.answer, ingest.refuse, ingest.interruption, self._connections),
            sock=listener,
            backlog=_ACCEPTED_AT_ONCE,
            ssl=tls,
        )
        # For asyncio both numbers are one.
        listener.listen(_BACKLOG)
        return server

    def _listen_with_tls(self) -> int:
        """Listen with a certificate of its own too, on a port of its own."""
        with self._securing:
            if self._tls_port is None:
                if self._thread is None:
                    raise CollectorError("the collector does not run: start it before asking for a DSN")
                context = self_signed_context(self._host)
                listener = _listen(self._host, 0)
                server = asyncio.run_coroutine_threadsafe(self._serve_on(listener, context), self._loop).result()
                self._servers.append(server)
                self._tls_port = listener.getsockname()[1]
            return self._tls_port


def _require_key(host: str, key: str | None) -> None:
    if key is not None and not _KEY.fullmatch(key):
        raise CollectorError(
            f"the key must have at least {_SHORTEST_KEY} letters and digits; make one with: openssl rand -hex 16"
        )
    if key is None and not is_loopback(host):
        raise CollectorError(
            f"{host} is reached from the network, so the collector needs a key to know who may send: --key KEY, with "
            f"at least {_SHORTEST_KEY} letters and digits. Without one it listens on 127.0.0.1 only."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on a host.

    Args:
        host: an address or a name.
    """
    if not host:
        # For a socket, that is every interface.
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        # Nothing to listen on; that is said when it is tried.
        return True
    return all(ipaddress.ip_address(address[0]).is_loopback for *_, address in found)


def _listen(host: str, port: int) -> socket.socket:
    """Bind in the caller's thread, so that what goes wrong is the caller's exception."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CollectorError(f"the collector cannot listen on {host}:{port}: {_advice(error)}") from error


def _advice(error: OSError) -> str:
    reason = error.strerror or str(error)
    match error.errno:
        case errno.EADDRINUSE:
            return f"{reason}. Stop the process that listens there, or choose another port (0 takes a free one)."
        case errno.EACCES:
            return f"{reason}. Choose a port above 1023, or 0 for a free one."
    return f"{reason}. The host must be an address or a name of this machine."
