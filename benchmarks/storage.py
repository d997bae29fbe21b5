"""What the collector does with more than fits into memory: `python -m benchmarks.storage`.

A collector in a process of its own gets a million small envelopes over HTTP. Then it has them all, by count and by
digest; what its memory was is printed, also for each envelope kept in memory alone. The exit status says whether
nothing was lost and the memory stayed within its bound.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise

import psutil

from harness.collector.inbox import Inbox
from harness.collector.server import Collector

_MEBIBYTE = 1024 * 1024
_BATCH = 200
_KEY = "0123456789abcdef0123456789abcdef"
_HEAD = (
    "POST /api/1/envelope/ HTTP/1.1\r\nHost: localhost\r\nUser-Agent: sentry.python/2.75.0\r\n"
    "Content-Type: application/x-sentry-envelope\r\nAccept-Encoding: identity\r\n"
    f"X-Sentry-Auth: Sentry sentry_key={_KEY}, sentry_version=7, sentry_client=sentry.python/2.75.0\r\n"
    "Content-Length: "
)


def envelope(number: int) -> bytes:
    """A small envelope that differs from all others and speaks of a trace of its own."""
    trace = hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16).hexdigest()
    payload = json.dumps(
        {"event_id": trace, "message": f"event {number}", "contexts": {"trace": {"trace_id": trace}}}
    )
    return b'{"event_id":"%b"}\n{"type":"event"}\n%b\n' % (trace.encode(), payload.encode())


def digest(bodies: Iterator[bytes]) -> int:
    """A digest that does not depend on the order."""
    return sum(int.from_bytes(hashlib.blake2b(body, digest_size=16).digest(), "big") for body in bodies) % 2**128


async def send(port: int, first: int, last: int) -> None:
    """Send envelopes over one connection, many before each reading of answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for begin in range(first, last, _BATCH):
        batch = [envelope(number) for number in range(begin, min(begin + _BATCH, last))]
        writer.write(b"".join(f"{_HEAD}{len(body)}\r\n\r\n".encode() + body for body in batch))
        for _ in batch:
            answer = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in answer:
                sys.exit(f"the collector answered {answer!r}")
            await reader.readexactly(int(answer.partition(b"content-length: ")[2].partition(b"\r")[0]))
    writer.close()


async def send_all(port: int, count: int, connections: int) -> None:
    """Send all envelopes over several connections."""
    bounds = [count * part // connections for part in range(connections + 1)]
    await asyncio.gather(*[send(port, *pair) for pair in pairwise(bounds)])


def serve(memory: int) -> None:
    """The collector's process: answers each line on standard input with what it holds."""
    with Collector(open=True, inbox=Inbox(memory)) as collector:
        print(collector.port, flush=True)
        sys.stdin.readline()
        inbox = collector.inbox
        print(json.dumps({"count": len(inbox), "spilled": inbox.spilled, "rss": _rss()}), flush=True)
        sys.stdin.readline()
        found = digest(inbox.arrival(number).body for number in range(len(inbox)))
        print(json.dumps({"digest": found, "rss": _rss()}), flush=True)
        sys.stdin.readline()
        inbox.for_trace("0" * 32)
        print(json.dumps({"rss": _rss()}), flush=True)


def _rss() -> int:
    return psutil.Process().memory_info().rss


def measure(count: int, memory: int, connections: int) -> bool:
    """Fill a collector and look into it; gives whether all is as it should be."""
    with subprocess.Popen(
        [sys.executable, "-m", __spec__.name, "--serve", str(memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = int(server.stdout.readline())
        before = psutil.Process(server.pid).memory_info().rss
        began = time.perf_counter()
        asyncio.run(send_all(port, count, connections))
        took = time.perf_counter() - began

        def ask() -> dict[str, int]:
            print(file=server.stdin, flush=True)
            answer: dict[str, int] = json.loads(server.stdout.readline()) if server.stdout else {}
            return answer

        filled, read, indexed = ask(), ask(), ask()
    total = sum(len(envelope(number)) for number in range(count))
    print(
        f"{count} envelopes of {total / count:.0f} bytes, {count / took:.0f}/s; memory {memory / _MEBIBYTE:.0f} MiB"
    )
    print(f"  on disk              {filled['spilled'] / _MEBIBYTE:10.1f} MiB")
    for what, at in (("filled", filled), ("all read", read), ("all traces known", indexed)):
        grown = at["rss"] - before
        print(f"  RSS, {what:16} {at['rss'] / _MEBIBYTE:9.1f} MiB, {grown / count:6.0f} bytes an envelope")
    checks = {
        "all are there": filled["count"] == count,
        "none is changed": read["digest"] == digest(envelope(number) for number in range(count)),
        # Twice the memory, for what arrived and what was read, and 400 bytes for each arrival and its trace.
        "RSS within its bound": indexed["rss"] - before < 2 * memory + 400 * count + 64 * _MEBIBYTE,
    }
    for check, holds in checks.items():
        print(f"{'yes' if holds else 'NO':8}{check}")
    return all(checks.values())


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="envelopes (default 1000000)")
    parser.add_argument("--memory", type=int, default=64, help="MiB kept in memory (default 64)")
    parser.add_argument("--connections", type=int, default=4, help="connections that send at once (default 4)")
    parser.add_argument("--serve", type=int, metavar="BYTES", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.serve)
        return 0
    return 0 if measure(options.count, options.memory * _MEBIBYTE, options.connections) else 1


if __name__ == "__main__":
    sys.exit(main())
