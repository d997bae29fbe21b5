"""What the gates of all forges are tried on: scenarios of the shop, and the API of a forge as a server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TAG = 'scope.set_tag("path", path)'
SCENARIO = """
from harness import scenario


@scenario("shop", "GET /debug/crash", status=500)
def test_crash(capture):
    assert capture.error().type == "ValueError"


@scenario("shop", "GET /debug/warn")
def test_warn(capture):
    assert capture.message().tags["path"] == "/debug/warn"
"""
# How summaries tell that the tag was lost.
LOST = "| lost | shop GET /debug/warn |"
BLIND = SCENARIO.replace('tags["path"] == "/debug/warn"', 'level == "warning"')


class Forge:
    """One pull request, number 5.

    `comments` are those that were written, `writing` the paths they were written to, `status` the answer to writing,
    `archives` what can be downloaded, by path.
    """

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.writing: list[str] = []
        self.archives: dict[str, bytes] = {}
        self.status = 201
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if "/comments" in self.path or "/notes" in self.path:
                    return self.answer(200, json.dumps(forge.comments).encode())
                archive = forge.archives.get(self.path)
                return self.answer(404 if archive is None else 200, archive or b"{}")

            def do_POST(self) -> None:
                content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                comment = {"id": 1, "html_url": "https://github.com/comment-1", **content}
                forge.writing.append(self.path)
                forge.comments += [comment] if forge.status == 201 else []
                self.answer(forge.status, json.dumps(comment).encode())

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def forge() -> Iterator[Forge]:
    served = Forge()
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()
