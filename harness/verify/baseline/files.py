"""Baselines on disk: one JSON file per test, below `baselines/` beside the test module."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.fleet.platform_names import DEFAULT_PLATFORM, PLATFORMS

DIRECTORY = "baselines"
VERSIONS = "versions.json"
_UNSAFE = re.compile(r"[^\w.=,+@\[\]-]")

_OF_A_SHAPE = frozenset({"endpoint", "captures"})

Versions = Mapping[str, Mapping[str, str]]


class UnreadableBaseline(ValueError):
    """A baseline is no JSON object; the message says what to do."""


class UnwritableBaseline(RuntimeError):
    """A baseline cannot be written; the message says why."""


def baseline_path(module: Path, names: Iterable[str]) -> Path:
    """Where the baseline of a test is.

    Args:
        module: the test's file.
        names: the test's name, after those of its classes.
    """
    return module.parent / DIRECTORY / module.stem / (_UNSAFE.sub("_", ".".join(names)) + ".json")


def baseline_of(nodeid: str, root: Path, platform: str = DEFAULT_PLATFORM) -> Path:
    """Where the baseline of a test is.

    Args:
        nodeid: pytest's id of the test.
        root: pytest's root directory.
        platform: one on which something else is captured than as processes; that has a file of its own.
    """
    module, *names = nodeid.split("::")
    return _of_platform(baseline_path(root / module, names), platform)


def baselines_of(nodeid: str, root: Path) -> list[Path]:
    """Where the baselines of a test are, on whatever platform.

    Args:
        nodeid: pytest's id of the test.
        root: pytest's root directory.
    """
    return [baseline_of(nodeid, root, platform) for platform in PLATFORMS]


def effective_baseline(nodeid: str, root: Path, platform: str) -> Path:
    """The baseline that a test is held against: the platform's own where there is one, else the common one.

    Args:
        nodeid: pytest's id of the test.
        root: pytest's root directory.
        platform: where the services run.
    """
    own = baseline_of(nodeid, root, platform)
    return own if own.exists() else baseline_of(nodeid, root)


def versions_of(directory: Path, platform: str) -> Path:
    """Where the versions are with which a platform's captures were made.

    Args:
        directory: the directory of the baselines.
        platform: where the services run.
    """
    return _of_platform(directory / VERSIONS, platform)


def _of_platform(path: Path, platform: str) -> Path:
    return path if platform == DEFAULT_PLATFORM else path.with_name(f"{path.stem}@{platform}{path.suffix}")


def read_shape(path: Path) -> dict[str, Any] | None:
    """The committed shape of a test's captures, or None when there is none yet.

    Raises:
        UnreadableBaseline: it is no shape, for example after a merge conflict.
    """
    held = read_baseline(path)
    if held is not None and held.keys().isdisjoint(_OF_A_SHAPE):
        raise UnreadableBaseline(f"{path} holds nothing of a capture: {_REMEDY}")
    return held


def read_baseline(path: Path) -> dict[str, Any] | None:
    """What a file of baselines holds, or None when there is none yet.

    Raises:
        UnreadableBaseline: it is no JSON object, for example after a merge conflict.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise UnreadableBaseline(f"{path} cannot be read: {problem.strerror}") from problem
    except ValueError as problem:
        raise UnreadableBaseline(f"{path} is no JSON ({problem}): {_REMEDY}") from problem
    if not isinstance(held, dict):
        raise UnreadableBaseline(f"{path} holds no JSON object: {_REMEDY}")
    return held


def write_baseline(path: Path, shape: Mapping[str, Any]) -> None:
    """Write a shape as it is committed: sorted, one value a line, so that a pull request shows what changed.

    Raises:
        UnwritableBaseline: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(shape, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as problem:
        raise UnwritableBaseline(f"the baseline {path} cannot be written: {problem.strerror}") from problem


def unused_baselines(directories: Iterable[Path], used: Iterable[Path]) -> list[Path]:
    """Baselines that no test has.

    Args:
        directories: where the test modules are.
        used: the baselines of all tests.
    """
    known = set(used)
    found = {path for directory in directories for path in (directory / DIRECTORY).glob("*/*.json")}
    return sorted(found - known)


def changed_versions(committed: Versions, seen: Versions) -> list[str]:
    """Versions that are other than when the baselines were written, in words.

    Args:
        committed: versions by name of SDK or runtime, by service.
        seen: the same of this run, which may know of fewer services.
    """
    return [
        f"{service}: {name} {committed.get(service, {}).get(name, 'unknown')} -> {version}"
        for service, versions in sorted(seen.items())
        for name, version in sorted(versions.items())
        if committed.get(service, {}).get(name) != version
    ]


_REMEDY = "restore it, or write it anew with --update-baselines"
