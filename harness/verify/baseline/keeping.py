"""Writing what is captured now as the baseline of a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.fleet.platform_names import DEFAULT_PLATFORM
from harness.verify.baseline.differences import compare, without_loosened
from harness.verify.baseline.files import baseline_of, read_shape, write_baseline
from harness.verify.baseline.paths import Loosening


def keep_shape(
    nodeid: str, root: Path, platform: str, shape: Mapping[str, Any], loosened: Sequence[Loosening]
) -> Path:
    """Write a shape; a platform gets a file of its own only where it captures something else than processes do.

    Args:
        nodeid: pytest's id of the test.
        root: pytest's root directory.
        platform: where the services ran.
        shape: what was captured.
        loosened: what is not compared.

    Returns:
        The file that was written, or removed because it says nothing of its own any more.

    Raises:
        UnreadableBaseline: the common baseline is no shape.
        UnwritableBaseline: the file cannot be written.
    """
    own = baseline_of(nodeid, root, platform)
    if platform != DEFAULT_PLATFORM:
        common = read_shape(baseline_of(nodeid, root))
        if common is not None and not compare(common, dict(shape), loosened):
            own.unlink(missing_ok=True)
            return own
    write_baseline(own, without_loosened(dict(shape), loosened))
    return own
