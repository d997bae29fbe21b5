"""The probe that containers are asked with."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from services.containers import ROOT
from tests.services.conversation import SECONDS, Listener


@pytest.fixture
def service() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


def ask(service: Listener, *path: str) -> subprocess.Popen[bytes]:
    port = service.url.rpartition(":")[2]
    return subprocess.Popen(["bash", ROOT / "services" / "healthy", port, *path], stderr=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("status", "exit_code"), [("200 OK", 0), ("503 Service Unavailable", 1), ("404 Not Found", 1)]
)
def test_only_a_200_is_healthy(service: Listener, status: str, exit_code: int) -> None:
    with ask(service) as probe, service.accept() as conversation:
        first, headers = conversation.read_head()
        conversation.send(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        assert probe.wait(SECONDS) == exit_code
    assert first == "GET /health HTTP/1.1"
    assert dict(headers)["sentry-trace"].endswith("-0")


def test_another_path_is_asked_for(service: Listener) -> None:
    with ask(service, "/health?sentry_key=k") as probe, service.accept() as conversation:
        assert conversation.read_head()[0] == "GET /health?sentry_key=k HTTP/1.1"
        conversation.send(b"HTTP/1.1 200 OK\r\n\r\n")
        assert probe.wait(SECONDS) == 0


def test_nobody_there_is_not_healthy() -> None:
    probe = subprocess.run(
        ["bash", ROOT / "services" / "healthy", "9"], stderr=subprocess.DEVNULL, timeout=SECONDS, check=False
    )
    assert probe.returncode != 0
