"""The id under which a request is known in answers, error messages and to the upstream."""

from __future__ import annotations

from starlette.requests import Request

from observability.request_scope import REQUEST_ID_HEADER, choose_request_id


def request_id_of(request: Request) -> str:
    """The id of a request: the client's if it sent a plain one, and the same for as long as the request is served."""
    if not hasattr(request.state, "request_id"):
        request.state.request_id = choose_request_id(request.headers.get(REQUEST_ID_HEADER))
    return str(request.state.request_id)
