from __future__ import annotations

import signal

import pytest
import requests

from tests.services.page_server import ServePage, address_of

SECONDS = 10.0


def test_a_signal_ends_it(serve_page: ServePage) -> None:
    process = serve_page()
    assert requests.get(f"{address_of(process)}/health", timeout=10).json()["status"] == "ok"
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PORT", "x", "PORT must be"),
        ("GATEWAY_URL", "ftp://x", "GATEWAY_URL must be"),
        ("HOST", "x.invalid", "HOST"),
    ],
)
def test_a_bad_setting_is_one_line(serve_page: ServePage, variable: str, value: str, words: str) -> None:
    process = serve_page(**{variable: value})
    _, complaint = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert complaint.startswith("frontend: ")
    assert words in complaint
    assert complaint.count("\n") == 1
