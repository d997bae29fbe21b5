"""The environment variables that the harness sets in a service's container."""

from __future__ import annotations

from collections.abc import Mapping

from harness.fleet.containers.document import AGENTS_IN_CONTAINER
from harness.fleet.environment import AGENT_VARIABLE, reporting_variables


def container_environment(
    image: Mapping[str, str],
    file: Mapping[str, str | None],
    own: Mapping[str, str],
    *,
    dsn: str,
    sentry_environment: str,
    release: str,
    agent_address: str,
    collector_host: str,
) -> dict[str, str]:
    """Compose what is set beside and over the variables of image and Compose file.

    Args:
        image: what the image sets.
        file: what the Compose file sets.
        own: what the configuration and a test set; they win over everything but what lets the agents in.
        dsn: where the SDK shall send to.
        sentry_environment: the ``environment`` of its events.
        release: the ``release`` of its events.
        agent_address: how its agents reach the control server.
        collector_host: where the collector is, which no proxy shall divert.
    """
    before = {**image, **{name: value for name, value in file.items() if value is not None}, **own}
    path = ":".join(filter(None, [f"{AGENTS_IN_CONTAINER}/python", before.get("PYTHONPATH")]))
    preload = f'--require "{AGENTS_IN_CONTAINER}/node/agent.cjs"'
    return {
        **reporting_variables(
            before, collector_host, dsn=dsn, sentry_environment=sentry_environment, release=release
        ),
        **own,
        AGENT_VARIABLE: agent_address,
        "PYTHONPATH": path,
        "NODE_OPTIONS": " ".join(filter(None, [before.get("NODE_OPTIONS"), preload])),
    }
