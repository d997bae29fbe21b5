"""What belongs to one request, put where all requests see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sentry_sdk

from .changing import Function, instead_of

if TYPE_CHECKING:
    from fastapi import Request


def context_of_first_request() -> None:
    from observability import request_scope

    first: list[str] = []

    @instead_of(request_scope, "begin_debug_request")
    def begin(original: Function, *arguments: Any, request_id: str, **options: Any) -> Any:
        if not first:
            first.append(request_id)
            sentry_sdk.get_global_scope().set_context("served_request", {"id": request_id})
        return original(*arguments, request_id=request_id, **options)


def breadcrumbs_of_everybody() -> None:
    from analytics import responses

    served: list[str] = []

    @instead_of(responses, "request_id_of")
    def request_id_of(original: Function, request: Request) -> str:
        request_id: str = original(request)
        served.append(request_id)
        sentry_sdk.add_breadcrumb(category="requests.served", message=", ".join(served))
        return request_id
