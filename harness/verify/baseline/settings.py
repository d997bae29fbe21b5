"""How a project configures its baselines: the table ``[baseline]`` of ``harness.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.verify.baseline.paths import InvalidPath, Loosening


class InvalidBaselineSettings(ValueError):
    """The table ``[baseline]`` is not as it should be; the message says what to change."""


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """What a project wants of its baselines.

    Args:
        enabled: whether captures are compared at all.
        gained_fails: whether something gained fails a scenario as something lost does.
        loosened: places that are not compared in any scenario.
    """

    enabled: bool = True
    gained_fails: bool = False
    loosened: tuple[Loosening, ...] = ()


def read_baseline_settings(table: Mapping[str, Any]) -> BaselineSettings:
    """The settings from the decoded table.

    Raises:
        InvalidBaselineSettings: an unknown key, or a value of the wrong type.
    """
    if unknown := sorted(table.keys() - {"enabled", "gained", "loosen"}):
        raise InvalidBaselineSettings(f"[baseline] has no key {unknown[0]!r}; there are: enabled, gained, loosen")
    enabled, gained, loosen = table.get("enabled", True), table.get("gained", "note"), table.get("loosen", {})
    if not isinstance(enabled, bool):
        raise InvalidBaselineSettings(f"[baseline] enabled must be true or false, not {enabled!r}")
    if gained not in ("note", "fail"):
        raise InvalidBaselineSettings(f"[baseline] gained must be 'note' or 'fail', not {gained!r}")
    if not isinstance(loosen, dict):
        raise InvalidBaselineSettings("[baseline.loosen] must be a table of path = reason")
    return BaselineSettings(enabled, gained == "fail", tuple(_loosening(*entry) for entry in loosen.items()))


def written_baseline_settings(settings: BaselineSettings) -> dict[str, Any]:
    """The table that `read_baseline_settings` reads these settings from."""
    return {
        "enabled": settings.enabled,
        "gained": "fail" if settings.gained_fails else "note",
        "loosen": {loosening.path: loosening.reason for loosening in settings.loosened},
    }


def _loosening(path: str, reason: object) -> Loosening:
    if not isinstance(reason, str) or not reason.strip():
        raise InvalidBaselineSettings(f"[baseline.loosen] {path!r} needs a reason that a reader accepts")
    try:
        return Loosening(path, reason)
    except InvalidPath as problem:
        raise InvalidBaselineSettings(f"[baseline.loosen] {problem}") from problem
