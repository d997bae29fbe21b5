"""The Compose document of a run: plain functions from the user's resolved file to what is really brought up.

`docker compose config` has merged the files, filled in variables and made paths absolute. What is written here is a
document of its own, so that the user's need not be prepared for it: other names, other ports, nothing superfluous.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.fleet.configuration import ConfigurationError, did_you_mean

Definition = dict[str, Any]

WAY_IN = "sentry-harness"
"""The network by which the harness and the services reach each other, whatever other networks they are on."""

AGENTS_IN_CONTAINER = "/opt/sentry-harness/agents"


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or directory of this machine that a container can read.

    Args:
        source: where it is here, absolute.
        target: where it is there.
    """

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One container that is wanted of a service of the fleet.

    Args:
        service: the service in the user's file.
        name: what it is called in the document, and by the other containers.
        published: its port on this machine.
        target: where it listens.
        environment: what the harness sets, beside and over what the file sets.
        mounts: what it can read of this machine.
        changes: what of its definition is otherwise than in the file.
    """

    service: str
    name: str
    published: int
    target: int
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)


def require_services(resolved: Definition, names: Iterable[str], where: str) -> None:
    """Make sure that a file has services.

    Args:
        resolved: what `docker compose config` gave.
        names: their names there.
        where: the file, for the message.

    Raises:
        ConfigurationError: there is no such service, or not with the active profiles.
    """
    known = resolved.get("services") or {}
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"{where} has no service '{name}' with the active profiles.{did_you_mean(name, known)} "
                "Another name is given by 'name' under [compose.service.<name>]."
            )


def needed_services(resolved: Definition, names: Iterable[str], without: Collection[str]) -> list[str]:
    """Services and all that they depend on, in the file's order.

    Args:
        resolved: what `docker compose config` gave.
        names: the services.
        without: those that are left out, with what only they depend on.
    """
    needed: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in needed and name not in without:
            needed.add(name)
            waiting += resolved["services"][name].get("depends_on") or {}
    return [name for name in resolved["services"] if name in needed]


def listening_port(name: str, definition: Definition, configured: int | None) -> int:
    """Where a service listens in its container.

    Args:
        name: the service, for the message.
        definition: its definition.
        configured: the port that the configuration gives it.

    Raises:
        ConfigurationError: nothing tells it.
    """
    told = [
        configured,
        (definition.get("environment") or {}).get("PORT"),
        *(port["target"] for port in definition.get("ports") or []),
        *(str(port).partition("/")[0] for port in definition.get("expose") or []),
    ]
    for port in told:
        if port is not None and str(port).isdecimal():
            return int(port)
    raise ConfigurationError(
        f"Where '{name}' listens in its container cannot be told from the Compose file: say it with 'port' under "
        f"[compose.service.{name}]."
    )


def image_of(resolved: Definition, service: str) -> str:
    """The image of a service, by the name that `docker compose build` gives it if the file has none.

    Args:
        resolved: what `docker compose config` gave.
        service: the service.
    """
    return str(resolved["services"][service].get("image") or f"{resolved['name']}-{service}")


def fleet_document(
    resolved: Definition, wanted: Iterable[Wanted], others: Iterable[str], labels: Mapping[str, str]
) -> Definition:
    """The document of all that a run shares.

    Args:
        resolved: what `docker compose config` gave.
        wanted: the containers of the fleet's services, called as in the file.
        others: further services of the file that they need.
        labels: what everything is labelled with.
    """
    own = {each.name: each for each in wanted}
    present = [*own, *others]
    services = {name: _of_fleet(resolved, each, present, own, labels) for name, each in own.items()}
    services |= {name: _beside(resolved, name, present, own, labels) for name in others}
    networks = {name: _labelled(held, labels) for name, held in (resolved.get("networks") or {}).items()}
    volumes = {name: _labelled(held, labels) for name, held in (resolved.get("volumes") or {}).items()}
    # Names that the file's own project has given belong to that project.
    for held in (*networks.values(), *volumes.values()):
        if not held.get("external"):
            held.pop("name", None)
    return {
        **{key: resolved[key] for key in ("configs", "secrets") if key in resolved},
        "services": services,
        "networks": {**networks, WAY_IN: {"labels": dict(labels)}},
        "volumes": volumes,
    }


def isolated_document(
    resolved: Definition, wanted: Iterable[Wanted], project: str, labels: Mapping[str, str]
) -> Definition:
    """The document of containers that a test has for itself, beside those of the run.

    Args:
        resolved: what `docker compose config` gave.
        wanted: the containers, each called otherwise than its service.
        project: the run's project, whose networks and volumes they are on.
        labels: what everything is labelled with.
    """
    own = list(wanted)
    fresh = {each.service: each.name for each in own}
    document: Definition = {key: resolved[key] for key in ("configs", "secrets") if key in resolved}
    document["services"] = {}
    for each in own:
        definition = _of_fleet(resolved, each, (), {}, labels)
        definition["environment"] = {
            name: None if value is None else address_fresh_ones(value, fresh)
            for name, value in definition["environment"].items()
        }
        document["services"][each.name] = definition
    for kind in ("networks", "volumes"):
        document[kind] = {
            name: held if held and held.get("external") else {"external": True, "name": f"{project}_{name}"}
            for name, held in (resolved.get(kind) or {}).items()
        }
    document["networks"][WAY_IN] = {"external": True, "name": f"{project}_{WAY_IN}"}
    return document


def address_fresh_ones(value: str, fresh: Mapping[str, str]) -> str:
    """A variable's value in which the addresses of services are those of others.

    Args:
        value: the value.
        fresh: the names of the others, by that of the service whose place they take.
    """
    for service, name in fresh.items():
        value = re.sub(rf"(?<=//){re.escape(service)}(?=[:/]|$)", name, value)
        value = re.sub(rf"(//[^/\s]*@){re.escape(service)}(?=[:/]|$)", rf"\g<1>{name}", value)
    return value


def literal(value: str) -> str:
    """A text as it stands in a Compose document, where ``$`` begins a variable."""
    return value.replace("$", "$$")


def mounts_of(variables: Mapping[str, str], *, changing: bool) -> tuple[Mount, ...]:
    """What of this machine variables name, to be mounted where they name it.

    Args:
        variables: names and values; a value that is the absolute path of something that exists is meant.
        changing: whether files may be written anew or removed: then the directory that they are in is mounted.
    """
    named = {Path(value) for value in variables.values() if value.startswith("/")}
    there = {path for path in named if path.exists()}
    if changing:
        there = {path if path.is_dir() else path.parent for path in there}
    return tuple(Mount(str(path), str(path)) for path in sorted(there))


def netloc_inside(name: str, target: int) -> str:
    """Host and port at which containers reach one another.

    Args:
        name: what the one is called.
        target: where it listens.
    """
    return urlsplit(f"//{name}:{target}").netloc


def _of_fleet(
    resolved: Definition,
    wanted: Wanted,
    present: Collection[str],
    fleet: Collection[str],
    labels: Mapping[str, str],
) -> Definition:
    definition = _bare(resolved, wanted.service, labels)
    # The harness itself asks for readiness, and is to see that a container has ended.
    definition.pop("healthcheck", None)
    definition["restart"] = "no"
    definition["depends_on"] = _dependencies(definition, present, fleet)
    definition["environment"] = {
        **(definition.get("environment") or {}),
        **{name: literal(value) for name, value in wanted.environment.items()},
    }
    definition["ports"] = [
        {
            "mode": "host",
            "protocol": "tcp",
            "host_ip": "127.0.0.1",
            "published": str(wanted.published),
            "target": wanted.target,
        }
    ]
    mounted = [
        {"type": "bind", "source": mount.source, "target": mount.target, "read_only": True} for mount in wanted.mounts
    ]
    definition["volumes"] = [*(definition.get("volumes") or []), *mounted]
    definition["networks"] = {**(definition.get("networks") or {"default": None}), WAY_IN: None}
    return {**definition, **wanted.changes}


def _beside(
    resolved: Definition, name: str, present: Collection[str], fleet: Collection[str], labels: Mapping[str, str]
) -> Definition:
    definition = _bare(resolved, name, labels)
    definition["depends_on"] = _dependencies(definition, present, fleet)
    definition.pop("ports", None)
    if "healthcheck" in definition:
        # Everybody waits for it.
        definition["healthcheck"] = {**definition["healthcheck"], "interval": "1s"}
    return definition


def _bare(resolved: Definition, name: str, labels: Mapping[str, str]) -> Definition:
    definition = {key: held for key, held in resolved["services"][name].items() if held is not None}
    definition["image"] = image_of(resolved, name)
    for key in ("build", "profiles", "container_name", "pull_policy"):
        definition.pop(key, None)
    definition["labels"] = {**(definition.get("labels") or {}), **labels}
    return definition


def _dependencies(definition: Definition, present: Collection[str], fleet: Collection[str]) -> Definition:
    return {
        name: {**held, "condition": "service_started"} if name in fleet else held
        for name, held in (definition.get("depends_on") or {}).items()
        if name in present
    }


def _labelled(held: Definition | None, labels: Mapping[str, str]) -> Definition:
    if held and held.get("external"):
        return dict(held)
    return {**(held or {}), "labels": {**((held or {}).get("labels") or {}), **labels}}
