"""What a scenario sends and what it expects of the answer."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.collector.faults import Fault

_ENDPOINT = re.compile(r"([A-Z]+)\s+(/\S*)")


class InvalidScenario(ValueError):
    """A scenario that cannot be run as written; the message says what to change."""


class FleetFailure(RuntimeError):
    """The fleet could not be brought up, so no scenario can run; the message says why."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """The request that a scenario sends.

    Args:
        service: the service that has the endpoint.
        method: HTTP method.
        path: path at the service, with its query string if any; the way through the entry service is added when sent.
        template: the path as written, before parameters were filled in; what endpoint coverage counts.
        json: body to send as JSON.
        body: raw body.
        headers: additional request headers; None leaves out one that would be sent otherwise.
        params: additional query parameters.
        claims: claims in which the token of this request differs; None leaves one out.
        via: service through which the request goes; None for the fleet's entry service.
        timeout: seconds to wait for the answer.
        action: what was done in a browser to have it sent, in words; None when the harness sends it.
    """

    service: str
    method: str
    path: str
    template: str
    json: Any = None
    body: bytes | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    params: Mapping[str, str | int | float] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)
    via: str | None = None
    timeout: float = 30.0
    action: str | None = None

    @property
    def title(self) -> str:
        """``payment GET /debug/crash``, or the action in the browser."""
        return self.action or f"{self.service} {self.method} {self.path}"

    @property
    def endpoint(self) -> tuple[str, str, str]:
        """Service, method and path template without query: the key of endpoint coverage."""
        return self.service, self.method, self.template.split("?")[0]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One test's trigger with what is expected of the answer.

    Args:
        key: the test's node id, unique in a run.
        status: expected HTTP status; None to accept any.
        isolated: give it an instance of its service of its own, because it kills, blocks or changes it.
        exit_code: the exit code with which the service's process is expected to end.
        faults: in which ways Sentry fails the scenario's own instances.
        allowed: code and reason of every finding that the test allows; those of checks over the whole run are allowed
            for the run, because a run that has this scenario has what it demonstrates.
    """

    key: str
    trigger: Trigger
    status: int | None = 200
    isolated: bool = False
    exit_code: int | None = None
    faults: tuple[Fault, ...] = ()
    allowed: tuple[tuple[str, str], ...] = ()


def make_trigger(service: str, endpoint: str, **options: Any) -> Trigger:
    """A trigger from ``"GET /debug/crash"`` and options named as in `Trigger`.

    Raises:
        InvalidScenario: the endpoint is not ``METHOD /path``, or both `json` and `body` are given.
    """
    match = _ENDPOINT.fullmatch(endpoint)
    if match is None:
        raise InvalidScenario(
            f"the endpoint must be written 'METHOD /path', such as 'GET /debug/crash', not {endpoint!r}"
        )
    if options.get("json") is not None and options.get("body") is not None:
        raise InvalidScenario(f"{service} {endpoint}: give json or body, not both")
    return Trigger(service=service, method=match[1], path=match[2], template=match[2], **options)


def fill_in(trigger: Trigger, parameters: Mapping[str, Any]) -> Trigger:
    """The trigger with ``{name}`` in its path replaced by the test's parameters.

    Raises:
        InvalidScenario: the path names a parameter that the test does not have.
    """
    names = [name for _, name, _, _ in string.Formatter().parse(trigger.template) if name]
    if missing := [name for name in names if name not in parameters]:
        known = ", ".join(parameters) or "none"
        raise InvalidScenario(
            f"{trigger.title}: no parameter {missing[0]!r} to fill in; the test's parameters are: {known}"
        )
    if not names:
        return trigger
    path = trigger.template.format(**parameters)
    return replace(trigger, path=path, template=path)
