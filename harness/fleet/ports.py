"""TCP ports for the services: free ones without races, and who holds a taken one."""

from __future__ import annotations

import errno
import socket

import psutil
from ephemeral_port_reserve import reserve  # type: ignore[import-untyped]  # the package ships no types

LOOPBACK = "127.0.0.1"


def reserve_port() -> int:
    """A free port that the system gives to nobody else for a while.

    The port is left in TIME_WAIT: it can be bound by number (with SO_REUSEADDR, as servers do), but is not handed
    out as a free one, neither to another service nor to an outgoing connection.
    """
    return int(reserve(LOOPBACK))


def is_taken(port: int) -> bool:
    """Whether a server could not listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as refused:
            return refused.errno == errno.EADDRINUSE
    return False


def find_listener(port: int) -> psutil.Process | None:
    """The process that listens on a port; None when there is none or the system does not tell."""
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:2] == (port,)
            if listens and connection.pid is not None:
                return psutil.Process(connection.pid)
    except psutil.Error:
        return None
    return None


def describe_listener(port: int) -> str:
    """Which process listens on a port, in words."""
    process = find_listener(port)
    if process is None:
        return "another process"
    try:
        return f"process {process.pid} ({' '.join(process.cmdline()) or process.name()})"
    except psutil.Error:
        return f"process {process.pid}"
