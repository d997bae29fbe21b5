"""The parts of ``harness.toml`` that configure the checks, the baselines and the collector."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from harness.collector.inbox import DEFAULT_MEMORY
from harness.collector.limits import parse_size
from harness.fleet.configuration import ConfigurationError, Table
from harness.verify.baseline.settings import BaselineSettings, InvalidBaselineSettings, read_baseline_settings
from harness.verify.checks.registry import check_options
from harness.verify.settings import CheckSettings, InvalidCheckSettings, read_check_settings


def load_check_settings(path: Path) -> CheckSettings:
    """Read the table ``[checks]``; without it everything has its default.

    Args:
        path: the configuration, which `harness.fleet.spec.load_fleet_spec` has read already.

    Raises:
        ConfigurationError: the table is not as it should be.
    """
    try:
        return read_check_settings(_table(path, "checks"), check_options())
    except InvalidCheckSettings as problem:
        raise ConfigurationError(f"{path}: {problem}.") from problem


def load_baseline_settings(path: Path) -> BaselineSettings:
    """Read the table ``[baseline]``; without it everything has its default.

    Args:
        path: the configuration, which `harness.fleet.spec.load_fleet_spec` has read already.

    Raises:
        ConfigurationError: the table is not as it should be.
    """
    try:
        return read_baseline_settings(_table(path, "baseline"))
    except InvalidBaselineSettings as problem:
        raise ConfigurationError(f"{path}: {problem}.") from problem


def load_collector_memory(path: Path) -> int:
    """Read ``memory`` in the table ``[collector]``: bytes of what arrives that are kept in memory.

    Args:
        path: the configuration, which `harness.fleet.spec.load_fleet_spec` has read already.

    Raises:
        ConfigurationError: the table is not as it should be.
    """
    table = Table(f"{path}, [collector]", _table(path, "collector"), ("memory",))
    text = table.text("memory")
    try:
        return DEFAULT_MEMORY if text is None else parse_size(text)
    except ValueError as problem:
        raise table.complain("memory", f"is wrong: {problem}.") from problem


def _table(path: Path, name: str) -> dict[str, Any]:
    table = tomllib.loads(path.read_text(encoding="utf-8")).get(name, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: [{name}] must be a table.")
    return table
