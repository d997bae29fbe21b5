"""Settings from the environment, and one clear message with exit code 2 when one of them is wrong."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

EXIT_BAD_SETTING = 2
HIGHEST_PORT = 65535


class BadSetting(Exception):
    """An environment variable that the service cannot work with."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens."""

    host: str
    port: int


def read_address(default_port: int) -> Address:
    """Read HOST (default 127.0.0.1) and PORT.

    Raises:
        BadSetting: PORT is not a number between 0 and 65535 (0 means any free port).
    """
    return Address(
        host=os.environ.get("HOST") or "127.0.0.1",
        port=read_integer("PORT", default=default_port, lowest=0, highest=HIGHEST_PORT),
    )


def read_integer(variable: str, *, default: int, lowest: int, highest: int) -> int:
    """Read a whole number between `lowest` and `highest` from an environment variable.

    Raises:
        BadSetting: it is set to something else.
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or not lowest <= int(text) <= highest:
        raise BadSetting(f"{variable} must be a whole number from {lowest} to {highest}, not {text!r}")
    return int(text)


def read_url(variable: str, default: str) -> str:
    """Read the base URL of another service, without a trailing slash.

    Raises:
        BadSetting: it is not an absolute http or https URL, or carries a query or fragment.
    """
    text = os.environ.get(variable, "").strip() or default
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise BadSetting(f"{variable} must be a base URL such as {default}, not {text!r}")
    return text.rstrip("/")


def bind(address: Address) -> socket.socket:
    """Open the listening socket before anything else starts, so that a taken port is found out first.

    Raises:
        BadSetting: the port is in use, or the host is not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
        listener.listen(128)
    except OSError as problem:
        listener.close()
        reason = problem.strerror or str(problem)
        raise BadSetting(
            f"cannot listen on {address.host}:{address.port}: {reason}; choose another PORT or HOST"
        ) from problem
    listener.setblocking(False)
    return listener


def run_service(service: str, main: Callable[[], None]) -> None:
    """Run a service's `main`; a bad setting ends the process with one line on stderr and exit code 2."""
    try:
        main()
    except BadSetting as problem:
        print(f"{service}: {problem}", file=sys.stderr)  # noqa: T201 - nobody reads a log before the service runs
        sys.exit(EXIT_BAD_SETTING)
