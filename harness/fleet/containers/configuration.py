"""How the fleet is found in a Compose file: the table ``[compose]``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.fleet.configuration import ConfigurationError, Table

_KEYS = ("file", "profiles", "without", "host", "environment", "service")
_SERVICE_KEYS = ("name", "port", "environment")


@dataclass(frozen=True, slots=True)
class ComposeService:
    """A service of the fleet in the Compose file.

    Args:
        name: what it is called there.
        port: where it listens in its container; None: the file tells.
        environment: further variables, with placeholders; they win over those of the file.
    """

    name: str
    port: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ComposeSpec:
    """Where the fleet is defined for containers.

    Args:
        files: the Compose files, absolute; the later ones win.
        profiles: those that are active.
        without: services of the file that are left out, such as a collector of its own.
        host: address of this machine that containers reach; None: that of the engine's bridge.
        services: each service of the fleet by its name.
    """

    files: tuple[Path, ...]
    profiles: tuple[str, ...]
    without: tuple[str, ...]
    host: str | None
    services: Mapping[str, ComposeService]


def read_compose(path: Path, values: object, services: Collection[str]) -> ComposeSpec | None:
    """Read the table ``[compose]``.

    Args:
        path: the configuration, absolute.
        values: what the table holds.
        services: the names of the fleet's services.

    Returns:
        What it says; None when it is empty or absent.

    Raises:
        ConfigurationError: it is not as it should be.
    """
    if values == {}:
        return None
    table = Table(f"{path}, [compose]", values, _KEYS)
    files = table.words("file")
    if not files:
        raise table.complain("file", 'is missing: name the Compose files, like ["docker-compose.yml"].')
    common = table.texts("environment")
    tables = table.below("service", services)
    found = {name: _service(name, common, tables.below(name, _SERVICE_KEYS)) for name in services}
    owners: dict[str, str] = {}
    for name, service in found.items():
        if (other := owners.setdefault(service.name, name)) != name:
            raise tables.complain(f"{name}.name", f"is that of '{other}' already: '{service.name}'.")
    without = table.words("without")
    if astray := sorted(owners.keys() & set(without)):
        raise table.complain("without", f"names '{astray[0]}', which is a service of the fleet.")
    return ComposeSpec(
        files=tuple(path.parent / name for name in files),
        profiles=table.words("profiles"),
        without=without,
        host=table.text("host"),
        services=found,
    )


def require_compose(compose: ComposeSpec | None, path: Path) -> ComposeSpec:
    """What the fleet is in a Compose file.

    Args:
        compose: what the configuration says, if it says anything.
        path: the configuration.

    Raises:
        ConfigurationError: it says nothing, or names a file that does not exist.
    """
    if compose is None:
        raise ConfigurationError(
            f"{path} has no table [compose], which --fleet=compose needs: name the Compose files with "
            'file = ["docker-compose.yml"].'
        )
    for file in compose.files:
        if not file.is_file():
            raise ConfigurationError(
                f"{path}, [compose]: 'file' names {file}, which does not exist; it is relative to the configuration."
            )
    return compose


def _service(name: str, common: Mapping[str, str], table: Table) -> ComposeService:
    return ComposeService(table.text("name") or name, table.port("port"), {**common, **table.texts("environment")})
