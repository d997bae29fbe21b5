"""Placeholders in commands and environments: ``{port}``, ``{payment.url}``, and ``{{`` for a literal brace."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from harness.fleet.configuration import Table, did_you_mean

_VARIABLE = re.compile(r"\{env\.(\w+)\}")
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


def placeholder_values(
    service: str,
    addresses: Mapping[str, str],
    fixed: Mapping[str, str],
    public: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Everything that the templates of one service may name.

    Args:
        service: the service whose own ``{port}`` and ``{url}`` are meant.
        addresses: host and port at which each service of the fleet is called by the others, this one included.
        fixed: names that do not depend on the service, such as ``python`` and ``root``.
        public: host and port at which this machine reaches each, where that is not the same.
    """
    values = dict(fixed)
    for name, address in addresses.items():
        values[f"{name}.port"] = address.rpartition(":")[2]
        values[f"{name}.url"] = f"http://{address}"
        values[f"{name}.public_url"] = f"http://{(public or addresses)[name]}"
    return {**values, "port": values[f"{service}.port"], "url": values[f"{service}.url"]}


def fill_in_environment(table: Table, key: str, template: str) -> str:
    """Put variables of this process's environment in the place of ``{env.NAME}``.

    Args:
        table: the table that the template is from.
        key: its key there.
        template: the text.

    Raises:
        ConfigurationError: a variable is not set, or there is another placeholder.
    """
    variables = _VARIABLE.findall(template)
    for variable in variables:
        if variable not in os.environ:
            raise table.complain(key, f"needs the environment variable {variable}, which is not set.")
    try:
        return expand(template, {f"env.{variable}": os.environ[variable] for variable in variables})
    except BadPlaceholder as problem:
        raise table.complain(key, f"{problem} A variable is written {{env.NAME}}.") from problem
