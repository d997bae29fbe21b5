"""Error and message events."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.telemetry.origin import Origin
from harness.telemetry.shape import mapping, pairs, seconds, sequence, text


@dataclass(frozen=True, slots=True)
class Mechanism:
    """How an exception was caught (develop.sentry.dev, "Exception Interface")."""

    type: str | None
    handled: bool | None
    synthetic: bool = False
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a stack trace; ``raw`` holds every attribute as sent."""

    function: str | None
    module: str | None
    filename: str | None
    lineno: int | None
    in_app: bool | None
    context_line: str | None
    variables: dict[str, Any] = field(repr=False)
    raw: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ExceptionValue:
    """One exception of an event's chain."""

    type: str | None
    value: str | None
    module: str | None
    mechanism: Mechanism
    frames: tuple[Frame, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Breadcrumb:
    """One step that led to the event."""

    category: str | None
    message: str | None
    level: str | None
    type: str | None
    data: dict[str, Any]
    timestamp: float | None = field(compare=False)


@dataclass(frozen=True)
class ErrorEvent:
    """An event item: an error, or a message when it carries no real exception.

    What Sentry would show as the issue's title comes from the last exception of the chain, so ``type``, ``value``,
    ``mechanism`` and ``frames`` are those of that exception (develop.sentry.dev: values are ordered from oldest to
    newest). ``payload`` is the decoded item for anything that has no property here.
    """

    payload: dict[str, Any] = field(repr=False)
    origin: Origin = field(repr=False, compare=False)

    @property
    def service(self) -> str | None:
        """Who sent it, by DSN."""
        return self.origin.service

    @property
    def event_id(self) -> str | None:
        """The event's id, 32 hexadecimal digits."""
        event_id = text(self.payload.get("event_id")) or text(self.origin.envelope_headers.get("event_id"))
        return event_id.replace("-", "").lower() if event_id else None

    @cached_property
    def exceptions(self) -> tuple[ExceptionValue, ...]:
        """The chain as sent, oldest first."""
        return tuple(_exception(mapping(value)) for value in sequence(self.payload.get("exception")))

    @property
    def exception(self) -> ExceptionValue | None:
        """The exception that Sentry shows, or None for a message."""
        chain = self.exceptions
        return chain[-1] if chain else None

    @property
    def is_message(self) -> bool:
        """Whether nothing was thrown: no exception, or only the synthetic one that JS SDKs add for a stack trace."""
        return all(exception.mechanism.synthetic for exception in self.exceptions)

    @property
    def type(self) -> str | None:
        """Type of the exception."""
        return self.exception.type if self.exception else None

    @property
    def value(self) -> str | None:
        """Text of the exception, or the message."""
        return self.exception.value if self.exception else self.message

    @property
    def mechanism(self) -> Mechanism:
        """How the exception was caught."""
        return self.exception.mechanism if self.exception else Mechanism(None, None)

    @property
    def handled(self) -> bool | None:
        """Whether the application caught the exception itself."""
        return self.mechanism.handled

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Stack frames of the exception, outermost first."""
        return self.exception.frames if self.exception else ()

    @property
    def message(self) -> str | None:
        """Formatted message of a message event."""
        logentry = mapping(self.payload.get("logentry"))
        return text(self.payload.get("message")) or text(logentry.get("formatted")) or text(logentry.get("message"))

    @property
    def level(self) -> str:
        """Severity; Sentry takes ``error`` when none is sent."""
        return text(self.payload.get("level")) or "error"

    @property
    def tags(self) -> dict[str, Any]:
        """Tags, whichever form they were sent in."""
        return pairs(self.payload.get("tags"))

    @property
    def user(self) -> dict[str, Any]:
        """The user, empty when none is set."""
        return mapping(self.payload.get("user"))

    @property
    def contexts(self) -> dict[str, Any]:
        """All contexts, with Sentry's own such as ``trace`` and ``runtime``."""
        return mapping(self.payload.get("contexts"))

    @property
    def extra(self) -> dict[str, Any]:
        """The deprecated ``extra`` data."""
        return mapping(self.payload.get("extra"))

    @property
    def request(self) -> dict[str, Any]:
        """The HTTP request the event was captured in."""
        return mapping(self.payload.get("request"))

    @property
    def replay_id(self) -> str | None:
        """Id of the session replay in which it happened, if one was recorded."""
        replay = mapping(self.contexts.get("replay"))
        return text(replay.get("replay_id")) or text(self.tags.get("replayId"))

    @property
    def sdk(self) -> dict[str, Any]:
        """Name, version, packages and integrations of the SDK."""
        return mapping(self.payload.get("sdk"))

    @property
    def fingerprint(self) -> list[Any]:
        """Custom grouping, empty when left to Sentry."""
        return sequence(self.payload.get("fingerprint"))

    @property
    def breadcrumbs(self) -> tuple[Breadcrumb, ...]:
        """Breadcrumbs, oldest first."""
        return tuple(_breadcrumb(mapping(crumb)) for crumb in sequence(self.payload.get("breadcrumbs")))

    @property
    def release(self) -> str | None:
        """Release of the service."""
        return text(self.payload.get("release"))

    @property
    def environment(self) -> str | None:
        """Sentry environment of the service."""
        return text(self.payload.get("environment"))

    @property
    def server_name(self) -> str | None:
        """Host that the service ran on."""
        return text(self.payload.get("server_name"))

    @property
    def platform(self) -> str | None:
        """``python``, ``node``, ``javascript``, ..."""
        return text(self.payload.get("platform"))

    @property
    def logger(self) -> str | None:
        """Logger that the event came through."""
        return text(self.payload.get("logger"))

    @property
    def transaction(self) -> str | None:
        """Name of the transaction or segment it happened in."""
        return text(self.payload.get("transaction"))

    @property
    def trace_id(self) -> str | None:
        """The trace it belongs to: its own trace context decides, the envelope's header stands in."""
        return text(mapping(self.contexts.get("trace")).get("trace_id")) or self.origin.trace_id

    @property
    def span_id(self) -> str | None:
        """The span during which it was captured."""
        return text(mapping(self.contexts.get("trace")).get("span_id"))

    @property
    def parent_span_id(self) -> str | None:
        """Parent of that span, as the event states it."""
        return text(mapping(self.contexts.get("trace")).get("parent_span_id"))

    @property
    def timestamp(self) -> float | None:
        """When it happened, in seconds since the epoch."""
        return seconds(self.payload.get("timestamp"))

    @property
    def title(self) -> str:
        """One line for people, as Sentry titles an issue."""
        if self.is_message:
            return self.message or self.value or "(empty event)"
        return f"{self.type}: {self.value}"


def _exception(raw: dict[str, Any]) -> ExceptionValue:
    mechanism = mapping(raw.get("mechanism"))
    handled = mechanism.get("handled")
    return ExceptionValue(
        type=text(raw.get("type")),
        value=text(raw.get("value")),
        module=text(raw.get("module")),
        mechanism=Mechanism(
            type=text(mechanism.get("type")),
            handled=handled if isinstance(handled, bool) else None,
            synthetic=mechanism.get("synthetic") is True,
            data=mapping(mechanism.get("data")),
        ),
        frames=tuple(_frame(mapping(frame)) for frame in sequence(mapping(raw.get("stacktrace")).get("frames"))),
    )


def _frame(raw: dict[str, Any]) -> Frame:
    lineno, in_app = raw.get("lineno"), raw.get("in_app")
    return Frame(
        function=text(raw.get("function")),
        module=text(raw.get("module")),
        filename=text(raw.get("filename")),
        lineno=lineno if isinstance(lineno, int) else None,
        in_app=in_app if isinstance(in_app, bool) else None,
        context_line=text(raw.get("context_line")),
        variables=mapping(raw.get("vars")),
        raw=raw,
    )


def _breadcrumb(raw: dict[str, Any]) -> Breadcrumb:
    return Breadcrumb(
        category=text(raw.get("category")),
        message=text(raw.get("message")),
        level=text(raw.get("level")),
        type=text(raw.get("type")),
        data=mapping(raw.get("data")),
        timestamp=seconds(raw.get("timestamp")),
    )
