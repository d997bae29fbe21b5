"""`python -m gateway`: start the service."""

from __future__ import annotations

from gateway import SERVICE
from gateway.app import make_app
from gateway.instrumentation import start_instrumentation
from gateway.settings import read_settings
from observability.asgi import serve
from observability.guard import open_guard
from observability.settings import bind, run_service
from observability.structured_log import log_to_stdout


def main() -> None:
    """Read the settings, open the port, start the SDK, serve."""
    settings = read_settings()
    guard = open_guard(SERVICE, is_entry=True)
    listener = bind(settings.address)
    log_to_stdout(SERVICE)
    start_instrumentation()
    serve(make_app(settings, guard), listener, settings.body_timeout_ms / 1000)


run_service(SERVICE, main)
