"""The trace tree over all services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.telemetry.events import ErrorEvent
from harness.telemetry.shape import one_line
from harness.telemetry.signals import Log
from harness.telemetry.spans import Span


@dataclass(frozen=True, slots=True)
class Trace:
    """All spans and events of one trace, linked by parent span ids.

    Args:
        trace_id: the trace.
        root_span_id: the span that started the trace outside (the trigger's), parent of the first service's segment.
        starter: the service whose page started the trace in a browser, which therefore hangs on nothing.
        spans: every span of the trace; the SDKs' own transport spans are not part of it.
        events: every error and message event of the trace.
    """

    trace_id: str
    root_span_id: str | None
    starter: str | None
    spans: tuple[Span, ...] = field(repr=False)
    events: tuple[ErrorEvent, ...] = field(repr=False)

    @property
    def services(self) -> list[str]:
        """Services that sent spans or events in this trace, in the order of their first span."""
        seen: dict[str, float] = {}
        for span in self.spans:
            name, start = span.service or "?", span.start or 0.0
            seen[name] = min(start, seen.get(name, start))
        ordered = sorted(seen, key=lambda name: seen[name])
        return list(dict.fromkeys([*ordered, *(event.service or "?" for event in self.events)]))

    @property
    def segments(self) -> tuple[Span, ...]:
        """The outermost span of each request in each service."""
        return tuple(span for span in self.spans if span.is_segment)

    def segment(self, service: str) -> Span:
        """The one segment of a service.

        Raises:
            LookupError: the service sent none or several, with their names.
        """
        found = [span for span in self.segments if span.service == service]
        if len(found) != 1:
            names = ", ".join(repr(span.name) for span in found) or "none"
            raise LookupError(
                f"expected one segment of {service} in trace {self.trace_id}, found: {names}\n{self.render()}"
            )
        return found[0]

    def span_of(self, item: ErrorEvent | Log) -> Span | None:
        """The span during which an event or log was captured."""
        return self._by_id().get(item.span_id or "")

    def parent(self, span: Span) -> Span | None:
        """The span's parent, if it was sent by anybody."""
        return self._by_id().get(span.parent_span_id or "")

    def children(self, span: Span) -> list[Span]:
        """Direct children in the order of their start, across services."""
        return _by_start(child for child in self.spans if child.parent_span_id == span.span_id)

    @property
    def unlinked(self) -> list[Span]:
        """Spans whose parent nobody sent and which do not hang on the trace's root: broken links."""
        known = self._by_id()
        return [
            span
            for span in self.spans
            if span.parent_span_id not in known and (span.parent_span_id or self.root_span_id) != self.root_span_id
        ]

    def path_to(self, item: ErrorEvent | Log | Span) -> list[str]:
        """Services from the trace's root to where an item happened, such as ``["gateway", "payment"]``.

        The way is followed by parent span ids, not by the trace id: a hop that is merely in the same trace does not
        count. Where a link is missing the path begins with a note in angle brackets that names the missing span.
        """
        known = self._by_id()
        path: list[str] = []
        seen: set[str] = set()
        here: str | None = item.span_id
        if not isinstance(item, Span) and here not in known:
            # The span may end after the process is gone or be unsampled: the event still names its parent.
            path.append(item.service or "?")
            here = item.parent_span_id if isinstance(item, ErrorEvent) else here
        while here is not None and here != self.root_span_id:
            span = known.get(here)
            if span is None:
                return [f"<no span {here}>", *path]
            if here in seen:
                return [f"<cycle at span {here}>", *path]
            seen.add(here)
            if not path or path[0] != (span.service or "?"):
                path.insert(0, span.service or "?")
            here = span.parent_span_id
        if here is None and self.root_span_id is not None and path[:1] != [self.starter]:
            return ["<not linked to the trigger>", *path]
        return path

    def render(self) -> str:
        """The tree as text, one span a line, events marked on their spans."""
        known = self._by_id()
        tops = _by_start(span for span in self.spans if span.parent_span_id not in known)
        lines = [line for top in tops for line in self._render(top, "", set())]
        lines += [
            f"! {event.service}: {one_line(event.title)} (its span {event.span_id} was not sent)"
            for event in self.events
            if event.span_id not in known
        ]
        return "\n".join(lines) or "(no spans)"

    def _render(self, span: Span, indent: str, seen: set[str]) -> Iterator[str]:
        duration = "" if span.duration_ms is None else f" {span.duration_ms:.0f} ms"
        status = f" [{span.http_status}]" if span.http_status else ""
        loose = span.parent_span_id not in self._by_id() and (span.parent_span_id or "") != (self.root_span_id or "")
        note = f" (parent {span.parent_span_id} is not in this trace)" if loose and span.parent_span_id else ""
        yield f"{indent}{span.service or '?'}  {span.op or '-'}  {one_line(span.name)}{status}{duration}{note}"
        seen.add(span.span_id or "")
        for event in self.events:
            if event.span_id == span.span_id:
                yield f"{indent}  ! {one_line(event.title)}"
        for child in self.children(span):
            if (child.span_id or "") not in seen:
                yield from self._render(child, indent + "  ", seen)

    def _by_id(self) -> dict[str, Span]:
        return {span.span_id: span for span in self.spans if span.span_id}


def build_trace(
    trace_id: str,
    spans: Sequence[Span],
    events: Sequence[ErrorEvent],
    *,
    root_span_id: str | None = None,
    starter: str | None = None,
) -> Trace:
    """The tree of one trace from everything that was captured."""
    return Trace(
        trace_id=trace_id,
        root_span_id=root_span_id,
        starter=starter,
        spans=tuple(span for span in spans if span.trace_id == trace_id and not span.is_sdk_transport),
        events=tuple(event for event in events if event.trace_id == trace_id),
    )


def _by_start(spans: Iterator[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: (span.start or 0.0, span.span_id or ""))
