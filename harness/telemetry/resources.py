"""What the operating system saw of a service, to hold an event's own claims against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResourceSample:
    """One look at a service's whole process tree.

    Args:
        at: when, in seconds since the epoch.
        rss_bytes: resident memory of all its processes.
        cpu_percent: CPU used since the previous sample; 100 is one core.
        threads: number of threads of all its processes.
    """

    at: float
    rss_bytes: int
    cpu_percent: float
    threads: int
