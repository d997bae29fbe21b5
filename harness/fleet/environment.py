"""The environment variables of a service's process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

AGENT_VARIABLE = "SENTRY_HARNESS_AGENT"
DEBUG_VARIABLE = "SENTRY_HARNESS_DEBUG"

AGENTS = Path(__file__).parent / "agents"
"""What is preloaded into services, by a directory for each runtime."""

_LOOPBACK_NAMES = "127.0.0.1,localhost,::1"


def service_environment(
    inherited: Mapping[str, str],
    own: Mapping[str, str],
    *,
    port: int,
    dsn: str,
    sentry_environment: str,
    release: str,
    agent_address: str,
) -> dict[str, str]:
    """Compose what a service's process sees.

    Inherited ``SENTRY_*`` variables are left out: a developer's shell must neither send test errors to a real project
    nor change what is verified. Proxies are told to leave loopback alone, else they would silently divert envelopes.

    Args:
        inherited: the environment of this process.
        own: the service's configured variables, placeholders replaced; they win over the ones set here, and the
            agents are added to its own ``PYTHONPATH`` and ``NODE_OPTIONS``.
        port: where it shall listen.
        dsn: where its SDK shall send to.
        sentry_environment: the ``environment`` of its events.
        release: the ``release`` of its events.
        agent_address: how its agents reach the control server.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith("SENTRY_")}
    if DEBUG_VARIABLE in inherited:
        kept[DEBUG_VARIABLE] = inherited[DEBUG_VARIABLE]
    environment = {
        **kept,
        "PORT": str(port),
        **reporting_variables(kept, _LOOPBACK_NAMES, dsn=dsn, sentry_environment=sentry_environment, release=release),
        **own,
    }
    environment[AGENT_VARIABLE] = agent_address
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(AGENTS / "python"), environment.get("PYTHONPATH")]))
    preload = f'--require "{_quoted(AGENTS / "node" / "agent.cjs")}"'
    environment["NODE_OPTIONS"] = " ".join(filter(None, [environment.get("NODE_OPTIONS"), preload]))
    return environment


def reporting_variables(
    before: Mapping[str, str], undiverted: str, *, dsn: str, sentry_environment: str, release: str
) -> dict[str, str]:
    """The variables by which a service reports to the collector, wherever it runs.

    Args:
        before: what is set already.
        undiverted: hosts that no proxy shall divert, with commas between.
        dsn: where the SDK shall send to.
        sentry_environment: the ``environment`` of its events.
        release: the ``release`` of its events.
    """
    no_proxy = ",".join(filter(None, [before.get("NO_PROXY") or before.get("no_proxy"), undiverted]))
    return {
        "SENTRY_DSN": dsn,
        "SENTRY_ENVIRONMENT": sentry_environment,
        "SENTRY_RELEASE": release,
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        # A crash must not take the last lines of the log with it.
        "PYTHONUNBUFFERED": "1",
    }


def _quoted(path: Path) -> str:
    """A path as it stands between the double quotes that NODE_OPTIONS understands."""
    return str(path).replace("\\", "\\\\").replace('"', '\\"')
