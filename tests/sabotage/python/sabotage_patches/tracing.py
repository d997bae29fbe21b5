"""How the trace travels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from sentry_sdk.scope import Scope

from .changing import Function, instead_of, leave_out

RawHeaders = list[tuple[bytes, bytes]]


def _forward(change: Callable[[RawHeaders], Iterable[tuple[bytes, bytes]]]) -> None:
    """Let the gateway forward other headers."""
    from gateway import headers

    @instead_of(headers, "forwarded_request_headers")
    def forwarded(original: Function, *arguments: Any) -> RawHeaders:
        return list(change(original(*arguments)))


def _forward_without(*names: bytes) -> None:
    _forward(lambda headers: (header for header in headers if header[0] not in names))


def _forward_trace(change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Let the gateway forward a rewritten ``sentry-trace``: trace id, span id, sampling decision."""
    _forward(
        lambda headers: (
            (name, b"-".join(change(value.split(b"-"))) if name == b"sentry-trace" else value)
            for name, value in headers
        )
    )


def headers_dropped() -> None:
    leave_out("httpx")
    _forward_without(b"sentry-trace", b"baggage")


def baggage_only() -> None:
    leave_out("httpx")
    _forward_without(b"sentry-trace")


def baggage_dropped() -> None:
    _forward_without(b"baggage")

    @instead_of(Scope, "iter_trace_propagation_headers")
    def headers(original: Function, *arguments: Any, **options: Any) -> Iterable[tuple[str, str]]:
        return (header for header in original(*arguments, **options) if header[0] != "baggage")


def headers_copied() -> None:
    leave_out("httpx")


def parent_rewritten() -> None:
    leave_out("httpx")
    _forward_trace(lambda parts: [parts[0], uuid4().hex[:16].encode(), *parts[2:]])


def trace_rewritten() -> None:
    leave_out("httpx")
    _forward_trace(lambda parts: [uuid4().hex.encode(), *parts[1:]])


def peers_not_told() -> None:
    @instead_of(Scope, "iter_trace_propagation_headers")
    def headers(_original: Function, *_arguments: Any, **_options: Any) -> Iterable[tuple[str, str]]:
        return iter(())
