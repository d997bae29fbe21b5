"""Secrets on their way out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sentry_sdk

from .changing import Function, instead_of

if TYPE_CHECKING:
    from game_engine.debug.errors import Crash


def _before_crash(act: Callable[[Crash], None]) -> None:
    """Do something before the game engine's ``/debug/crash`` does its own."""
    from game_engine.debug.errors import Crash

    @instead_of(Crash, "get")
    async def get(original: Function, handler: Crash) -> None:
        act(handler)
        await original(handler)


def in_local_variable() -> None:
    from game_engine.debug.errors import Crash

    @instead_of(Crash, "get")
    async def get(original: Function, handler: Crash) -> None:
        presented = handler.request.headers["X-Api-Key"]
        await original(handler)
        handler.set_header("X-Presented", presented)


def in_error_text() -> None:
    from game_engine.debug.errors import Crash

    @instead_of(Crash, "get")
    async def get(original: Function, handler: Crash) -> None:
        try:
            await original(handler)
        except RuntimeError as problem:
            problem.add_note(f"asked for by {handler.request.headers['X-Customer-Email']}")
            raise


def in_log() -> None:
    _before_crash(
        lambda handler: sentry_sdk.logger.info("settling for {caller}", caller=handler.request.headers["X-Api-Key"])
    )


def in_span() -> None:
    def act(handler: Crash) -> None:
        with sentry_sdk.start_span(op="slot.authorise", name="authorise") as span:
            span.set_data("presented", handler.request.headers["X-Api-Key"])

    _before_crash(act)


def in_breadcrumb() -> None:
    _before_crash(
        lambda _: sentry_sdk.add_breadcrumb(
            category="db.connect", message="connecting to postgresql://games:Eichenlaub7@db.internal/rounds"
        )
    )


def in_attachment() -> None:
    from observability import request_scope

    @instead_of(request_scope, "begin_debug_request")
    def begin(original: Function, *arguments: Any, **options: Any) -> Any:
        environment = json.dumps(dict(os.environ)).encode()
        sentry_sdk.get_isolation_scope().add_attachment(bytes=environment, filename="environment.json")
        return original(*arguments, **options)
