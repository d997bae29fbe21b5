"""Which platform a fleet runs on: the option ``--fleet``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from harness.fleet.attached import AttachedPlatform
from harness.fleet.attachment import Endpoint, load_attachment, require_attachment
from harness.fleet.platform import Platform
from harness.fleet.ports import LOOPBACK
from harness.fleet.processes import ProcessPlatform
from harness.fleet.spec import FleetSpec, require_commands
from harness.wire.dsn import Dsn

PlatformName = Literal["process", "attach"]
PLATFORMS: tuple[PlatformName, ...] = get_args(PlatformName)


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
    """
    if name == "attach":
        attachment = load_attachment(attach, spec.services) if attach else require_attachment(spec.attach, spec.path)
        dsns = {service: held.dsn for service, held in attachment.services.items() if held.dsn is not None}
        return Choice(name, AttachedPlatform(attachment), attachment.collector, dsns)
    require_commands(spec)
    return Choice(name, ProcessPlatform(spec), Endpoint(LOOPBACK, 0), {})
