"""Instances of the platform that nobody else uses, so that refusals and floods disturb no other scenario."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.fixtures.fleet import RunningFleet
from scenarios.bad_credentials import Forger
from scenarios.guarded import SERVICES, Guarded, guarded_fleet


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """A temporary directory that services can read that run as somebody else, as those in containers do."""
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture(scope="session")
def guarded(fleet: RunningFleet) -> Iterator[Guarded]:
    """All services anew, with a fake Sentry of their own and so high a rate limit that it is in nobody's way."""
    variables = {service: {"DEBUG_RATE_LIMIT": "100000/hour"} for service in SERVICES}
    with guarded_fleet(fleet, variables) as running:
        yield running


@pytest.fixture(scope="session")
def forger(fleet: RunningFleet, pytestconfig: pytest.Config) -> Forger:
    """Makes bad tokens."""
    return Forger.of(fleet.token, pytestconfig.rootpath / ".debug-access" / "key.pem")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis that this run alone uses."""
    program = shutil.which("redis-server")
    if program is None:
        problem = "no redis-server on PATH; on Debian and Ubuntu: apt-get install redis-server"
        if os.environ.get("CI"):
            pytest.fail(problem, pytrace=False)
        pytest.skip(problem)
    with socket.socket() as free, ExitStack() as running:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        # The shell ends it as soon as the pipe closes, however this process ends.
        command = ["sh", "-c", '"$@" & exec > /dev/null 2>&1; cat; kill $!; wait', "sh", program]
        command += ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        directory = tmp_path_factory.mktemp("redis")
        process = running.enter_context(
            subprocess.Popen(
                command,
                cwd=directory,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        assert process.stdin is not None
        assert process.stdout is not None
        # Before all else that ends it, because somebody is still reading what it says.
        running.callback(process.stdin.close)
        said = ""
        for line in process.stdout:
            said += line
            if re.search("Ready to accept connections", line):
                break
        else:
            pytest.fail(f"redis-server did not start:\n{said}", pytrace=False)
        # What nobody reads would block it in the end.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield f"redis://127.0.0.1:{port}"
