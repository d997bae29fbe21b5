"""Which path is which of Sentry's endpoints, see `relay-server/src/endpoints/mod.rs`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

Endpoint = Literal[
    "envelope",
    "tunnel",
    "store",
    "security",
    "nel",
    "cron",
    "minidump",
    "attachments",
    "unreal",
    "otlp_traces",
    "otlp_logs",
    "health",
]

METHODS: dict[Endpoint, tuple[str, ...]] = {
    "envelope": ("POST",),
    "tunnel": ("POST",),
    "store": ("POST", "GET"),
    "security": ("POST",),
    "nel": ("POST",),
    "cron": ("POST", "GET"),
    "minidump": ("POST",),
    "attachments": ("POST",),
    "unreal": ("POST",),
    "otlp_traces": ("POST",),
    "otlp_logs": ("POST",),
    "health": ("GET", "HEAD"),
}


@dataclass(frozen=True, slots=True)
class Route:
    """What a path says.

    Attributes:
        endpoint: The endpoint; `tunnel` is the root path, to which an SDK posts envelopes when its `tunnel` option is
            the collector's address, and `health` the collector's own.
        project_id: The project, None where the path has none.
        public_key: The key, on the endpoints that may have it in the path.
        subject: Slug of the monitor or id of the event, percent-decoded, on the endpoints that have one in the path.
    """

    endpoint: Endpoint
    project_id: str | None = None
    public_key: str | None = None
    subject: str | None = None


# Who sends at all sends to the same few paths, again and again.
@lru_cache(maxsize=256)
def find_route(path: str) -> Route | None:
    """Find the endpoint of a path.

    As in Relay, repeated slashes count as one; a slash at the end is optional everywhere.

    Args:
        path: The path of a request, percent-encoded.

    Returns:
        What it says, None for a path that Sentry does not have.
    """
    match [unquote(segment) for segment in path.split("/") if segment]:
        case ["api", project, "envelope"]:
            return Route("envelope", project)
        case []:
            return Route("tunnel")
        case ["api", "store"]:
            return Route("store")
        case ["api", project, "store"]:
            return Route("store", project)
        case ["api", project, "security" | "csp-report"]:
            return Route("security", project)
        case ["api", project, "nel"]:
            return Route("nel", project)
        case ["api", project, "cron", slug]:
            return Route("cron", project, subject=slug)
        case ["api", project, "cron", slug, key]:
            return Route("cron", project, key, slug)
        case ["api", project, "minidump"]:
            return Route("minidump", project)
        case ["api", project, "events", event_id, "attachments"]:
            return Route("attachments", project, subject=event_id)
        case ["api", project, "unreal", key]:
            return Route("unreal", project, key)
        case ["api", project, "integration", "otlp", "v1", "traces"] | ["api", project, "otlp", "v1", "traces"]:
            return Route("otlp_traces", project)
        case ["api", project, "integration", "otlp", "v1", "logs"]:
            return Route("otlp_logs", project)
        case ["health"]:
            return Route("health")
    return None
