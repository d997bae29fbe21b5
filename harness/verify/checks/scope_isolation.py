"""Check: nothing of one scenario in what is reported for another."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.verify.checks.registry import Subject, check
from harness.verify.finding import Finding

_MARKER = re.compile(r"scn-[0-9a-f]{16}(?![0-9a-f])")
_PLACES_SHOWN = 3


@check("scope-isolation")
def scope_isolation(subject: Subject) -> Iterator[Finding]:
    """No item of a scenario's trace carries the id of another scenario."""
    own = subject.capture.evidence.marker
    if own is None and subject.capture.evidence.page is None:
        return
    for parcel in subject.parcels:
        for foreign in sorted(set(_MARKER.findall(parcel.text)) - {own}):
            first, *others = dict.fromkeys(passage.path for passage in parcel.passages() if foreign in passage.text)
            also = f", also at {', '.join(others[:_PLACES_SHOWN])}" if others else ""
            yield Finding(
                code="scope-isolation.foreign",
                message=f"it carries {foreign}, the id of another scenario's request{also}; its own is "
                f"{own or 'none'}. What was set for one request is still there, or already there, in another: use "
                "the request's own scope (isolation_scope, withIsolationScope) instead of a global one, a new one "
                "for every thread and task, and no module-level state",
                service=parcel.service,
                item=parcel.item,
                path=first,
            )
