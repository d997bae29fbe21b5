"""A fleet of processes that one run of the harness after the other attaches to."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.fleet.attachment import AttachedService, Attachment, Endpoint
from harness.fleet.control import RETRY
from harness.fleet.fleet import Fleet
from harness.fleet.ports import LOOPBACK, reserve_port
from harness.fleet.processes import ProcessPlatform
from harness.fleet.spec import FleetSpec
from harness.wire.dsn import Dsn


@contextmanager
def attachable_fleet(spec: FleetSpec, directory: Path) -> Iterator[tuple[Fleet, Attachment]]:
    """Run a fleet whose SDKs and agents expect a collector and a harness that are not there yet.

    Args:
        spec: the fleet's configuration.
        directory: where logs are written.

    Yields:
        The fleet, and what somebody needs to know who wants to attach to it.

    Raises:
        StartFailure: a service did not start.
    """
    collector, control = Endpoint(LOOPBACK, reserve_port()), Endpoint(LOOPBACK, reserve_port())
    dsns = {
        name: f"http://{secrets.token_hex(16)}@{collector}/{number}" for number, name in enumerate(spec.services, 1)
    }
    with Fleet(
        spec, dsn_for=dsns.__getitem__, directory=directory, platform=ProcessPlatform(spec, later=control)
    ) as fleet:
        services = {
            name: AttachedService(
                instance.url,
                Dsn.parse(dsns[name]),
                instance.agent_address.partition("/")[2].removesuffix(RETRY),
            )
            for name, instance in fleet.instances.items()
        }
        yield fleet, Attachment(collector, control, services)
