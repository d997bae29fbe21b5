"""What was refused: evidence too, but a bounded amount of it, since anybody can send what is refused."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

_MIB = 1024 * 1024
MOST_REFUSALS = 10_000
"""How many refused requests are kept; what comes after is counted by the last one."""

LARGEST_EXCERPT = 2 * _MIB
"""Bytes that are kept of the body of a refused request."""

LARGEST_EXCERPTS = 64 * _MIB
"""Bytes that are kept of the bodies of all refused requests together."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One request that was not accepted: what a service sent in vain is evidence too.

    Attributes:
        received_at: When, in Unix seconds.
        method: Method of the request.
        path: Path of the request, percent-encoded as on the wire.
        query: Query string of the request.
        headers: Names (in lower case) and values of the request's headers.
        body: The body as it came over the wire, still in its content encoding; of a request that broke off or was
            large, what was kept of it.
        status: Status code of the answer.
        detail: What was wrong.
        service: The service that sent it, if project or key say so.
    """

    received_at: float
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int
    detail: str
    service: str | None

    def __str__(self) -> str:
        who = f" by {self.service}" if self.service else ""
        return f"{self.status} {self.detail}: {self.method} {self.path}{who}, {len(self.body)} bytes"


class Refusals:
    """The refused requests in order, the first of them with their bodies. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[Refusal] = []
        self._room = LARGEST_EXCERPTS
        self._left_out = 0

    def add(self, refusal: Refusal) -> None:
        """Keep a refused request, or count it."""
        with self._lock:
            if len(self._kept) == MOST_REFUSALS:
                self._left_out += 1
                detail = f"{self._left_out} more requests were refused and are not listed; the last one: "
                self._kept[-1] = replace(refusal, body=b"", headers=(), detail=detail + refusal.detail)
                return
            body = refusal.body[: min(LARGEST_EXCERPT, self._room)]
            self._room -= len(body)
            self._kept.append(replace(refusal, body=body))

    def listed(self) -> list[Refusal]:
        """Everything that is kept, in order."""
        with self._lock:
            return list(self._kept)
