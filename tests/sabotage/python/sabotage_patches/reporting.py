"""What is reported, and how often."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

import sentry_sdk

from .changing import Function, count_as_own_code, instead_of

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

    from game_engine.debug.errors import Crash
    from game_engine.handlers import JsonHandler
    from gateway.proxy import UpstreamResponse

MANY = 400


def _catch_crash(handle: Callable[[Crash, RuntimeError], None]) -> None:
    """Do something with what the game engine's ``/debug/crash`` raises."""
    from game_engine.debug.errors import Crash

    @instead_of(Crash, "get")
    async def get(original: Function, handler: Crash) -> None:
        try:
            await original(handler)
        except RuntimeError as problem:
            handle(handler, problem)


def error_swallowed() -> None:
    _catch_crash(lambda handler, _: handler.answer_error(HTTPStatus.INTERNAL_SERVER_ERROR, "internal server error"))


def error_as_message() -> None:
    def handle(handler: Crash, problem: RuntimeError) -> None:
        sentry_sdk.capture_message(f"settlement failed: {problem}", level="error")
        handler.answer_error(HTTPStatus.INTERNAL_SERVER_ERROR, "internal server error")

    _catch_crash(handle)


def logged_and_raised() -> None:
    def handle(_handler: Crash, problem: RuntimeError) -> None:
        logging.getLogger("game_engine.settlement").error("settlement failed: %s", problem)
        raise problem

    _catch_crash(handle)


def captured_unraised() -> None:
    def handle(handler: Crash, problem: RuntimeError) -> None:
        sentry_sdk.capture_exception(ValueError(f"settlement failed: {problem}"))
        handler.answer_error(HTTPStatus.INTERNAL_SERVER_ERROR, "internal server error")

    _catch_crash(handle)


def logged_in_loop() -> None:
    def handle(_handler: Crash, problem: RuntimeError) -> None:
        for attempt in range(MANY):
            sentry_sdk.logger.info("attempt {attempt} to settle", attempt=attempt)
        raise problem

    _catch_crash(handle)


class ReportFailed(Exception):
    """What went wrong, in the words of whoever handles it."""


def _raise_in_own_words(path: str, problem: Exception) -> NoReturn:
    raise ReportFailed(f"{path} failed") from problem


def captured_in_handler() -> None:
    from analytics import responses

    count_as_own_code()

    @instead_of(responses, "answer_errors")
    def answer_errors(original: Function, app: FastAPI) -> None:
        original(app)
        answer: Any = app.exception_handlers[Exception]

        @app.exception_handler(Exception)
        async def failed(request: Request, problem: Exception) -> Any:
            try:
                _raise_in_own_words(request.url.path, problem)
            except ReportFailed as failure:
                sentry_sdk.capture_exception(failure)
            return await answer(request, problem)


def error_text_answered() -> None:
    from game_engine.handlers import JsonHandler

    @instead_of(JsonHandler, "write_error")
    def write_error(_original: Function, handler: JsonHandler, status_code: int, **options: Any) -> None:
        handler.answer_error(status_code, str(options["exc_info"][1]))


def upstream_error_raised() -> None:
    from gateway import proxy
    from gateway.errors import UpstreamError

    @instead_of(proxy, "forward")
    async def forward(original: Function, client: Any, request: Any, target: proxy.Target, request_id: str) -> Any:
        answer: UpstreamResponse = await original(client, request, target, request_id)
        if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            return answer
        said = b"".join([chunk async for chunk in answer.body_iterator])  # type: ignore[misc]
        raise UpstreamError(target.upstream, f"failed: {said.decode()}")


def memory_in_kibibytes() -> None:
    from observability import runtime

    runtime.MEGABYTE = 1024
