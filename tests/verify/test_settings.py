from __future__ import annotations

from typing import Any

import pytest

from harness.verify.finding import Severity
from harness.verify.settings import CheckSettings, InvalidCheckSettings, read_check_settings

KNOWN: dict[str, dict[str, type]] = {
    "volume": {"items": float},
    "secrets": {"canaries": bool},
    "nothing-dropped": {"expected": list},
}


def test_everything_has_a_default() -> None:
    assert read_check_settings({}, KNOWN) == CheckSettings()


def test_a_whole_table() -> None:
    table = {
        "disable": ["volume", "secrets.api-key"],
        "severity": {"volume.items": "warning"},
        "volume": {"items": 5},
        "secrets": {"canaries": False},
    }
    settings = read_check_settings(table, KNOWN)
    assert settings.disable == {"volume", "secrets.api-key"}
    assert settings.severity == {"volume.items": Severity.WARNING}
    assert settings.option("volume", "items", 300) == 5
    assert settings.option("volume", "kilobytes", 7) == 7
    assert settings.flag("secrets", "canaries", default=True) is False


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"disable": "volume"}, "disable must be a list"),
        ({"disable": ["volum"]}, "unknown check 'volum'; there are: nothing-dropped, secrets, volume"),
        ({"severity": {"volum.items": "error"}}, "unknown check 'volum.items'"),
        ({"severity": {"volume": "fatal"}}, "'fatal' is neither 'error' nor 'warning'"),
        ({"severity": ["volume"]}, "must be a table"),
        ({"volume": 5}, r"\[checks.volume\] must be a table"),
        ({"volume": {"item": 5}}, "has no option 'item'; there are: items"),
        ({"volume": {"items": "5"}}, "items must be a number, not '5'"),
        ({"volume": {"items": True}}, "items must be a number, not True"),
        ({"secrets": {"canaries": 1}}, "canaries must be true or false"),
        ({"nothing-dropped": {"expected": "x"}}, "expected must be a list"),
    ],
)
def test_what_is_wrong_is_said(table: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidCheckSettings, match=words):
        read_check_settings(table, KNOWN)
