"""User and tags of the request that is being served, on its isolation scope."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

import sentry_sdk

from observability.parameters import BadParameter

DEBUG_USER_HEADER = "X-Debug-User"
EVENT_ID_HEADER = "X-Sentry-Event-Id"
REQUEST_ID_HEADER = "X-Request-Id"

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")


def new_identifier(prefix: str) -> str:
    """A fresh identifier such as `rnd_3f9a12c4`."""
    return f"{prefix}_{secrets.token_hex(4)}"


def choose_request_id(header: str | None) -> str:
    """The caller's `X-Request-Id` if it is a plain identifier, else a new one."""
    return header if header is not None and _IDENTIFIER.fullmatch(header) else new_identifier("req")


def begin_debug_request(
    service: str, scenario: str, *, request_id: str, debug_user: str | None, tags: Mapping[str, str] | None = None
) -> str:
    """Set the debug user and the tags of a debug endpoint for everything this request will report.

    Args:
        service: name of the service.
        scenario: value of the tag `debug.scenario`.
        request_id: value of the tag `request_id`, by which the logs and the client's answer are found.
        debug_user: the request's `X-Debug-User` header.
        tags: further tags.

    Returns:
        The user's id: that of the header, else `debug-<service>-user`.

    Raises:
        BadParameter: the header is not 1 to 64 letters, digits, dashes or underscores.
    """
    if debug_user is not None and _IDENTIFIER.fullmatch(debug_user) is None:
        raise BadParameter(f"header {DEBUG_USER_HEADER} must be 1 to 64 letters, digits, '-' or '_'")
    user_id = debug_user or f"debug-{service}-user"
    scope = sentry_sdk.get_isolation_scope()
    scope.set_user({"id": user_id, "username": f"debug-{service}"})
    scope.set_tag("request_id", request_id)
    scope.set_tag("debug.scenario", scenario)
    for name, value in (tags or {}).items():
        scope.set_tag(name, value)
    return user_id


def begin_business_request(user_id: str, *, request_id: str, tags: Mapping[str, str]) -> None:
    """Set the player as user, and the tags, for everything this request will report."""
    scope = sentry_sdk.get_isolation_scope()
    scope.set_user({"id": user_id})
    scope.set_tag("request_id", request_id)
    for name, value in tags.items():
        scope.set_tag(name, value)
