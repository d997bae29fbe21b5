"""Placeholders in commands and environments: ``{port}``, ``{payment.url}``, and ``{{`` for a literal brace."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.fleet.configuration import did_you_mean

_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|[{}]")


class BadPlaceholder(ValueError):
    """A template has an unknown placeholder or a brace that is neither paired nor doubled."""


def expand(template: str, values: Mapping[str, str]) -> str:
    """Put values in the place of placeholders.

    Args:
        template: text with ``{name}`` placeholders; ``{{`` and ``}}`` stand for literal braces.
        values: what each name stands for.

    Raises:
        BadPlaceholder: an unknown name, or a lone brace.
    """

    def replace(token: re.Match[str]) -> str:
        name = token["name"]
        if name is not None:
            if name not in values:
                raise BadPlaceholder(f"has the unknown placeholder '{{{name}}}'.{did_you_mean(name, values)}")
            return values[name]
        if len(token[0]) == 1:
            raise BadPlaceholder(
                f"has a lone '{token[0]}' in {template!r}; write '{token[0] * 2}' for a literal one."
            )
        return token[0][0]

    return _TOKEN.sub(replace, template)


def placeholder_values(service: str, ports: Mapping[str, int], fixed: Mapping[str, str], host: str) -> dict[str, str]:
    """Everything that the templates of one service may name.

    Args:
        service: the service whose own ``{port}`` and ``{url}`` are meant.
        ports: the port of each service of the fleet, this one included.
        fixed: names that do not depend on the service, such as ``python`` and ``root``.
        host: where the services listen.
    """
    values = dict(fixed)
    for name, port in ports.items():
        values[f"{name}.port"] = str(port)
        values[f"{name}.url"] = f"http://{host}:{port}"
    return {**values, "port": values[f"{service}.port"], "url": values[f"{service}.url"]}
