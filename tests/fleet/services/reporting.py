"""A service with the real SDK, whose items are batched for seconds unless somebody flushes it."""

import multiprocessing
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import sentry_sdk
import sentry_sdk.logger


def report(text: str) -> None:
    sentry_sdk.logger.info(text)


def report_and_stay(text: str, reported: "multiprocessing.synchronize.Event") -> None:
    set_up()
    report(text)
    reported.set()
    threading.Event().wait()


def fork() -> int:
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        report("from the forked child")
        os.write(writable, b".")
        threading.Event().wait()
    os.read(readable, 1)
    os.close(readable)
    os.close(writable)
    return child


def spawn() -> int:
    spawning = multiprocessing.get_context("spawn")
    reported = spawning.Event()
    child = spawning.Process(target=report_and_stay, args=("from the spawned child", reported), daemon=True)
    child.start()
    reported.wait()
    return child.pid or 0


class Reporting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answer = os.getpid()
        match self.path:
            case "/log":
                report("from the service")
            case "/fork":
                answer = fork()
            case "/spawn":
                answer = spawn()
            case "/exit":
                os._exit(3)
        body = str(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def set_up() -> None:
    sentry_sdk.init(enable_logs=True, auto_enabling_integrations=False)


if __name__ == "__main__":
    if "uninitialised" not in sys.argv:
        set_up()
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Reporting).serve_forever()
