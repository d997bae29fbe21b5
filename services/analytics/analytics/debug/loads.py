"""Loads on the process."""

from __future__ import annotations

from dataclasses import asdict

import sentry_sdk
from fastapi import Request, Response

from analytics.breadcrumbs import leave_breadcrumb
from analytics.debug.endpoints import debug
from analytics.domain.exports import export_in_memory
from analytics.responses import reported
from observability.parameters import IntParameter
from observability.request_scope import new_identifier

SIZE = IntParameter("size_mb", default=48, floor=1, ceiling=256)


@debug.endpoint(
    "/debug/memory-spike",
    demonstrates="a warning about an export rendered in memory, with the memory before, at the peak and after",
    status=200,
    group="load",
)
def memory_spike(request: Request) -> Response:
    """Render an export in one piece and report what that took."""
    size_mb = SIZE.read(request.query_params)
    export_id = new_identifier("exp")
    leave_breadcrumb("export.begin", f"export {export_id} of {size_mb} MiB begun", size_mb=size_mb)
    spike = export_in_memory(size_mb)
    leave_breadcrumb(
        "export.rendered", f"export {export_id} rendered in one piece", level="warning", grown_mb=spike.grown_mb
    )
    event_id = sentry_sdk.capture_message(
        f"Memory spike: export {export_id} took {spike.grown_mb} MiB at once",
        level="warning",
        contexts={"memory_spike": asdict(spike)},
    )
    return reported({"export_id": export_id, **asdict(spike)}, event_id)
