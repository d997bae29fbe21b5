"""What can go wrong with an upstream.

Sentry's Starlette integration reports an exception with a `status_code` of 5xx when it is turned into an answer, once
and as handled, so nothing here calls the SDK.
"""

from __future__ import annotations

from http import HTTPStatus

from gateway.routing import Upstream


class UpstreamError(Exception):
    """An upstream gave no usable answer.

    Attributes:
        status_code: what the client is answered.
        upstream: which service.
    """

    status_code = int(HTTPStatus.BAD_GATEWAY)

    def __init__(self, upstream: Upstream, problem: str) -> None:
        super().__init__(f"{upstream.name} at {upstream.authority} {problem}")
        self.upstream = upstream


class UpstreamUnreachable(UpstreamError):
    """No connection, or one that broke before the answer."""


class UpstreamTimeout(UpstreamError):
    """No answer in time."""

    status_code = int(HTTPStatus.GATEWAY_TIMEOUT)


class UpstreamBroke(UpstreamError):
    """The connection broke in the middle of the answer, too late for a status of our own."""
