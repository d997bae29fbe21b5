"""What only a real connection shows: nobody listens, a forge asks for patience, a `.netrc` wants to be used."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.forge.api import Api, NoAnswer

Answer = tuple[int, dict[str, str], object]
Serve = Callable[..., "Forge"]


class Forge:
    """A server that gives the answers one after the other and keeps what it was sent."""

    def __init__(self, answers: list[Answer]) -> None:
        self.seen: list[tuple[str, str | None]] = []
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                forge.seen.append((self.path, self.headers["Authorization"]))
                status, headers, content = answers.pop(0)
                body = json.dumps(content).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()


@pytest.fixture
def serve() -> Iterator[Serve]:
    forges: list[Forge] = []

    def start(*answers: Answer) -> Forge:
        forges.append(Forge(list(answers)))
        return forges[-1]

    yield start
    for forge in forges:
        forge.server.shutdown()
        forge.thread.join()
        forge.server.server_close()


def api_at(url: str) -> Api:
    return Api(url, token="secret-token", variable="GITHUB_TOKEN", headers={}, refused="")


def test_it_waits_as_long_as_the_forge_asks(serve: Serve) -> None:
    forge = serve((429, {"Retry-After": "1"}, {}), (200, {}, ["answer"]))
    start = time.monotonic()
    assert list(api_at(forge.url).pages("/comments")) == ["answer"]
    assert time.monotonic() - start >= 1
    assert len(forge.seen) == 2


def test_a_forge_that_cannot_be_reached_is_one_clear_message() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        with pytest.raises(NoAnswer) as caught:
            list(api_at(f"http://127.0.0.1:{port}").pages("/comments"))
    message = str(caught.value)
    assert message.startswith(f"127.0.0.1:{port} cannot be reached: ")
    assert message.endswith("Connection refused")
    assert "0x" not in message


def test_the_token_goes_to_the_forge_and_nowhere_else(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    elsewhere = serve((200, {}, []))
    there = elsewhere.url.replace("127.0.0.1", "localhost")
    forge = serve((302, {"Location": f"{there}/elsewhere"}, {}))
    assert list(api_at(forge.url).pages("/comments")) == []
    assert forge.seen == [("/comments", "Bearer secret-token")]
    assert elsewhere.seen == [("/elsewhere", None)]
