"""Requests exactly as written: clients put paths and headers in order before they send them, attackers do not."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Header = tuple[str, str | bytes]

PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Args:
        status: 0 when the server closed the connection before its answer was complete.
        headers: with lower-case names.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(base: str, target: str, headers: Iterable[Header] = (), *, method: str = "GET") -> Answer:
    """Send one request on a connection of its own.

    Args:
        base: URL of the server, and what precedes the target.
        target: the rest of the request line, not touched.
        headers: in this order, repeated where they are; a text is sent as UTF-8.
        method: HTTP method.
    """
    where = urlsplit(base)
    lines = [f"{method} {where.path}{target} HTTP/1.1".encode(), f"Host: {where.netloc}".encode()]
    for name, value in headers:
        lines.append(name.encode() + b": " + (value if isinstance(value, bytes) else value.encode()))
    request = b"\r\n".join([*lines, b"Connection: close", b"", b""])
    with socket.create_connection((where.hostname or "", where.port or 80), PATIENCE) as connection:
        try:
            connection.sendall(request)
            return _read(connection, method)
        except (ConnectionError, http.client.HTTPException):
            # It has heard enough before the request was at its end.
            return Answer(0, {}, b"")


def _read(connection: socket.socket, method: str) -> Answer:
    with http.client.HTTPResponse(connection, method=method) as response:
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
