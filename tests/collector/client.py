"""Raw requests to a collector, as an SDK in any language might send them."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.wire.dsn import Dsn
from harness.wire.envelope import Envelope, Item

EVENT_ID = "9ec79c33ec9942ab8353589fcb2e04dc"


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    dsn: Dsn

    @property
    def auth(self) -> dict[str, str]:
        return {"X-Sentry-Auth": f"Sentry sentry_key={self.dsn.public_key}, sentry_version=7, sentry_client=test/1.0"}

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        connection = http.client.HTTPConnection(self.dsn.host, self.dsn.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers or {}), encode_chunked=body is not None)
            response = connection.getresponse()
            held = {name.lower(): value for name, value in response.getheaders()}
            return Response(response.status, held, response.read())
        finally:
            connection.close()

    def post(self, path: str, body: bytes | Iterator[bytes], headers: Mapping[str, str] | None = None) -> Response:
        """Post with this client's key in the header, to a path below the project."""
        return self.request("POST", f"/api/{self.dsn.project_id}{path}", body, {**self.auth, **(headers or {})})

    def envelope(self, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
        return self.post("/envelope/", body, headers)

    @contextmanager
    def socket(self) -> Iterator[socket.socket]:
        with socket.create_connection((self.dsn.host, self.dsn.port), timeout=10) as connection:
            yield connection


def event_envelope(event_id: str | None = EVENT_ID, message: str = "boom", **headers: Any) -> bytes:
    held = headers if event_id is None else {"event_id": event_id, **headers}
    payload = json.dumps({"message": message, "level": "error"}).encode()
    return Envelope(held, [Item({"type": "event"}, payload)]).serialize()


def read_to_end(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received
