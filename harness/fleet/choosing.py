"""Which platform a fleet runs on: the option ``--fleet``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.fleet.attached import AttachedPlatform
from harness.fleet.attachment import Endpoint, load_attachment, require_attachment
from harness.fleet.configuration import ConfigurationError
from harness.fleet.containers.configuration import require_compose
from harness.fleet.platform import Platform
from harness.fleet.platform_names import PlatformName
from harness.fleet.ports import LOOPBACK
from harness.fleet.processes import ProcessPlatform
from harness.fleet.spec import FleetSpec, require_commands
from harness.wire.dsn import Dsn


@dataclass(frozen=True, slots=True)
class Choice:
    """A platform, and what follows from it for the collector.

    Args:
        name: what it is called on the command line.
        platform: the platform.
        collector: where the collector has to listen so that services reach it.
        dsns: the DSNs that services have already, by their names.
    """

    name: PlatformName
    platform: Platform
    collector: Endpoint
    dsns: dict[str, Dsn]


def choose(name: PlatformName, spec: FleetSpec, *, attach: Path | None = None) -> Choice:
    """Make a platform ready to be used; nothing is started.

    Args:
        name: which one.
        spec: the fleet's configuration.
        attach: a file with the table ``[attach]``, instead of the one in the configuration.

    Raises:
        ConfigurationError: the configuration lacks what the platform needs.
        StartFailure: there is no engine for containers.
    """
    if name == "attach":
        attachment = load_attachment(attach, spec.services) if attach else require_attachment(spec.attach, spec.path)
        dsns = {service: held.dsn for service, held in attachment.services.items() if held.dsn is not None}
        return Choice(name, AttachedPlatform(attachment), attachment.collector, dsns)
    if name == "compose":
        compose = require_compose(spec.compose, spec.path)
        try:
            from harness.fleet.containers.engine import find_engine
            from harness.fleet.containers.platform import container_platform
        except ImportError as missing:
            raise ConfigurationError(
                "--fleet=compose needs the Docker SDK for Python: "
                "pip install 'sentry-verification-harness[containers]'"
            ) from missing
        platform, host = container_platform(spec, compose, find_engine())
        return Choice(name, platform, Endpoint(host, 0), {})
    require_commands(spec)
    return Choice(name, ProcessPlatform(spec), Endpoint(LOOPBACK, 0), {})
