"""The server of the front end's page as a process by itself."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Protocol

FRONTEND = Path(__file__).parents[2] / "services" / "frontend"


class ServePage(Protocol):
    def __call__(self, **environment: str) -> subprocess.Popen[str]: ...


def start_page_server(environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start it on a free port, with no Sentry settings but the given ones."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SENTRY_")}
    return subprocess.Popen(
        ["node", "server.mjs"],
        cwd=FRONTEND,
        env={**kept, "PORT": "0", **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def address_of(process: subprocess.Popen[str]) -> str:
    """Where it says that it listens."""
    assert process.stdout is not None
    announced = re.match(r"listening on (http://\S+)", process.stdout.readline())
    assert announced is not None
    return announced[1]
