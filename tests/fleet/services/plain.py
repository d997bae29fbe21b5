"""A service without Sentry, small enough to be ready at once; what it does beyond that its arguments say."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HELD: list[bytes] = []
IGNORES_SIGTERM = "import signal, threading; signal.signal(signal.SIGTERM, signal.SIG_IGN); threading.Event().wait()"


class Plain(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/exit/"):
            os._exit(int(path.removeprefix("/exit/")))
        if path.startswith("/hold/"):
            HELD.append(os.urandom(1) * int(path.removeprefix("/hold/")))
        if path == "/child":
            child = subprocess.Popen([sys.executable, "-c", f"held = bytearray(30_000_000); {IGNORES_SIGTERM}"])
            return self.answer(200, child.pid)
        if path == "/environment":
            return self.answer(200, dict(os.environ))
        if path == "/python":
            own = sys.modules.get("sitecustomize")
            return self.answer(200, {"path": sys.path, "sitecustomize": getattr(own, "__file__", None)})
        if path == "/headers":
            return self.answer(200, dict(self.headers))
        return self.answer(404 if path == "/missing" else 200, os.getpid())

    def answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Say nothing: the log belongs to the tests."""


def pass_gate(address: str) -> None:
    """Tell the test that we are here and wait until it lets us go on."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port))) as gate:
        gate.sendall(os.environ["SENTRY_RELEASE"].encode())
        gate.recv(1)


def main() -> None:
    sys.stdout.write(f"plain service {' '.join(sys.argv[1:])}\n")
    sys.stdout.flush()
    for argument in sys.argv[1:]:
        kind, _, value = argument.partition("=")
        if kind == "gate":
            pass_gate(value)
        if kind == "exit":
            sys.exit(int(value))
        if kind == "raise":
            raise RuntimeError(f"{value} at port {os.environ['PORT']}")
        if kind == "hang":
            threading.Event().wait()
        if kind == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    host = os.environ.get("HOST", "127.0.0.1")
    ThreadingHTTPServer((host, int(os.environ["PORT"])), Plain).serve_forever()


if __name__ == "__main__":
    main()
