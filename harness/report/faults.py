"""Faults in a report: what services were put through on purpose, and what their SDKs made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.collector.inbox import Arrival
from harness.collector.injecting import Injection
from harness.collector.messages import Request
from harness.report.captured import EnvelopeRecord, FaultRecord
from harness.report.record import RunRecord
from harness.telemetry.reading import read_envelope
from harness.telemetry.records import ClientReport
from harness.verify.evidence import origin_of

Instance = tuple[str, str]
"""An instance of a service by its execution and its project."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What one instance of a service was put through, and what came of it.

    Args:
        service: the service, or the instance where no scenario knows it.
        faults: what befell it, in order.
        lost: what was in the requests that Sentry does not have, by data category.
        dropped: what its SDK said afterwards that it discarded, by reason and category such as
            ``ratelimit_backoff/error``.
        sent_again: how many of the envelopes that a fault befell came once more.
        arrived: what arrived after the first fault, by item type.
        resumed: what arrived after the last one.
    """

    service: str
    faults: tuple[FaultRecord, ...]
    lost: Mapping[str, int]
    dropped: Mapping[str, int]
    sent_again: int
    arrived: Mapping[str, int]
    resumed: Mapping[str, int]


def fault_file(number: int) -> str:
    """Where the body of a request is kept that a fault befell, relative to the report.

    Args:
        number: its position in the order of the faults.
    """
    return f"faults/{number:06d}.body"


def identity(injection: Injection) -> Hashable:
    """What tells an injection from all others, whatever name its service goes by."""
    return injection.at, injection.project_id, injection.event_id, injection.items, injection.fault


def fault_record(execution: str, number: int, injection: Injection, services: Mapping[str, str]) -> FaultRecord:
    """A fault for the record.

    Args:
        execution: id of the execution.
        number: its position.
        injection: what was done.
        services: names of services by the project id of their DSN.
    """
    request = injection.request
    return FaultRecord(
        execution=execution,
        file=None if request is None else fault_file(number),
        at=injection.at,
        fault=injection.fault,
        text=str(injection.fault),
        service=services.get(injection.project_id, injection.service),
        project=injection.project_id,
        method=None if request is None else request.method,
        path=None if request is None else request.path,
        query=None if request is None else request.query,
        headers=() if request is None else request.headers,
        event_id=injection.event_id,
        items=injection.items,
        quantities=injection.quantities,
        kept=injection.kept,
    )


def recorded_injection(held: FaultRecord, body: bytes) -> Injection:
    """What was done, as the record tells it.

    Args:
        held: the record.
        body: body of the request; empty without one.
    """
    request = None
    if held.method is not None:
        request = Request(held.at, held.method, held.path or "", held.query or "", held.headers, body)
    return Injection(
        at=held.at,
        fault=held.fault,
        service=held.service,
        project_id=held.project,
        request=request,
        event_id=held.event_id,
        items=held.items,
        quantities=held.quantities,
        kept=held.kept,
    )


def aftermaths(record: RunRecord, arrivals: Mapping[int, Arrival]) -> dict[Instance, Aftermath]:
    """What came of the faults of a run, for each instance that they befell.

    Args:
        record: the run.
        arrivals: everything that arrived, by number.
    """
    faults: dict[Instance, list[FaultRecord]] = {}
    for held in record.faults:
        faults.setdefault((held.execution, held.project), []).append(held)
    sent: dict[Instance, list[EnvelopeRecord]] = {instance: [] for instance in faults}
    for envelope in record.envelopes:
        if (envelope.execution, envelope.project) in sent:
            sent[envelope.execution, envelope.project].append(envelope)
    return {instance: _aftermath(own, sent[instance], arrivals) for instance, own in faults.items()}


def _aftermath(faults: list[FaultRecord], sent: list[EnvelopeRecord], arrivals: Mapping[int, Arrival]) -> Aftermath:
    afterwards = [held for held in sent if held.received_at >= faults[0].at]
    resumed = [held for held in sent if held.received_at > faults[-1].at]
    lost: Counter[str] = Counter()
    for held in faults:
        if not held.kept:
            lost.update(held.quantities)
    return Aftermath(
        service=faults[0].service or f"project {faults[0].project}",
        faults=tuple(faults),
        lost=lost,
        dropped=_dropped(arrivals[held.number] for held in afterwards),
        sent_again=_sent_again(faults, [arrivals[held.number] for held in sent]),
        arrived=Counter(kind for held in afterwards for kind in held.items),
        resumed=Counter(kind for held in resumed for kind in held.items),
    )


def _dropped(arrivals: Iterable[Arrival]) -> Counter[str]:
    dropped: Counter[str] = Counter()
    for arrival in arrivals:
        for view in read_envelope(arrival.envelope, origin_of(arrival, {})) if arrival.envelope else ():
            for discard in view.discarded if isinstance(view, ClientReport) else ():
                dropped[f"{discard.reason}/{discard.category}"] += discard.quantity
    return dropped


def _sent_again(faults: Sequence[FaultRecord], arrivals: Iterable[Arrival]) -> int:
    befallen = [held.event_id for held in faults if held.event_id is not None]
    # What a fault has kept is among the arrivals too: the attempt itself is no second one.
    kept = Counter(held.event_id for held in faults if held.kept)
    attempts = Counter(befallen)
    attempts.update(arrival.envelope.event_id or "" for arrival in arrivals if arrival.envelope)
    return sum(attempts[event_id] - kept[event_id] > 1 for event_id in set(befallen))
