"""Showing on a terminal what arrives, while it arrives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.collector.fault_endpoint import PATH as FAULTS
from harness.collector.inbox import Arrival
from harness.collector.server import Collector
from harness.fleet.fleet import Fleet
from harness.fleet.spec import FleetSpec
from harness.telemetry.events import ErrorEvent
from harness.telemetry.origin import Origin
from harness.telemetry.reading import View, read_envelope
from harness.telemetry.records import Attachment, ClientReport, Profile, Session, Unread
from harness.telemetry.shape import visible
from harness.telemetry.signals import Log, Metric
from harness.telemetry.spans import Span

# How often a waiting loop comes up for air, so that Ctrl-C is heard on every platform; arrivals wake it at once.
_BREATH = 1.0


def print_fleet(spec: FleetSpec, fleet: Fleet, console: Console) -> None:
    """A table of the running services with the URLs to try."""
    table = Table(box=None, pad_edge=False)
    for heading in ("service", "url", "through the entry service", "DSN"):
        table.add_column(heading, overflow="fold")
    entry = fleet.instances[spec.entry].url if spec.entry else None
    for name, instance in fleet.instances.items():
        route = spec.services[name].route
        table.add_row(name, instance.url, f"{entry}{route}" if entry and route else "", str(instance.dsn))
    console.print(table)
    console.print("Ctrl-C ends it.")


def print_steering(collector: Collector, console: Console, key: str | None = None) -> None:
    """Say how faults are injected by hand, from this machine.

    Args:
        collector: where.
        console: where to print it.
        key: the collector's key, if it has one.
    """
    query = "" if key is None else f"?sentry_key={key}"
    example = (
        """ -H 'Content-Type: application/json' -d '{"kind": "rate-limited", "retry_after": 60, "requests": 1}'"""
    )
    console.print(f"Let it fail: curl {collector.url}{FAULTS}{query}{example}", soft_wrap=True)


def print_arrivals(collector: Collector, console: Console) -> None:
    """Print every item as it arrives, every refused request and every fault; never returns but by Ctrl-C."""
    shown = refused = befallen = 0
    while True:
        collector.inbox.wait_for(_newer_than(collector, shown, refused, befallen), _BREATH)
        shown, refused, befallen = print_new(collector, console, shown, refused, befallen)


def print_new(
    collector: Collector, console: Console, shown: int = 0, refused: int = 0, befallen: int = 0
) -> tuple[int, int, int]:
    """Print what has arrived, was refused or befallen by a fault since the last time.

    Args:
        collector: where.
        console: where to print it.
        shown: how many arrivals were printed already.
        refused: how many refusals were printed already.
        befallen: how many faults were printed already.

    Returns:
        How many of each are printed now.
    """
    for arrival in collector.inbox.arrivals(since=shown):
        console.print(_headline(arrival, collector), soft_wrap=True)
        for line in _lines(arrival, collector):
            console.print(Text.assemble("  ", *map(_shown, line)), soft_wrap=True)
        shown = arrival.number + 1
    for refusal in collector.refusals[refused:]:
        console.print(Text(f"refused: {visible(str(refusal))}", style="red"), soft_wrap=True)
        refused += 1
    for injection in collector.faults.injections[befallen:]:
        console.print(Text(f"fault: {visible(str(injection))}", style="yellow"), soft_wrap=True)
        befallen += 1
    return shown, refused, befallen


def _newer_than(collector: Collector, shown: int, refused: int, befallen: int) -> Callable[[], bool | None]:
    return lambda: (
        len(collector.inbox) > shown
        or len(collector.refusals) > refused
        or len(collector.faults.injections) > befallen
        or None
    )


def _headline(arrival: Arrival, collector: Collector) -> Text:
    at = datetime.fromtimestamp(arrival.received_at).astimezone().strftime("%H:%M:%S")
    who = collector.service_of(arrival.project_id) or f"project {arrival.project_id}"
    encoding = f", {arrival.content_encoding}" if arrival.content_encoding else ""
    text = f"{at} {who}  {arrival.endpoint}  {len(arrival.body)} bytes ({arrival.wire_size} on the wire{encoding})"
    return Text(visible(text), style="bold")


def _lines(arrival: Arrival, collector: Collector) -> list[list[str | tuple[str, str]]]:
    if arrival.envelope is None:
        return []
    origin = Origin(service=collector.service_of(arrival.project_id), project_id=arrival.project_id)
    return [_line(view) for view in read_envelope(arrival.envelope, origin)]


def _shown(part: str | tuple[str, str]) -> str | tuple[str, str]:
    # What a service sends must not act on the terminal; only texts come without a style.
    return visible(part) if isinstance(part, str) else part


def _line(view: View) -> list[str | tuple[str, str]]:
    match view:
        case ErrorEvent():
            kind = "message" if view.is_message else "error"
            handled = {True: "handled", False: "unhandled", None: ""}[view.handled]
            return [(f"{kind:<12}", "red"), f"{view.title}  {view.level} {handled}  trace {view.trace_id}"]
        case Span():
            duration = "" if view.duration_ms is None else f"{view.duration_ms:.0f} ms"
            return [
                (f"{view.form:<12}", "cyan"),
                f"{view.op or '-'}  {view.name}  {duration}  trace {view.trace_id}",
            ]
        case Log():
            return [(f"{'log':<12}", "blue"), f"{view.level}  {view.body}"]
        case Metric():
            return [(f"{'metric':<12}", "blue"), f"{view.type} {view.name} = {view.value}"]
        case Session():
            return [(f"{'session':<12}", "magenta"), f"{view.status or 'aggregate'}  {view.release}"]
        case Profile():
            return [(f"{'profile':<12}", "green"), f"{view.sample_count} samples  {view.transaction or ''}"]
        case Attachment():
            return [(f"{'attachment':<12}", "green"), f"{view.filename}  {len(view.payload)} bytes"]
        case ClientReport():
            dropped = (
                ", ".join(f"{each.quantity} x {each.category} ({each.reason})" for each in view.discarded)
                or "nothing"
            )
            return [(f"{'report':<12}", "yellow"), f"the SDK dropped {dropped}"]
        case Unread():
            return [(f"{visible(view.type[:11]):<12}", "yellow"), view.reason]
        case _:
            return [(f"{type(view).__name__.lower()[:11]:<12}", "green"), str(getattr(view, "payload", ""))[:120]]
