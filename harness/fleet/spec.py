"""What a fleet consists of, as `harness.toml` says it.

A fleet needs no more than one service with a command::

    [service.payment]
    command = ["node", "server.mjs"]

Everything else has a default or is optional; see `ServiceSpec` and `FleetSpec`.
"""

from __future__ import annotations

import graphlib
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.fleet.access import Access, read_access
from harness.fleet.attachment import Attachment, read_attachment
from harness.fleet.configuration import ConfigurationError, Table, did_you_mean
from harness.fleet.containers.configuration import ComposeSpec, read_compose
from harness.fleet.placeholders import BadPlaceholder, expand, placeholder_values
from harness.fleet.ports import LOOPBACK

__all__ = ["ConfigurationError", "FleetSpec", "ServiceSpec", "load_fleet_spec"]

DEFAULT_STARTUP_TIMEOUT = 60.0
DEFAULT_STOP_TIMEOUT = 5.0

_SERVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_FLEET_KEYS = ("entry", "headers", "sentry_environment", "startup_timeout", "stop_timeout", "token")
_SERVICE_KEYS = (
    *("command", "directory", "ready", "environment", "port"),
    *("route", "manifest", "depends_on", "release"),
)


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One service, as configured; placeholders are not yet replaced.

    Args:
        name: its name in the fleet.
        command: program and arguments, with placeholders; empty where it never runs as a process.
        directory: where the command runs, absolute.
        ready: path that answers a GET with 2xx once the service is ready; None: its port accepts connections.
        environment: variables of its own, with placeholders; they win over everything the fleet sets.
        port: a fixed port, or None for a free one.
        route: prefix of its paths at the entry service; None: it is called directly.
        manifest: path of the JSON list of its debug endpoints, if it has one.
        depends_on: services that must be ready before it starts.
        release: what it gets as ``SENTRY_RELEASE``.
    """

    name: str
    command: tuple[str, ...]
    directory: Path
    ready: str | None
    environment: Mapping[str, str]
    port: int | None
    route: str | None
    manifest: str | None
    depends_on: tuple[str, ...]
    release: str


@dataclass(frozen=True, slots=True)
class FleetSpec:
    """All services and what holds for all of them.

    Args:
        root: the directory of the configuration file.
        services: every service by its name, in the file's order.
        entry: the service that scenarios go through; None: each service is called directly.
        sentry_environment: what all services get as ``SENTRY_ENVIRONMENT``.
        startup_timeout: seconds that a service may take to become ready.
        stop_timeout: seconds that a service may take to end after SIGTERM before it is killed.
        path: the configuration file.
        access: what lets the harness's requests in.
        attach: where the services are if they run already.
        compose: where they are defined for containers.
    """

    root: Path
    services: Mapping[str, ServiceSpec]
    entry: str | None
    sentry_environment: str
    startup_timeout: float
    stop_timeout: float
    path: Path
    access: Access = field(default_factory=Access)
    attach: Attachment | None = None
    compose: ComposeSpec | None = None

    def placeholders(self, service: str, ports: Mapping[str, int]) -> dict[str, str]:
        """What the placeholders of a service stand for, given everybody's ports."""
        addresses = {name: f"{LOOPBACK}:{port}" for name, port in ports.items()}
        return placeholder_values(service, addresses, {"python": sys.executable, "root": str(self.root)})


