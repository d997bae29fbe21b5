"""How a project configures the checks: the table ``[checks]`` of ``harness.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.verify.finding import Severity


class InvalidCheckSettings(ValueError):
    """The table ``[checks]`` is not as it should be; the message says what to change."""


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """What a project wants of the checks.

    Args:
        disable: codes of checks, or of single findings, that are off.
        severity: severity by code, where it shall differ from the check's own.
        options: options by check name, such as the budget of ``volume``.
    """

    disable: frozenset[str] = frozenset()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def option(self, check: str, name: str, default: float) -> float:
        """A number of a check's table.

        Raises:
            InvalidCheckSettings: it is no number.
        """
        value = self.options.get(check, {}).get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidCheckSettings(f"[checks.{check}] {name} must be a number, not {value!r}")
        return value

    def flag(self, check: str, name: str, *, default: bool) -> bool:
        """A yes or no of a check's table.

        Raises:
            InvalidCheckSettings: it is neither.
        """
        value = self.options.get(check, {}).get(name, default)
        if not isinstance(value, bool):
            raise InvalidCheckSettings(f"[checks.{check}] {name} must be true or false, not {value!r}")
        return value


def read_check_settings(table: Mapping[str, Any], known: Mapping[str, Mapping[str, type]]) -> CheckSettings:
    """The settings from the decoded table.

    Args:
        table: the table ``[checks]``.
        known: what the table of each registered check may hold: types by option, by name of the check.

    Raises:
        InvalidCheckSettings: an unknown check, option or severity, or a value of the wrong type.
    """
    disable = table.get("disable", [])
    severities = table.get("severity", {})
    options = {name: value for name, value in table.items() if name not in ("disable", "severity")}
    if not isinstance(disable, list) or not all(isinstance(code, str) for code in disable):
        raise InvalidCheckSettings("[checks] disable must be a list of codes")
    if not isinstance(severities, dict):
        raise InvalidCheckSettings("[checks.severity] must be a table of code = severity")
    for code in [*disable, *severities, *options]:
        if str(code).partition(".")[0] not in known:
            names = ", ".join(sorted(known))
            raise InvalidCheckSettings(f"[checks] names the unknown check {code!r}; there are: {names}")
    for code, severity in severities.items():
        if severity not in list(Severity):
            raise InvalidCheckSettings(f"[checks.severity] {code}: {severity!r} is neither 'error' nor 'warning'")
    for name, value in options.items():
        if not isinstance(value, dict):
            raise InvalidCheckSettings(f"[checks.{name}] must be a table")
        _require_options(name, value, known[name])
    return CheckSettings(
        disable=frozenset(disable),
        severity={code: Severity(severity) for code, severity in severities.items()},
        options=options,
    )


def written_check_settings(settings: CheckSettings) -> dict[str, Any]:
    """The table that `read_check_settings` reads these settings from."""
    return {
        "disable": sorted(settings.disable),
        "severity": {code: str(severity) for code, severity in sorted(settings.severity.items())},
        **{check: dict(options) for check, options in sorted(settings.options.items())},
    }


_IN_TOML = {float: "a number", bool: "true or false", list: "a list", dict: "a table", str: "text"}


def _require_options(check: str, table: Mapping[str, Any], known: Mapping[str, type]) -> None:
    for option, value in table.items():
        if option not in known:
            names = ", ".join(sorted(known)) or "none"
            raise InvalidCheckSettings(f"[checks.{check}] has no option {option!r}; there are: {names}")
        wanted = known[option]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number if wanted is float else isinstance(value, wanted)):
            raise InvalidCheckSettings(f"[checks.{check}] {option} must be {_IN_TOML[wanted]}, not {value!r}")
