"""Requests to the collector and its answers, in the form that Relay gives them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

# Relay's, see `relay-server/src/middlewares/cors.rs`: without them a browser reports its own envelopes as failed.
CORS_HEADERS = (
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "x-sentry-error,x-sentry-rate-limits,retry-after"),
    ("vary", "origin, access-control-request-method, access-control-request-headers"),
)
_PREFLIGHT_HEADERS = (
    ("access-control-allow-methods", "POST"),
    (
        "access-control-allow-headers",
        (
            "x-sentry-auth,x-requested-with,x-forwarded-for,origin,referer,accept,content-type,authentication,"
            "authorization,content-encoding,transfer-encoding"
        ),
    ),
    ("access-control-max-age", "3600"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request, complete.

    Attributes:
        received_at: When its last byte was read, in Unix seconds.
        method: The method, in upper case.
        path: The path, percent-encoded as on the wire.
        query: The query string, without its `?`.
        headers: Names (in lower case) and values of the headers, in order.
        body: The body without its transfer encoding, but still in its content encoding.
        client: Address of whoever sent it; empty where nobody knows it.
    """

    received_at: float
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    client: str = ""

    def header(self, name: str) -> str | None:
        """Value of a header.

        Args:
            name: Its name, in lower case.

        Returns:
            The values of all headers of that name, joined by commas as HTTP has it; None without one.
        """
        values = [value for found, value in self.headers if found == name]
        return ", ".join(values) if values else None

    @property
    def media_type(self) -> str:
        """The `Content-Type` in lower case, without parameters; empty without one."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an answer goes out that is not simply written.

    Attributes:
        before: Seconds until its first byte.
        during: Seconds from its first to its last byte.
        bytes_of_body: How much of its body is sent; None for all.
        ending: What becomes of the connection: it is kept as usual, closed, reset, or nothing happens on it any more.
            Nothing of the answer is sent but with `keep`, or with `close` and a number of bytes.
    """

    before: float = 0.0
    during: float = 0.0
    bytes_of_body: int | None = None
    ending: Literal["keep", "close", "reset", "hang"] = "keep"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response.

    Attributes:
        status: The status code.
        body: The body.
        content_type: Media type of the body, None without a body.
        headers: Further headers; those for CORS and framing are added to every answer.
        delivery: How it goes out; None to simply write it.
    """

    status: int = 200
    body: bytes = b""
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Delivery | None = None


PREFLIGHT = Answer(headers=_PREFLIGHT_HEADERS)


class Refused(Exception):
    """The collector does not take a request; the answer has the form of Relay's errors.

    Attributes:
        status: Status code of the answer.
        detail: What is wrong, in Relay's words where it has any.
        cause: What exactly, and what to do about it.
        headers: Further headers of the answer.
    """

    def __init__(
        self, status: int, detail: str, cause: str | None = None, *, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(status, detail, cause)
        self.status = status
        self.detail = detail
        self.cause = cause
        self.headers = headers

    def __str__(self) -> str:
        return self.detail if self.cause is None else f"{self.detail}: {self.cause}"

    def answer(self) -> Answer:
        """Give the answer that tells the client."""
        content = {"detail": self.detail} | ({} if self.cause is None else {"causes": [self.cause]})
        return Answer(self.status, json.dumps(content).encode(), "application/json", self.headers)


Responder: TypeAlias = Callable[[Request], Answer]
"""Answers a request."""

Refuser: TypeAlias = Callable[[Request, Refused], Answer]
"""Records a request that is not accepted, and answers it."""

Interruption: TypeAlias = tuple[int, Callable[[Request], None]]
"""After how many bytes of its body a request is cut off, and what records that."""

Interrupter: TypeAlias = Callable[[Callable[[], Request]], Interruption | None]
"""Decides whether a request is cut off whose head has come, which it is given by a function; None if it is not."""