def load_fleet_spec(path: Path) -> FleetSpec:
    """Read and check a `harness.toml`.

    Args:
        path: the file.

    Raises:
        ConfigurationError: the file is missing or not TOML, or anything in it is unknown, of the wrong type or
            contradictory; one message with file, key, what is wrong and what is allowed.
    """
    path = path.absolute()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} does not exist. Create it with a [service.<name>] table for each service and its 'command'."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as problem:
        raise ConfigurationError(f"{path} cannot be read: {problem}.") from problem
    top = Table(str(path), document, ("attach", "baseline", "checks", "collector", "compose", "fleet", "service"))
    fleet = top.below("fleet", _FLEET_KEYS)
    tables = top.table("service")
    if not isinstance(tables, dict) or not tables:
        raise ConfigurationError(f"{path}: no service. Add a [service.<name>] table with a 'command' for each.")
    services = {name: _read_service(path, name, values) for name, values in tables.items()}
    spec = FleetSpec(
        root=path.parent,
        services=services,
        entry=fleet.text("entry"),
        sentry_environment=fleet.text("sentry_environment") or "verification",
        startup_timeout=fleet.seconds("startup_timeout", DEFAULT_STARTUP_TIMEOUT),
        stop_timeout=fleet.seconds("stop_timeout", DEFAULT_STOP_TIMEOUT),
        path=path,
        access=read_access(path, fleet),
        attach=read_attachment(path, top.table("attach"), services),
        compose=read_compose(path, top.table("compose"), services),
    )
    if spec.attach is None and spec.compose is None:
        require_commands(spec)
    if spec.entry is not None and spec.entry not in services:
        raise fleet.complain("entry", f"names no service: '{spec.entry}'.{did_you_mean(spec.entry, services)}")
    _check_dependencies(path, spec)
    _check_ports(path, spec)
    _check_placeholders(path, spec)
    return spec


def require_commands(spec: FleetSpec) -> None:
    """Make sure that every service can be started as a process.

    Raises:
        ConfigurationError: one has no command.
    """
    for name, service in spec.services.items():
        if not service.command:
            raise ConfigurationError(
                f"{spec.path}, [service.{name}]: 'command' is missing: give program and arguments, like "
                '["node", "server.mjs"].'
            )


def _read_service(path: Path, name: str, values: object) -> ServiceSpec:
    table = Table(f"{path}, [service.{name}]", values, _SERVICE_KEYS)
    if not _SERVICE_NAME.fullmatch(name):
        raise ConfigurationError(f"{table.where}: a service's name consists of letters, digits, '-' and '_'.")
    command = table.words("command")
    if command and not command[0]:
        raise table.complain("command", "begins with nothing: give program and arguments.")
    paths = {key: table.text(key) for key in ("ready", "route", "manifest")}
    for key, value in paths.items():
        if value is not None and not value.startswith("/"):
            raise table.complain(key, f"is a path and begins with '/', not {value!r}.")
    return ServiceSpec(
        name=name,
        command=command,
        directory=path.parent / (table.text("directory") or "."),
        environment=table.texts("environment"),
        port=table.port("port"),
        depends_on=table.words("depends_on"),
        release=table.text("release") or f"{name}@verification",
        **paths,
    )


def _check_dependencies(path: Path, spec: FleetSpec) -> None:
    for service in spec.services.values():
        for other in service.depends_on:
            if other not in spec.services:
                raise ConfigurationError(
                    f"{path}, [service.{service.name}]: 'depends_on' names no service: '{other}'."
                    f"{did_you_mean(other, spec.services)}"
                )
    try:
        graphlib.TopologicalSorter({s.name: s.depends_on for s in spec.services.values()}).prepare()
    except graphlib.CycleError as cycle:
        raise ConfigurationError(
            f"{path}: 'depends_on' goes round in a circle: {' -> '.join(cycle.args[1])}; nothing could start first. "
            "Remove one of these; placeholders such as {gateway.url} need no 'depends_on'."
        ) from None


def _check_ports(path: Path, spec: FleetSpec) -> None:
    owners: dict[int, str] = {}
    for service in spec.services.values():
        if service.port is None:
            continue
        other = owners.setdefault(service.port, service.name)
        if other != service.name:
            raise ConfigurationError(
                f"{path}, [service.{service.name}]: 'port' {service.port} is that of '{other}' already. "
                "Leave 'port' out to get a free one."
            )


def _check_placeholders(path: Path, spec: FleetSpec) -> None:
    anywhere = dict.fromkeys(spec.services, 0)
    for service in spec.services.values():
        values = spec.placeholders(service.name, anywhere)
        templates = {f"command[{index}]": word for index, word in enumerate(service.command)}
        templates |= {f"environment.{key}": value for key, value in service.environment.items()}
        for key, template in templates.items():
            try:
                expand(template, values)
            except BadPlaceholder as problem:
                raise ConfigurationError(f"{path}, [service.{service.name}]: '{key}' {problem}") from problem
