"""Who triggered what, when and from where: a line in the log for each decision, a Sentry log for what was allowed."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import sentry_sdk
from sentry_sdk.scope import Scope, use_isolation_scope, use_scope

from observability.guard.decision import Ruling
from observability.guard.target import Guarded
from observability.structured_log import log_line


@dataclass(frozen=True, slots=True)
class Trigger:
    """A request to a debug endpoint over which was decided, remembered until it is answered.

    The request's own Sentry scopes are kept, because the event of an unhandled error is captured further out than
    the endpoint's code reaches.
    """

    method: str
    target: Guarded
    address: str
    request_id: str
    ruling: Ruling
    _isolation_scope: Scope = field(default_factory=sentry_sdk.get_isolation_scope)
    _current_scope: Scope = field(default_factory=sentry_sdk.get_current_scope)

    @property
    def scopes(self) -> tuple[Scope, Scope]:
        """The isolation scope and the current scope of the request."""
        return self._isolation_scope, self._current_scope


def record(trigger: Trigger, status: int) -> None:
    """Write down a decision, once its request has been answered with this HTTP status."""
    isolation_scope, current_scope = trigger.scopes
    ruling = trigger.ruling
    is_allowed = ruling.decision == "allowed"
    with use_isolation_scope(isolation_scope), use_scope(current_scope):
        entry = {
            "sub": ruling.identity.sub if ruling.identity else None,
            "jti": ruling.identity.jti if ruling.identity else None,
            "method": trigger.method,
            "endpoint": trigger.target.path,
            "group": trigger.target.group,
            "from": trigger.address,
            "decision": ruling.decision,
            "status": status,
            "event_id": sentry_sdk.last_event_id() if is_allowed else None,
            "request_id": trigger.request_id,
        }
        known = {name: value for name, value in entry.items() if value is not None}
        log_line(logging.INFO if is_allowed else logging.WARNING, "debug.trigger", **known)
        if is_allowed:
            # By the name that Sentry's conventions have for it.
            known["http.request.method"] = known.pop("method")
            sentry_sdk.logger.info("debug.trigger", attributes=known)
