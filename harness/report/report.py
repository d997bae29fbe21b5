"""A report in memory: the record of a run together with the bodies that it speaks of."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.collector.inbox import Arrival
from harness.collector.ingest import Refusal
from harness.collector.injecting import Injection
from harness.report.record import RunRecord


@dataclass(frozen=True, slots=True)
class Report:
    """What a report on disk is written from, and what it is read into.

    Args:
        record: the record.
        arrivals: every accepted request, each at the position of its number.
        refusals: every refused request, in the order of the record's.
        faults: every fault with the request that it befell, in the order of the record's.
    """

    record: RunRecord
    arrivals: tuple[Arrival, ...] = field(repr=False)
    refusals: tuple[Refusal, ...] = field(default=(), repr=False)
    faults: tuple[Injection, ...] = field(default=(), repr=False)
