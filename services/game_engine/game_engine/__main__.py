"""`python -m game_engine`: start the service."""

from __future__ import annotations

import asyncio

from game_engine import SERVICE
from game_engine.instrumentation import start_instrumentation
from game_engine.server import serve
from game_engine.settings import read_settings
from observability.guard import open_guard
from observability.settings import bind, run_service
from observability.structured_log import log_to_stdout


def main() -> None:
    """Read the settings, open the port, start the SDK, serve."""
    settings = read_settings()
    guard = open_guard(SERVICE)
    listener = bind(settings.address)
    log_to_stdout(SERVICE)
    start_instrumentation()
    asyncio.run(serve(settings, listener, guard))


run_service(SERVICE, main)
