"""A real Redis on a free port, for as long as a test needs it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from ephemeral_port_reserve import reserve  # type: ignore[import-untyped]  # the package ships no types

from tests.services.conversation import SECONDS

IS_INSTALLED = shutil.which("redis-server") is not None


class RedisServer:
    """Keeps nothing on disk; can be ended and started again on the same port."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.port: int = reserve()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"],
            cwd=self._directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "Ready to accept connections" in line:
                return self
        raise AssertionError(f"redis-server did not start: {''.join(said)}")

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
