"""A whole run, as checks over it see it; of what arrived, only what they ask for is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from harness.collector.inbox import Arrival
from harness.collector.ingest import Refusal
from harness.collector.injecting import Injection
from harness.telemetry.reading import Telemetry, View, read_envelope, sorted_by_kind
from harness.telemetry.routing import trace_ids
from harness.verify.egress import Parcel, parcels
from harness.verify.evidence import origin_of
from harness.verify.sent import SentEnvelope, traceless_envelopes
from harness.verify.settings import CheckSettings

# What says of no trace of its own that it belongs to it belongs to the envelope's.
_OF_A_TRACE = frozenset({"event", "transaction", "span", "log", "trace_metric", "check_in", "profile_chunk"})


@dataclass(frozen=True)
class RunSubject:
    """What a run check looks at: everything that arrived during one run.

    Scenarios share their services and run at the same time, so what belongs to no trace, or to a trace that no
    scenario started, cannot be counted for one of them. It is judged once, when the run is over.

    Args:
        arrivals: every request that the collector accepted.
        refusals: every request that it refused.
        services_by_project: service names by the project id of their DSN.
        traces: the traces that the scenarios started.
        secrets: what must not reach Sentry, each with a name for it; of all scenarios, so names repeat.
        faults: what services were put through on purpose.
        settings: what the project configured.
    """

    arrivals: tuple[Arrival, ...] = field(repr=False)
    settings: CheckSettings
    refusals: tuple[Refusal, ...] = field(default=(), repr=False)
    services_by_project: Mapping[str, str] = field(default_factory=dict, repr=False)
    traces: frozenset[str] = field(default=frozenset(), repr=False)
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    faults: tuple[Injection, ...] = field(default=(), repr=False)

    def views(self, *types: str) -> Iterator[View]:
        """Views of all items of some types, in the traces of the scenarios and outside; each is read as it is needed.

        Args:
            types: item types, such as ``event``.
        """
        for arrival in self.arrivals:
            yield from self._views(arrival, types)

    @cached_property
    def outside(self) -> Telemetry:
        """Views of what belongs to no trace, or to one that no scenario started."""
        return sorted_by_kind(
            view
            for arrival in self._outsiders
            for view in self._views(arrival)
            if getattr(view, "trace_id", None) not in self.traces
        )

    @property
    def strays(self) -> Iterator[Parcel]:
        """Every text that left the services outside of all scenarios' traces."""
        held = parcels(self._outsiders, self.services_by_project)
        return (parcel for parcel in held if parcel.trace_id not in self.traces)

    @property
    def traceless(self) -> Iterator[SentEnvelope]:
        """Envelopes that speak of no trace at all."""
        return traceless_envelopes(self._outsiders, self.services_by_project)

    @cached_property
    def _outsiders(self) -> tuple[Arrival, ...]:
        """Arrivals in which something is outside of the scenarios' traces."""
        return tuple(arrival for arrival in self.arrivals if not self._is_inside(arrival))

    def _is_inside(self, arrival: Arrival) -> bool:
        envelope = arrival.envelope
        if envelope is None or (envelope.trace or {}).get("trace_id") not in self.traces:
            return False
        return all(item.type in _OF_A_TRACE for item in envelope.items) and trace_ids(envelope) <= self.traces

    def _views(self, arrival: Arrival, types: tuple[str, ...] | None = None) -> Iterator[View]:
        if (envelope := arrival.envelope) is not None:
            yield from read_envelope(envelope, origin_of(arrival, self.services_by_project), types)
