"""Baselines on disk, and the project's settings for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.verify.baseline.files import (
    UnreadableBaseline,
    baseline_path,
    changed_versions,
    read_baseline,
    unused_baselines,
    write_baseline,
)
from harness.verify.baseline.settings import InvalidBaselineSettings, read_baseline_settings


def test_a_baseline_is_found_by_its_test(tmp_path: Path) -> None:
    path = baseline_path(tmp_path / "test_shop.py", ["TestPay", "test_crash[/debug/a b]"])
    assert path == tmp_path / "baselines" / "test_shop" / "TestPay.test_crash[_debug_a_b].json"


def test_what_is_written_is_read_and_diffs_well(tmp_path: Path) -> None:
    path = tmp_path / "baselines" / "test_shop" / "test_crash.json"
    assert read_baseline(path) is None
    write_baseline(path, {"b": 1, "a": ["ü"]})
    assert read_baseline(path) == {"a": ["ü"], "b": 1}
    assert path.read_text(encoding="utf-8") == '{\n "a": [\n  "ü"\n ],\n "b": 1\n}\n'


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\n{}", "[]"])
def test_an_unreadable_baseline_says_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "test_crash.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableBaseline, match=r"test_crash\.json .*--update-baselines"):
        read_baseline(path)


def test_baselines_without_a_test_are_found(tmp_path: Path) -> None:
    used, unused = (baseline_path(tmp_path / "test_shop.py", [name]) for name in ("test_a", "test_b"))
    for path in (used, unused, tmp_path / "baselines" / "versions.json"):
        write_baseline(path, {})
    assert unused_baselines([tmp_path], [used]) == [unused]


def test_versions_are_compared_for_the_services_that_were_seen() -> None:
    committed = {"shop": {"sdk": "1.0", "CPython": "3.11"}, "pay": {"sdk": "9"}}
    assert changed_versions(committed, {"shop": {"sdk": "1.1", "CPython": "3.11"}}) == ["shop: sdk 1.0 -> 1.1"]
    assert changed_versions(committed, {"new": {"sdk": "2"}}) == ["new: sdk unknown -> 2"]


def test_settings() -> None:
    settings = read_baseline_settings({"gained": "fail", "enabled": False, "loosen": {"$..times": "load"}})
    assert (settings.enabled, settings.gained_fails) == (False, True)
    assert [(held.path, held.reason) for held in settings.loosened] == [("$..times", "load")]
    assert read_baseline_settings({}).enabled
    assert not read_baseline_settings({}).gained_fails


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"gain": "fail"}, "no key 'gain'"),
        ({"gained": "faill"}, "gained must be"),
        ({"enabled": "yes"}, "enabled must be"),
        ({"loosen": ["$.a"]}, "must be a table"),
        ({"loosen": {"$.a": " "}}, "needs a reason"),
        ({"loosen": {"a": "x"}}, "must begin with"),
    ],
)
def test_wrong_settings_are_said(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidBaselineSettings, match=complaint):
        read_baseline_settings(table)
