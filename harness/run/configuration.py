"""The part of ``harness.toml`` that configures the checks."""

from __future__ import annotations

import tomllib
from pathlib import Path

from harness.fleet.configuration import ConfigurationError
from harness.verify.checks.registry import check_options
from harness.verify.settings import CheckSettings, InvalidCheckSettings, read_check_settings


def load_check_settings(path: Path) -> CheckSettings:
    """Read the table ``[checks]``; without it everything has its default.

    Args:
        path: the configuration, which `harness.fleet.spec.load_fleet_spec` has read already.

    Raises:
        ConfigurationError: the table is not as it should be.
    """
    table = tomllib.loads(path.read_text(encoding="utf-8")).get("checks", {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: [checks] must be a table.")
    try:
        return read_check_settings(table, check_options())
    except InvalidCheckSettings as problem:
        raise ConfigurationError(f"{path}: {problem}.") from problem
