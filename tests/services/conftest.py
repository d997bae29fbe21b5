"""Makes the Python services importable, and starts them as real processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import sentry_sdk

from tests.services.conversation import FOLDERS, SERVICES, Listener, ServiceProcess, StartService
from tests.services.page_server import ServePage, start_page_server

sys.path[:0] = [str(SERVICES / folder) for folder in FOLDERS]


@pytest.fixture(autouse=True)
def scope_of_its_own() -> Iterator[None]:
    """Tags and users that one test sets must not be there in the next."""
    with sentry_sdk.isolation_scope():
        yield


@pytest.fixture
def start_service() -> Iterator[StartService]:
    """Starts `python -m <module>` on a free port; at the end SIGTERM must end it with exit code 0."""
    with ExitStack() as running:

        def start(module: str, **environment: str) -> ServiceProcess:
            return running.enter_context(ServiceProcess(module, environment))

        yield start


@pytest.fixture
def serve_page() -> Iterator[ServePage]:
    """Starts the server of the front end's page."""
    with ExitStack() as running:

        def serve(**environment: str) -> subprocess.Popen[str]:
            process = running.enter_context(start_page_server(environment))
            running.callback(process.kill)
            return process

        yield serve


@pytest.fixture
def upstream() -> Iterator[Listener]:
    """A listening socket that the test itself answers for."""
    with Listener() as listener:
        yield listener
