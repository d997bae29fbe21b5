"""The table ``[collector]`` of harness.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.collector.inbox import DEFAULT_MEMORY
from harness.fleet.configuration import ConfigurationError
from harness.run.configuration import load_collector_memory


def memory(tmp_path: Path, text: str) -> int:
    path = tmp_path / "harness.toml"
    path.write_text(text)
    return load_collector_memory(path)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", DEFAULT_MEMORY),
        ("[collector]", DEFAULT_MEMORY),
        ('[collector]\nmemory = "0 KiB"', 0),
        ('[collector]\nmemory = "3KiB"', 3 * 1024),
        ('[collector]\nmemory = " 64 MiB "', 64 * 1024**2),
        ('[collector]\nmemory = "2 GiB"', 2 * 1024**3),
    ],
)
def test_memory(tmp_path: Path, text: str, size: int) -> None:
    assert memory(tmp_path, text) == size


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[collector]\nmemory = "64 MB"', "'memory' is wrong: '64 MB' is not a size; .* such as 256 MiB"),
        ('[collector]\nmemory = "-1 MiB"', "is not a size"),
        ('[collector]\nmemory = "1.5 GiB"', "is not a size"),
        ("[collector]\nmemory = 64", r"must be a non-empty string, not a number \(64\)"),
        ('[collector]\nmemroy = "1 MiB"', r"\[collector\]: unknown key 'memroy'\. Did you mean 'memory'\?"),
        ('collector = "1 MiB"', r"\[collector\] must be a table"),
    ],
)
def test_what_is_no_memory(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        memory(tmp_path, text)
