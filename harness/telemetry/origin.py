"""Where a piece of telemetry came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Origin:
    """The sender of an envelope and the envelope's own headers.

    Args:
        service: name of the service, known by its DSN; None for a sender without a name.
        project_id: the project in the sender's DSN.
        number: position of the envelope in the inbox, counted from 0.
        received_at: when the collector had the whole envelope, in seconds since the epoch.
        envelope_headers: the envelope's headers, with the dynamic sampling context under ``trace``.
        item_headers: headers of the item itself.
    """

    service: str | None = None
    project_id: str = ""
    number: int = 0
    received_at: float = 0.0
    envelope_headers: dict[str, Any] = field(default_factory=dict, repr=False)
    item_headers: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def trace_id(self) -> str | None:
        """Trace id of the dynamic sampling context, where the envelope carries one."""
        trace = self.envelope_headers.get("trace")
        trace_id = trace.get("trace_id") if isinstance(trace, dict) else None
        return trace_id if isinstance(trace_id, str) else None
