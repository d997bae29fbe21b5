"""Which file a capture is kept in: the common one, or that of the platform on which it differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.verify.baseline.files import (
    UnreadableBaseline,
    baseline_of,
    baselines_of,
    effective_baseline,
    unused_baselines,
    versions_of,
)
from harness.verify.baseline.keeping import keep_shape
from harness.verify.baseline.paths import Loosening

TEST = "scenarios/test_shop.py::test_crash[x]"
PLAIN: dict[str, Any] = {"endpoint": "shop GET /", "events": [{"level": "error", "message": "SELECT ?"}]}
OTHER: dict[str, Any] = {"endpoint": "shop GET /", "events": [{"level": "error", "message": "SELECT $1"}]}
COMMON = "scenarios/baselines/test_shop/test_crash[x].json"
OWN = "scenarios/baselines/test_shop/test_crash[x]@compose.json"


def kept(root: Path) -> dict[str, Any]:
    return {str(path.relative_to(root)): json.loads(path.read_text()) for path in root.rglob("*.json")}


def test_processes_write_the_common_file(tmp_path: Path) -> None:
    assert keep_shape(TEST, tmp_path, "process", PLAIN, []) == tmp_path / COMMON
    assert kept(tmp_path) == {COMMON: PLAIN}


def test_a_platform_writes_only_what_differs_and_takes_it_away_again(tmp_path: Path) -> None:
    keep_shape(TEST, tmp_path, "process", PLAIN, [])
    keep_shape(TEST, tmp_path, "compose", PLAIN, [])
    assert kept(tmp_path) == {COMMON: PLAIN}
    assert keep_shape(TEST, tmp_path, "compose", OTHER, []) == tmp_path / OWN
    assert kept(tmp_path) == {COMMON: PLAIN, OWN: OTHER}
    assert keep_shape(TEST, tmp_path, "compose", PLAIN, []) == tmp_path / OWN
    assert kept(tmp_path) == {COMMON: PLAIN}


def test_what_is_not_compared_is_no_difference(tmp_path: Path) -> None:
    keep_shape(TEST, tmp_path, "process", PLAIN, [])
    keep_shape(TEST, tmp_path, "compose", OTHER, [Loosening("$.events[0].message", "the database's words")])
    assert kept(tmp_path) == {COMMON: PLAIN}


def test_what_no_process_captures_is_the_platforms_alone(tmp_path: Path) -> None:
    keep_shape(TEST, tmp_path, "compose", OTHER, [])
    assert kept(tmp_path) == {OWN: OTHER}


def test_the_platforms_own_file_wins(tmp_path: Path) -> None:
    keep_shape(TEST, tmp_path, "process", PLAIN, [])
    assert effective_baseline(TEST, tmp_path, "compose") == tmp_path / COMMON
    keep_shape(TEST, tmp_path, "compose", OTHER, [])
    assert effective_baseline(TEST, tmp_path, "compose") == tmp_path / OWN
    for platform in ("process", "attach"):
        assert effective_baseline(TEST, tmp_path, platform) == tmp_path / COMMON


def test_a_common_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = baseline_of(TEST, tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text("<<<<<<< HEAD")
    with pytest.raises(UnreadableBaseline):
        keep_shape(TEST, tmp_path, "compose", OTHER, [])


def test_files_of_platforms_are_used_as_long_as_the_test_is_there(tmp_path: Path) -> None:
    keep_shape(TEST, tmp_path, "process", PLAIN, [])
    keep_shape(TEST, tmp_path, "compose", OTHER, [])
    directory = tmp_path / "scenarios"
    assert unused_baselines([directory], baselines_of(TEST, tmp_path)) == []
    assert unused_baselines([directory], []) == sorted([tmp_path / COMMON, tmp_path / OWN])


def test_each_platform_has_versions_of_its_own() -> None:
    assert versions_of(Path("b"), "process") == Path("b/versions.json")
    assert versions_of(Path("b"), "compose") == Path("b/versions@compose.json")
