"""The services' own lists of debug endpoints, for endpoint coverage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

Endpoints = tuple[tuple[str, str], ...]

_NOT_LET_IN = (401, 403)


class UnreadableManifest(RuntimeError):
    """A service's manifest cannot be read; the message says what it should look like."""


def fetch_manifest(
    service: str, url: str, headers: Mapping[str, str] | None = None, *, timeout: float = 10.0
) -> Endpoints:
    """``(method, path)`` of every debug endpoint that a service lists.

    The answer is a JSON list of ``{"method": ..., "path": ...}`` objects, or an object with that list under
    ``endpoints``; further members are allowed.

    Args:
        service: whose it is.
        url: where it is.
        headers: what lets the request in.
        timeout: seconds to wait for the answer.

    Raises:
        UnreadableManifest: no such answer.
    """
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(url, headers=headers, timeout=timeout)
            if answer.status_code in _NOT_LET_IN:
                raise UnreadableManifest(
                    f"{service} did not let the harness in: its manifest at {url} answered {answer.status_code}. "
                    "Configure [fleet.headers] or [fleet.token] with what it asks for."
                )
            answer.raise_for_status()
            listed = answer.json()
    except (requests.RequestException, ValueError) as problem:
        raise UnreadableManifest(
            f"the manifest of {service} at {url} cannot be read: {problem}. "
            "It must answer 200 with JSON; leave `manifest` out of the service's configuration if there is none."
        ) from problem
    return tuple(_endpoint(entry, service, url) for entry in _entries(listed, service, url))


def _entries(listed: Any, service: str, url: str) -> list[Any]:
    entries = listed.get("endpoints") if isinstance(listed, dict) else listed
    if not isinstance(entries, list):
        raise UnreadableManifest(
            f"the manifest of {service} at {url} is neither a list nor has a list of `endpoints`"
        )
    return entries


def _endpoint(entry: Any, service: str, url: str) -> tuple[str, str]:
    method, path = (entry.get("method"), entry.get("path")) if isinstance(entry, dict) else (None, None)
    if not isinstance(method, str) or not isinstance(path, str):
        raise UnreadableManifest(
            f"the manifest of {service} at {url} has an entry without method and path: {entry!r}"
        )
    return method.upper(), path
