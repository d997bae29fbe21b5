"""The project's `harness.toml`, for the services that a sabotage needs, with the sabotage in their environment."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.sabotage.sabotage import NODE_SERVICES, Patch

ROOT = Path(__file__).parents[2]
PROJECT_CONFIGURATION = ROOT / "harness.toml"

_HERE = Path(__file__).parent
_URL_OF = re.compile(r"\{([\w-]+)\.url\}")


def write_configuration(
    path: Path,
    services: Collection[str],
    patches: Collection[Patch] = (),
    checks: Mapping[str, object] | None = None,
) -> Path:
    """Write a `harness.toml` with some of the project's services, patched.

    Args:
        path: where to.
        services: those to keep.
        patches: what is done to them.
        checks: additions to the table ``[checks]``.

    Returns:
        The path.
    """
    document = tomllib.loads(PROJECT_CONFIGURATION.read_text(encoding="utf-8"))
    # Sabotage is done to processes, and not all services are kept.
    document.pop("compose", None)
    if (token := document["fleet"].get("token")) is not None:
        token["key"] = str(ROOT / token["key"])
    document["service"] = {name: _service(name, document, services) for name in services}
    for patch in patches:
        environment = document["service"][patch.service]["environment"]
        environment |= {**patch.environment, **_loading(patch, environment)}
    document["checks"] = {**document.get("checks", {}), **(checks or {})}
    path.write_text("\n".join(_lines(document)), encoding="utf-8")
    return path


def _service(name: str, document: dict[str, Any], kept: Collection[str]) -> dict[str, Any]:
    service = document["service"][name]
    environment = {
        variable: value.replace("{root}", str(ROOT))
        for variable, value in service.get("environment", {}).items()
        if all(other in kept for other in _URL_OF.findall(value))
    }
    return {**service, "directory": str(ROOT / service["directory"]), "environment": environment}


def _loading(patch: Patch, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables by which a service's interpreter loads the patch before the service's own code."""
    if patch.code is None:
        return {}
    if patch.service in NODE_SERVICES:
        return {"SABOTAGE": patch.code, "NODE_OPTIONS": f'--import "{(_HERE / "node" / "saboteur.mjs").as_uri()}"'}
    path = os.pathsep.join(filter(None, [str(_HERE / "python"), environment.get("PYTHONPATH")]))
    return {"SABOTAGE": patch.code, "PYTHONPATH": path}


def _lines(table: Mapping[str, Any], name: str = "") -> Iterator[str]:
    """A table as TOML; its texts, numbers and lists are written as they are in JSON."""
    if name:
        yield f"[{name}]"
    for key, value in table.items():
        if not isinstance(value, Mapping):
            yield f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _lines(value, f"{name}.{json.dumps(key)}" if name else json.dumps(key))
