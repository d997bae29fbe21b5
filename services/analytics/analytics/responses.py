"""Answers that all routes give alike, and what they need to know of the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sentry_sdk
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from observability.parameters import BadParameter
from observability.request_scope import EVENT_ID_HEADER, REQUEST_ID_HEADER, choose_request_id


def request_id_of(request: Request) -> str:
    """The request's id: the caller's, or a new one, the same for the whole request."""
    if not hasattr(request.state, "request_id"):
        request.state.request_id = choose_request_id(request.headers.get(REQUEST_ID_HEADER))
    return str(request.state.request_id)


def reported(content: Any, event_id: str | None, status: int = 200) -> JSONResponse:
    """An answer that names the event which was captured on the way, if one was."""
    return JSONResponse(content, status, headers={EVENT_ID_HEADER: event_id} if event_id else None)


def answer_errors(app: FastAPI) -> None:
    """Give every error a JSON body that tells the caller what to do and nothing of the inside."""

    @app.exception_handler(BadParameter)
    async def bad_parameter(request: Request, problem: BadParameter) -> JSONResponse:
        return error_answer(request, 400, str(problem))

    @app.exception_handler(RequestValidationError)
    async def bad_request(request: Request, problem: RequestValidationError) -> JSONResponse:
        return error_answer(request, 422, "; ".join(_describe(finding) for finding in problem.errors()))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, problem: HTTPException) -> JSONResponse:
        return error_answer(request, problem.status_code, problem.detail, problem.headers)

    @app.exception_handler(TimeoutError)
    async def too_late(request: Request, problem: TimeoutError) -> JSONResponse:
        # An answered exception goes no further, so Sentry would not see it.
        event_id = sentry_sdk.capture_exception(problem)
        return error_answer(request, 504, "not ready in time", {EVENT_ID_HEADER: event_id} if event_id else None)

    @app.exception_handler(Exception)
    async def failed(request: Request, problem: Exception) -> JSONResponse:  # noqa: ARG001 - the caller must not see it
        # uvicorn closes the connection after a request that raised. Unannounced, a caller that keeps connections
        # would send its next request on it and lose it.
        return error_answer(request, 500, "internal error", {"Connection": "close"})


def error_answer(
    request: Request, status: int, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer to an error: a text for the caller, and the request's id."""
    return JSONResponse({"error": message, "request_id": request_id_of(request)}, status, headers=headers)


def _describe(finding: Mapping[str, Any]) -> str:
    return f"{'.'.join(map(str, finding['loc']))}: {finding['msg']}"
